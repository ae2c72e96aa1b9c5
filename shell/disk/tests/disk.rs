//! The log with its threads, on a real disk.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test that is wrong may fail")]

mod support;

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use martlet_disk::{Disk, Folder, Opened, Settings, open};
use martlet_record::{Batch, BatchNumber, Completion, Need, Now, Outcome, Record, Room, ShardId};
use support::{Call, Memory, message, published, settings, settled};

const SEGMENT: u32 = 1 << 20;

struct Running {
    disk: Disk,
    woken: Receiver<()>,
}

fn opened(folder: &tempfile::TempDir, settings: &Settings) -> Opened<Folder> {
    open(Folder::take(folder.path(), false).unwrap(), settings).unwrap()
}

fn start(folder: &tempfile::TempDir) -> Running {
    let (wake, woken) = channel();
    let wake = Box::new(move || wake.send(()).unwrap_or_default());
    Running { disk: opened(folder, &settings(SEGMENT)).start(wake).unwrap(), woken }
}

fn batch(number: u64, records: Vec<Record>, need: Need) -> Batch {
    Batch { shard: ShardId::new(0), number: BatchNumber(number), records, need, at: Now::at_millis(1000) }
}

fn submit(disk: &Disk, batches: impl Iterator<Item = Batch>) {
    disk.submit(batches);
    disk.commit();
}

impl Running {
    /// Waits until it is so: it wakes whoever must see a change.
    fn wait(&self, is_so: impl Fn(&Disk) -> bool) {
        while !is_so(&self.disk) {
            self.woken.recv_timeout(Duration::from_secs(20)).expect("it wakes whoever waits");
        }
    }

    /// Waits for so many completions.
    fn completions(&self, count: usize) -> Vec<Completion> {
        let mut completions = Vec::new();
        while completions.len() < count {
            self.disk.completed(|completion| completions.push(completion));
            if completions.len() < count {
                self.woken.recv_timeout(Duration::from_secs(20)).expect("it wakes whoever waits");
            }
        }
        completions
    }
}

#[test]
fn batches_complete_in_order_and_are_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(&folder);
    assert!(running.disk.is_idle());
    assert_eq!(running.disk.room(), Room::Open);
    let message = message(&[7; 2000]);
    for chunk in 0..100 {
        let numbers = chunk * 10 + 1..=chunk * 10 + 10;
        let record = || published(&message, 1);
        submit(&running.disk, numbers.map(|number| batch(number, vec![record()], Need::Synced)));
    }
    assert!(!running.disk.is_idle());
    let completions = running.completions(1000);
    assert!(running.disk.is_idle());
    assert!(completions.iter().all(|completion| completion.outcome == Outcome::Committed));
    let numbers: Vec<u64> = completions.iter().map(|completion| completion.batch.number.0).collect();
    assert_eq!(numbers, (1..=1000).collect::<Vec<_>>());
    running.disk.close();
    drop(running);

    let mut again = opened(&folder, &settings(SEGMENT));
    let mut numbers = Vec::new();
    let found = again.recover(&mut |batch, _| numbers.push(batch.number.0), &mut |_, _| {}).unwrap();
    assert_eq!(numbers, (1..=1000).collect::<Vec<_>>());
    assert_eq!(found.torn, None);
    let read = again.read(&[message.stored().unwrap()], Now::at_millis(1000));
    assert_eq!(read[0].as_ref().unwrap().view().payload, [7; 2000]);
}

#[test]
fn shards_keep_their_order_whoever_commits() {
    const SHARDS: u8 = 4;
    const BATCHES: u64 = 900;
    let folder = tempfile::tempdir().unwrap();
    let running = start(&folder);
    let done = Mutex::new(Vec::new());
    let collect = || running.disk.completed(|completion| done.lock().unwrap().push(completion));
    let need = |number: u64| match number % 60 {
        0 => Need::Synced,
        1 => Need::Written,
        2..10 => Need::SyncedSoon,
        _ => Need::Lazy,
    };
    let publish = |shard: u8| {
        for first in (1..BATCHES).step_by(3) {
            let batches = (first..first + 3).map(|number| Batch {
                shard: ShardId::new(shard),
                ..batch(number, vec![settled(u64::from(shard), number)], need(number))
            });
            submit(&running.disk, batches);
            collect();
        }
    };
    std::thread::scope(|scope| {
        let publish = &publish;
        (0..SHARDS).for_each(|shard| drop(scope.spawn(move || publish(shard))));
    });
    running.wait(|disk| {
        collect();
        disk.is_idle()
    });
    let done = done.into_inner().unwrap();
    assert!(done.is_sorted_by_key(|completion| completion.position), "in the order of the log");
    for shard in (0..SHARDS).map(ShardId::new) {
        let own = done.iter().filter(|completion| completion.batch.shard == shard);
        assert!(own.map(|completion| completion.batch.number.0).eq(1..=BATCHES));
    }
}

#[test]
fn bodies_are_fetched_by_another_thread() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(&folder);
    let messages: Vec<_> = (0..100_u8).map(|at| message(&[at; 1000])).collect();
    let records = messages.iter().map(|message| published(message, 1)).collect();
    submit(&running.disk, [batch(1, records, Need::Written)].into_iter());
    running.completions(1);
    // In an order that is not the disk's.
    let wanted: Vec<_> = messages.iter().rev().map(|message| message.stored().unwrap()).collect();
    let (reply, replied) = channel();
    let reply = Box::new(move |read| reply.send(read).unwrap());
    running.disk.fetch(wanted.clone(), Now::at_millis(1000), reply);
    let read = replied.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(read.iter().map(|(stored, _)| *stored).collect::<Vec<_>>(), wanted);
    for ((_, read), message) in read.iter().zip(messages.iter().rev()) {
        assert_eq!(read.as_ref().unwrap().view().payload, message.view().payload);
    }
}

#[test]
fn a_checkpoint_is_announced_and_completes() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(&folder);
    assert_eq!(running.disk.checkpoint(), None);
    running.disk.request_checkpoint();
    running.wait(|disk| disk.checkpoint().is_some());
    let checkpoint = running.disk.checkpoint().unwrap();
    let batches = ShardId::all().zip(1..).map(|(shard, number)| Batch {
        shard,
        ..batch(
            number,
            vec![Record::Snapshotted { checkpoint, opened: 0, delayed: 0, version: 0 }],
            Need::Synced,
        )
    });
    submit(&running.disk, batches);
    running.completions(64);
    running.wait(|disk| disk.checkpoint().is_none());
    assert_eq!(running.disk.stats().checkpoint.number, checkpoint);
}

#[test]
fn closing_writes_what_would_have_waited() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(&folder);
    submit(&running.disk, [batch(1, vec![settled(1, 0)], Need::Lazy)].into_iter());
    running.disk.close();
    assert_eq!(running.completions(1)[0].outcome, Outcome::Committed);
    drop(running);
    let mut count = 0;
    opened(&folder, &settings(SEGMENT)).recover(&mut |_, _| count += 1, &mut |_, _| {}).unwrap();
    assert_eq!(count, 1);
}

#[test]
fn whoever_waits_hears_that_the_disk_failed() {
    let files = Memory::default();
    let (wake, woken) = channel();
    let wake = Box::new(move || wake.send(()).unwrap_or_default());
    let disk = open(files.clone(), &settings(SEGMENT)).unwrap().start(wake).unwrap();
    let running = Running { disk, woken };
    files.break_call(Call::SyncData);
    submit(&running.disk, [batch(1, vec![settled(1, 0)], Need::Synced)].into_iter());
    assert_eq!(running.completions(1)[0].outcome, Outcome::Unknown);
    running.wait(|disk| disk.room() == Room::Failed);
    assert!(running.disk.trouble().expect("there is").contains("input/output error"));
    submit(&running.disk, [batch(2, vec![settled(1, 1)], Need::Lazy)].into_iter());
    running.disk.close();
    assert_eq!(running.completions(1)[0].outcome, Outcome::Unknown);
}

#[test]
fn publishers_wait_while_much_is_to_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(&folder);
    let payload = vec![7; 1 << 20];
    // Nothing is handed out before all of it was submitted: there is a moment when too much waits.
    let messages: Vec<Arc<_>> = (0..64).map(|_| message(&payload)).collect();
    let batches = messages
        .iter()
        .zip(1..)
        .map(|(message, number)| batch(number, vec![published(message, 1)], Need::Synced));
    submit(&running.disk, batches);
    assert_eq!(running.disk.room(), Room::Reserve);
    running.completions(64);
    assert_eq!(running.disk.room(), Room::Open);
}
