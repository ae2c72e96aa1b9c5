//! One race: publishers and subscribers of one layout against one broker.
//!
//! The rule: a race is over when every acknowledged message has reached all its receivers; a broker gains nothing by
//! letting them wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result as Outcome, ensure};
use martlet_witness::Process;
use martlet_witness::wire::Version;

use crate::load::{Fleet, Publisher, Subscriber, Terms};
use crate::store::Store;

/// Who publishes to whom.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) name: &'static str,
    pub(super) publishers: usize,
    pub(super) subscribers: usize,
    pub(super) window: usize,
    /// All subscribers want everything; else each has a topic of its own and its share of the publishers.
    pub(super) is_fan_out: bool,
}

impl Layout {
    /// The topic of a publisher.
    pub(super) fn topic(&self, publisher: usize) -> String {
        if self.is_fan_out {
            "speed/all".to_owned()
        } else {
            self.topic_of_subscriber(publisher % self.subscribers)
        }
    }

    fn filter(&self, subscriber: usize) -> String {
        if self.is_fan_out { "speed/all".to_owned() } else { self.topic_of_subscriber(subscriber) }
    }

    fn topic_of_subscriber(&self, subscriber: usize) -> String {
        format!("speed/{subscriber}")
    }

    fn copies(&self) -> u64 {
        if self.is_fan_out { self.subscribers as u64 } else { 1 }
    }
}

/// What a race brought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Result {
    pub(super) messages_per_second: f64,
    pub(super) copies_per_second: f64,
    /// Processor seconds of the broker, all threads.
    pub(super) cpu_per_copy: f64,
    /// The load generator's share of one processor.
    pub(super) load_cpu: f64,
}

/// The median of each figure.
pub(super) fn median(results: Vec<Result>) -> Result {
    let middle = |figure: fn(&Result) -> f64| {
        let mut values: Vec<f64> = results.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Result {
        messages_per_second: middle(|result| result.messages_per_second),
        copies_per_second: middle(|result| result.copies_per_second),
        cpu_per_copy: middle(|result| result.cpu_per_copy),
        load_cpu: middle(|result| result.load_cpu),
    }
}

/// Everybody connected and subscribed.
pub(super) struct Race {
    layout: Layout,
    fleet: Fleet,
    publishers: Vec<usize>,
}

/// How long everybody may take to connect, and the last copies to come.
const PATIENCE: Duration = Duration::from_secs(60);
/// Before the clock starts.
const WARM_UP: Duration = Duration::from_millis(500);

impl Race {
    /// Connects everybody.
    pub(super) fn begin(store: &Store<'_>, layout: &Layout, size: usize) -> Outcome<Self> {
        let mut fleet = Fleet::new(store.address())?;
        for number in 0..layout.subscribers {
            let client_id = format!("speed-subscriber-{number}");
            fleet.add_subscriber(Subscriber::new(Version::V311, client_id, layout.filter(number), 1));
        }
        let (version, qos, window, persistent) = (Version::V311, 1, layout.window, false);
        let mut publishers = Vec::new();
        for number in 0..layout.publishers {
            let (topics, first_stream) = (Arc::from([layout.topic(number)]), u32::try_from(number)?);
            let terms = Terms { version, qos, window, size, topics, first_stream, persistent };
            publishers.push(fleet.add_publisher(Publisher::new(format!("speed-publisher-{number}"), terms)));
        }
        fleet.all_online();
        let everybody = layout.subscribers + layout.publishers;
        let is_ready = fleet.run_until(Instant::now() + PATIENCE, |fleet| {
            fleet.counts().welcomed >= everybody as u64 && fleet.subscribers().all(Subscriber::is_subscribed)
        })?;
        ensure!(is_ready, "not everybody could connect and subscribe");
        Ok(Self { layout: *layout, fleet, publishers })
    }

    /// Publishes for some time and measures.
    pub(super) fn publish_for(&mut self, time: Duration, broker: Process) -> Outcome<Result> {
        let load = Process::new(rustix::process::getpid());
        self.publishers_goal(u64::MAX);
        self.fleet.run_for(WARM_UP)?;
        let (before, broker_before, load_before) = (self.fleet.counts(), broker.cpu()?, load.cpu()?);
        let started = Instant::now();
        self.fleet.run_for(time)?;
        self.finish()?;
        let took = started.elapsed().as_secs_f64();
        let after = self.fleet.counts();
        let messages = (after.acknowledged - before.acknowledged) as f64;
        let copies = (after.delivered - before.delivered) as f64;
        Ok(Result {
            messages_per_second: messages / took,
            copies_per_second: copies / took,
            cpu_per_copy: (broker.cpu()? - broker_before).as_secs_f64() / copies,
            load_cpu: (load.cpu()? - load_before).as_secs_f64() / took,
        })
    }

    /// Publishes messages until about so many copies of them are delivered; says how many messages that were.
    pub(super) fn publish(&mut self, copies: u64) -> Outcome<u64> {
        let each = (copies / self.layout.copies() / self.publishers.len() as u64).max(1);
        let published = self.fleet.publishers().map(Publisher::published).max().unwrap_or(0);
        self.publishers_goal(published + each);
        // Ten thousand copies a second is slow for any broker and any disk.
        let patience = PATIENCE + Duration::from_millis(copies / 10);
        let done = self
            .fleet
            .run_until(Instant::now() + patience, |fleet| fleet.publishers().all(Publisher::is_done))?;
        ensure!(done, "{copies} copies were not delivered within {patience:?}");
        self.finish()?;
        Ok(each * self.publishers.len() as u64)
    }

    /// Publishing ends; waits for the last copy.
    fn finish(&mut self) -> Outcome<()> {
        for publisher in &self.publishers {
            self.fleet.publisher(*publisher).stop();
        }
        let copies = self.layout.copies();
        let complete = self.fleet.run_until(Instant::now() + PATIENCE, |fleet| {
            fleet.counts().delivered >= fleet.counts().acknowledged * copies
                && fleet.publishers().all(Publisher::is_done)
        })?;
        let counts = self.fleet.counts();
        ensure!(complete, "copies are missing {PATIENCE:?} after the last message: {counts:?}");
        ensure!(counts.broken == 0, "the broker closed {} connections", counts.broken);
        Ok(())
    }

    fn publishers_goal(&mut self, goal: u64) {
        for publisher in &self.publishers {
            self.fleet.publisher(*publisher).set_goal(goal);
        }
    }
}
