//! The broker's own system calls: between the write that holds a message and its PUBACK there is a successful sync.
//!
//! The rule: only what the kernel was asked counts; the broker is not consulted.

mod calls;

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use martlet_witness::cleanup::{self, Leftover};
use martlet_witness::report::Report;
use martlet_witness::wire::{self, Connect, Version, kind};
use martlet_witness::{Broker, Client};
use rustix::process::{Pid, Signal, kill_process};

use crate::Setup;
use crate::store::Store;
use crate::table::Table;
use calls::Call;

/// One successful fdatasync of the log between the write that holds a message and its PUBACK, seen by strace.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Messages, published one at a time.
    #[arg(long, default_value_t = 200)]
    messages: u16,
}

const TOPIC: &str = "strace/messages";

/// What the calls say about one message.
enum Verdict {
    /// It is in no write to a file of the store.
    NotWritten,
    /// No PUBACK was sent.
    NotAcknowledged,
    /// The PUBACK left before a sync that began after the write had ended.
    NotSynced,
    /// As promised, with so many syncs of that file between.
    Synced(usize),
}

pub(crate) fn run(arguments: &Arguments, setup: &Setup, report: &mut Report) -> Result<()> {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        report.skip("needs strace");
        return Ok(());
    }
    let folder = setup.new_folder()?;
    let data = folder.path().join("data");
    fs::create_dir(&data)?;
    // What the kernel calls it, which may differ by a symbolic link.
    let data = data.canonicalize()?;
    let store = Store::new(&setup.program, setup.settings(), &data)?;
    let broker = store.start()?;
    // A broker that has answered has all its threads; strace would miss one that is born while it attaches.
    let mut subscriber =
        Client::connect(store.address(), &Connect::persistent(Version::V311, "strace-subscriber"))?;
    subscriber.subscribe(TOPIC, 1)?;
    let trace = folder.path().join("trace");
    let strace = Strace::attach(&broker, &trace)?;
    let published = publish(arguments, &store, &mut subscriber);
    strace.detach()?;
    published?;
    broker.kill();

    let calls = calls::read(&fs::read_to_string(&trace).context("reading what strace wrote")?);
    let mut synced = Vec::new();
    let (mut not_written, mut not_acknowledged, mut not_synced) = (0, 0, 0);
    for message in 1..=arguments.messages {
        match judge(&calls, &data.to_string_lossy(), message) {
            Verdict::NotWritten => not_written += 1,
            Verdict::NotAcknowledged => not_acknowledged += 1,
            Verdict::NotSynced => not_synced += 1,
            Verdict::Synced(syncs) => synced.push(syncs),
        }
    }
    let syncs = calls.iter().filter(|call| call.is_sync()).count();
    let mut table = Table::new(&["", "count"]);
    for (name, count) in [
        ("messages published one at a time", usize::from(arguments.messages)),
        ("synced between write and PUBACK", synced.len()),
        ("  of them by exactly one sync", synced.iter().filter(|syncs| **syncs == 1).count()),
        ("PUBACK before its sync", not_synced),
        ("in no write to the store", not_written),
        ("without PUBACK", not_acknowledged),
        ("syncs in all", syncs),
    ] {
        table.row([name.to_owned(), count.to_string()]);
    }
    write!(io::stdout(), "{table}")?;
    report.number("syncs per message", syncs as f64 / f64::from(arguments.messages), "");
    report.require(not_written == 0, || format!("{not_written} messages are in no write to the store"));
    report.require(not_synced == 0, || format!("{not_synced} PUBACKs left before a sync"));
    report.require(not_acknowledged == 0, || format!("{not_acknowledged} messages have no PUBACK"));
    Ok(())
}

/// One message after the other to one persistent subscriber, who is there.
fn publish(arguments: &Arguments, store: &Store<'_>, subscriber: &mut Client) -> Result<()> {
    let mut publisher = Client::connect(store.address(), &Connect::new("strace-publisher"))?;
    for message in 1..=arguments.messages {
        // The publisher's identifiers begin at 1, so message and identifier are the same number.
        publisher.publish(TOPIC, payload(message).as_bytes())?;
        let delivered = subscriber.wait_for(kind::PUBLISH)?;
        let id = delivered
            .publish(Version::V311)
            .and_then(|publish| publish.id)
            .context("a message without QoS")?;
        subscriber.send(&wire::puback(id))?;
    }
    Ok(())
}

fn payload(message: u16) -> String {
    format!("payload {message:05} under strace")
}

/// Looks for the message's write, its sync and its PUBACK, in this order.
fn judge(calls: &[Call], folder: &str, message: u16) -> Verdict {
    let payload = calls::hexadecimal(payload(message).as_bytes());
    let puback = calls::hexadecimal(&wire::puback(message));
    let write = calls.iter().find(|call| call.is_write() && call.is_below(folder) && call.holds(&payload));
    let Some(write) = write else { return Verdict::NotWritten };
    let sent = calls.iter().find(|call| call.is_to_socket() && call.holds(&puback));
    let Some(sent) = sent else { return Verdict::NotAcknowledged };
    let between = |call: &&Call| {
        call.is_sync()
            && call.succeeded
            && call.file == write.file
            && call.began > write.ended
            && call.ended < sent.began
    };
    match calls.iter().filter(between).count() {
        0 => Verdict::NotSynced,
        syncs => Verdict::Synced(syncs),
    }
}

/// A strace that follows the broker.
struct Strace(Child);

impl Strace {
    /// Returns when strace follows all threads.
    fn attach(broker: &Broker, trace: &Path) -> Result<Self> {
        let mut child = Command::new("strace")
            // -y: the file or socket of each descriptor; -xx: all bytes in hexadecimal; -s: all of them.
            .args(["-f", "-y", "-xx", "-s", "65536", "-e"])
            .arg("trace=write,writev,pwrite64,pwritev,pwritev2,fdatasync,fsync,sendto,sendmsg,sendmmsg")
            .arg("-o")
            .arg(trace)
            .args(["-p", &broker.pid().as_raw_nonzero().to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting strace")?;
        let pid = Pid::from_child(&child);
        cleanup::register(Leftover::Process(pid));
        let stderr = child.stderr.take().context("strace has no standard error")?;
        let strace = Self(child);
        let mut words = String::new();
        BufReader::new(stderr).read_line(&mut words)?;
        ensure!(words.contains("attached"), "strace could not follow the broker: {}", words.trim());
        Ok(strace)
    }

    /// Waits until everything is written.
    fn detach(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.0), Signal::INT).context("ending strace")?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
        cleanup::forget(&Leftover::Process(Pid::from_child(&self.0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A write with the message, then a sync, then the PUBACK; `order` says which lines there are.
    fn verdict(order: &[&str]) -> Verdict {
        let bytes = calls::hexadecimal(payload(1).as_bytes());
        let lines: Vec<String> = order
            .iter()
            .map(|line| match *line {
                "write" => format!("10 pwrite64(5</d/log/1.seg>, \"\\x00{bytes}\\x00\", 99, 0) = 99"),
                "other write" => format!("10 pwrite64(6</elsewhere>, \"{bytes}\", 99, 0) = 99"),
                "sync" => "10 fdatasync(5</d/log/1.seg>) = 0".to_owned(),
                "failed sync" => "10 fdatasync(5</d/log/1.seg>) = -1 EIO (Input/output error)".to_owned(),
                "other sync" => "10 fdatasync(6</d/log/2.seg>) = 0".to_owned(),
                "puback" => r#"11 sendto(7<socket:[9]>, "\x40\x02\x00\x01", 4, 0, NULL, 0) = 4"#.to_owned(),
                other => other.to_owned(),
            })
            .collect();
        judge(&calls::read(&lines.join("\n")), "/d", 1)
    }

    #[test]
    fn only_a_sync_of_that_file_between_counts() {
        assert!(matches!(verdict(&["write", "sync", "puback"]), Verdict::Synced(1)));
        assert!(matches!(verdict(&["write", "sync", "sync", "puback"]), Verdict::Synced(2)));
        assert!(matches!(verdict(&["write", "puback", "sync"]), Verdict::NotSynced));
        assert!(matches!(verdict(&["sync", "write", "puback"]), Verdict::NotSynced));
        assert!(matches!(verdict(&["write", "other sync", "puback"]), Verdict::NotSynced));
        assert!(matches!(verdict(&["write", "failed sync", "puback"]), Verdict::NotSynced));
        assert!(matches!(verdict(&["other write", "sync", "puback"]), Verdict::NotWritten));
        assert!(matches!(verdict(&["write", "sync"]), Verdict::NotAcknowledged));
    }

    #[test]
    fn a_sync_that_has_not_returned_does_not_count() {
        let (began, ended) =
            ("10 fdatasync(5</d/log/1.seg> <unfinished ...>", "10 <... fdatasync resumed>) = 0");
        assert!(matches!(verdict(&["write", began, "puback", ended]), Verdict::NotSynced));
        assert!(matches!(verdict(&["write", began, ended, "puback"]), Verdict::Synced(1)));
        assert!(matches!(verdict(&[began, "write", ended, "puback"]), Verdict::NotSynced));
    }
}
