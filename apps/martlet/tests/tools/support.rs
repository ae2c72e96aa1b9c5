//! The program under Mosquitto's names, and Debian's programs if they are there.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use martlet_harness::{Broker, QoS};
use martlet_packet::{PropertiesBuf, Publish, PublishQoS};

/// A folder with the program under all of its names, and nothing in it that could be an options file.
pub(crate) struct Tools {
    folder: tempfile::TempDir,
}

/// What a tool did: its exit code, its output, and what it said of its troubles.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) words: String,
}

impl Tools {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["pub", "sub", "rr", "passwd", "ctrl"] {
            symlink(env!("CARGO_BIN_EXE_martlet"), folder.path().join(format!("mosquitto_{name}"))).unwrap();
        }
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Our tool of this name.
    pub(crate) fn tool(&self, name: &str) -> Command {
        self.quiet(&self.folder().join(name))
    }

    /// Debian's tool of this name.
    #[expect(clippy::print_stderr, reason = "who reads the tests must know what was not tested")]
    pub(crate) fn debians(&self, name: &str) -> Option<Command> {
        let path = Path::new("/usr/bin").join(name);
        if !path.exists() {
            eprintln!("skipped: {} is not installed", path.display());
            return None;
        }
        Some(self.quiet(&path))
    }

    /// A program that finds no options of whoever runs the tests.
    fn quiet(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("HOME", self.folder()).env_remove("XDG_CONFIG_HOME").current_dir(self.folder());
        command.stdin(Stdio::null());
        command
    }

    /// A file for a test.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs our tool to its end, with words split at blanks.
    pub(crate) fn run(&self, name: &str, broker: &Broker, line: &str) -> Done {
        done(self.tool(name).args(at(broker)).args(line.split(' ')).output().unwrap())
    }

    /// The same with something on standard input.
    pub(crate) fn feed(&self, name: &str, broker: &Broker, line: &str, input: &[u8]) -> Done {
        feed(self.tool(name).args(at(broker)).args(line.split(' ')), input)
    }
}

/// Runs a program with something on standard input.
pub(crate) fn feed(command: &mut Command, input: &[u8]) -> Done {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Who wants no more of it has closed it.
    let _gone = child.stdin.take().unwrap().write_all(input);
    done(child.wait_with_output().unwrap())
}

/// The flags that lead to the broker.
pub(crate) fn at(broker: &Broker) -> [String; 4] {
    let address = broker.address();
    ["-h".to_owned(), address.ip().to_string(), "-p".to_owned(), address.port().to_string()]
}

pub(crate) fn done(output: Output) -> Done {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Done { code: output.status.code(), output: text(output.stdout), words: text(output.stderr) }
}

/// Leaves a Message with the broker, for who subscribes later.
pub(crate) fn retain(broker: &Broker, topic: &str, payload: &[u8], properties: &PropertiesBuf) {
    let mut client = broker.client_v5("").connects();
    let publish = Publish {
        retain: true,
        qos: PublishQoS::AtLeastOnce(martlet_packet::PacketId::FIRST),
        properties: properties.as_properties(),
        ..Publish::new(topic, payload)
    };
    client.sends(&martlet_packet::Packet::Publish(publish));
    client.expects();
}

/// A client that hears everything.
pub(crate) fn listener(broker: &Broker) -> martlet_harness::Client {
    broker.client("listener").connects().subscribes("#", QoS::AtLeastOnce)
}
