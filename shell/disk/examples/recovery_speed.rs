//! How fast a store is read back:
//! `cargo run --release -p martlet-disk --example recovery_speed -- FOLDER [Messages]`
//!
//! Messages of 256 bytes are queued for a thousand Sessions. Then the store is opened again: its records, and then all
//! bodies in an order that is not the disk's.
#![expect(clippy::print_stdout, reason = "it is there to print")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use martlet_disk::{Folder, Opened, Settings, open};
use martlet_packet::QoS;
use martlet_record::{
    Batch, BatchNumber, Body, CopyRecord, MessageRef, Need, Now, PublishRecord, Record, SessionNumber,
    ShardId, Stored,
};

const SESSIONS: u64 = 1000;
const TOGETHER: u64 = 1000;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("a folder is needed")?;
    let count: u64 = arguments.next().map_or(Ok(1_000_000), |count| count.parse())?;
    let began = Instant::now();
    write(Path::new(&folder), count)?;
    println!("{count} Messages queued in {:?}", began.elapsed());

    let mut opened = opened(Path::new(&folder))?;
    let began = Instant::now();
    let mut named: Vec<Stored> = Vec::new();
    let mut each = |batch: Batch, _| {
        named.extend(batch.records.iter().flat_map(Record::bodies).filter_map(Body::stored));
    };
    let found = opened.recover(&mut each, &mut |_, _| {})?;
    println!("{} batches, {} bytes read back in {:?}", found.batches, found.bytes, began.elapsed());

    named.sort_unstable_by_key(|stored| stored.place.to_bits().wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let began = Instant::now();
    let read = opened.read(&named, Now::at_millis(1000));
    let whole = read.iter().filter(|read| read.is_ok()).count();
    println!("{whole} bodies read in {:?}", began.elapsed());
    Ok(())
}

fn opened(folder: &Path) -> Result<Opened<Folder>> {
    let began = Instant::now();
    let opened = open(Folder::take(folder, false)?, &Settings::default())?;
    println!("opened in {:?}", began.elapsed());
    Ok(opened)
}

fn write(folder: &Path, count: u64) -> Result<()> {
    let runner = std::thread::current();
    let disk = opened(folder)?.start(Box::new(move || runner.unpark()))?;
    for number in 1..=count / TOGETHER {
        let records = (0..TOGETHER).map(|at| queued(number * TOGETHER + at)).collect();
        let shard = ShardId::new(0);
        let batch = Batch {
            shard,
            number: BatchNumber(number),
            records,
            need: Need::Synced,
            at: Now::at_millis(1000),
        };
        disk.submit([batch].into_iter());
        disk.commit();
        while disk.stats().waiting > 16 || disk.room() != martlet_record::Room::Open {
            disk.completed(drop);
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
    disk.close();
    Ok(())
}

fn queued(at: u64) -> Record {
    let mut payload = [7; 256];
    payload[..8].copy_from_slice(&at.to_le_bytes());
    let topic = format!("sensors/{}/temperature", at % SESSIONS);
    let message = MessageRef { qos: QoS::AtLeastOnce, ..MessageRef::new(&topic, &payload) };
    let session = SessionNumber(64 + at % SESSIONS);
    let copy = CopyRecord {
        session,
        slot: 0,
        qos: QoS::AtLeastOnce,
        retain: false,
        subscription_ids: None,
        share: None,
    };
    Record::Published(PublishRecord {
        body: Body::Held(Arc::new(message.to_message())),
        copies: vec![(session.shard(), vec![copy])],
        mark: None,
        will_of: None,
        was_delayed: None,
        passed_from: None,
    })
}
