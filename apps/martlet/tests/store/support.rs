//! Stores that a broker made, and the program that looks after them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use martlet_harness::{Broker, Client, QoS};
use martlet_packet::{Publish, PublishQoS};
use martlet_server::StoreConfig;
use serde_json::Value;
use tempfile::TempDir;

/// Segments so small that there are several.
pub(crate) const SEGMENT: u32 = 256 * 1024;

/// A broker on the store in a folder.
pub(crate) fn start(folder: &Path) -> Broker {
    Broker::start_with(|config| {
        let mut store = StoreConfig::new(folder.to_owned());
        store.log.segment_bytes = SEGMENT;
        config.store = Some(store);
    })
}

/// A child that is being started has all our files for a moment, and with them the locks of stores: nothing is started
/// while a store is let go.
static STARTING: Mutex<()> = Mutex::new(());

fn no_child_is_starting() -> MutexGuard<'static, ()> {
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a broker; its store is free.
pub(crate) fn stop(broker: Broker) {
    let _guard = no_child_is_starting();
    broker.stop();
}

/// A client whose Session is kept.
pub(crate) fn kept(broker: &Broker, client_id: &str) -> Client {
    broker.client(client_id).connects_with(|connect| connect.clean_start = false)
}

/// A folder for a test.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder for a test")
}

/// A store as a power cut leaves it: the files of a broker that runs, and has everything on the disk.
pub(crate) fn cut(folder: &Path) -> TempDir {
    let copy = self::folder();
    copy_folder(folder, copy.path());
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy_folder(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// What the store of [`fill`] is made of.
pub(crate) const QUEUED: [(&str, &str); 4] =
    [("t/a", "first"), ("t/a", "second"), ("t/b", "third"), ("t/retained", "kept")];

/// Two Sessions without clients, messages for them, one of which is retained, and a delayed one.
pub(crate) fn fill(broker: &Broker) {
    kept(broker, "reader").subscribes("t/#", QoS::AtLeastOnce).disconnects();
    kept(broker, "other").subscribes("t/a", QoS::ExactlyOnce).disconnects();
    let mut writer = broker.client("writer").connects();
    for (topic, payload) in &QUEUED[..3] {
        writer.publishes(topic, payload.as_bytes(), QoS::ExactlyOnce);
    }
    retains(&mut writer, "t/retained", b"kept");
    writer.publishes("$delayed/1000/later", b"not yet", QoS::AtLeastOnce);
    writer.disconnects();
}

/// Publishes a retained message with QoS 1, and is acknowledged.
pub(crate) fn retains(writer: &mut Client, topic: &str, payload: &[u8]) {
    let qos = PublishQoS::AtLeastOnce(martlet_packet::PacketId::new(1000).expect("it is not zero"));
    writer.sends(&martlet_packet::Packet::Publish(Publish {
        retain: true,
        qos,
        ..Publish::new(topic, payload)
    }));
    let acknowledged = writer.expects();
    assert!(matches!(acknowledged.packet(), martlet_packet::Packet::PubAck(_)), "{acknowledged:?}");
}

/// A store that a broker filled and left in good order.
pub(crate) fn filled() -> TempDir {
    let folder = folder();
    let broker = start(folder.path());
    fill(&broker);
    stop(broker);
    folder
}

/// Messages of the store of [`long`], and what each carries.
pub(crate) const LONG: usize = 400;
pub(crate) const LONG_BYTES: usize = 2000;

/// A store of several segments: a long queue for one Session.
pub(crate) fn long() -> TempDir {
    let folder = folder();
    let broker = start(folder.path());
    kept(&broker, "reader").subscribes("t", QoS::AtLeastOnce).disconnects();
    let mut writer = broker.client("writer").connects();
    (0..LONG).for_each(|number| writer.publishes("t", &numbered(number), QoS::AtLeastOnce));
    stop(broker);
    assert!(segments(folder.path()).len() > 2);
    folder
}

/// What a message of a long queue carries.
pub(crate) fn numbered(number: usize) -> Vec<u8> {
    format!("{number:0LONG_BYTES$}").into_bytes()
}

/// Changes one byte of what a message carries, wherever it is in the log.
pub(crate) fn damage(folder: &Path, payload: &str) {
    let mut segments = segments(folder).into_iter();
    let (path, mut bytes, at) = segments
        .find_map(|path| {
            let bytes = fs::read(&path).unwrap();
            let at = bytes.windows(payload.len()).position(|window| window == payload.as_bytes())?;
            Some((path, bytes, at))
        })
        .expect("the message is in the log");
    bytes[at] ^= 0x20;
    fs::write(path, bytes).unwrap();
}

pub(crate) fn segments(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> = all.filter(|path| path.extension().is_some_and(|end| end == "seg")).collect();
    segments.sort();
    segments
}

/// Every file of a folder with its bytes.
pub(crate) fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(contents(&path));
        } else {
            files.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}

/// Starts `martlet store` with a tool and its arguments, on the store in a folder.
pub(crate) fn begin(folder: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_martlet"));
    command.arg("store").args(arguments).arg("--data-dir").arg(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let _guard = no_child_is_starting();
    command.spawn().unwrap()
}

/// What a tool said, and whether it ended well.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) is_success: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Said {
    let Output { status, stdout, stderr } = begin(folder, arguments).wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("it is text");
    Said { is_success: status.success(), out: text(stdout), err: text(stderr) }
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
    }
}

/// A snapshot without what differs from run to run.
pub(crate) fn steady(test: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    for (noise, steady) in [
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{3})?", "[time]"),
        (r"\d+ (second|minute)s? ago", "[ago]"),
        (r"in \d+ minutes", "[in a while]"),
        (r"/[^ ]*/\.tmp\w+", "[folder]"),
        (r"segment \d+, byte \d+", "segment [n], byte [n]"),
        (r"positions \d+ to \d+", "positions [n] to [n]"),
        (r"(?m)^ *\d+ \d+:\d+ +\[time\] +(\d+|-) ", "[position] [place] [time] [shard] "),
        (r"(dead +|reads )[0-9.]+ \w+", "$1[bytes]"),
        (r"in \d+ frames", "in [n] frames"),
        (r"on disk +[0-9.]+ \w+", "on disk    [bytes]"),
        (r"[0-9.]+ \w+ set aside for \d+ more", "[bytes] set aside for [n] more"),
        (r" +\d+s  ", " [age]  "),
        (r"delayed as \d+", "delayed as [n]"),
        (r"version \d+", "version [n]"),
    ] {
        settings.add_filter(noise, steady);
    }
    settings.bind(test);
}
