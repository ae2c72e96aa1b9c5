//! `kill -9` at random moments under load, round after round on one store.
//!
//! The rule: every round ends with everybody served again, and every few rounds with books that agree.

mod facts;

use std::fs;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use martlet_witness::report::Report;
use martlet_witness::wire::Version;
use martlet_witness::{Broker, Random, percentile};

use crate::Setup;
use crate::load::{Counts, Faults, Fleet, Publisher, Subscriber, Terms};
use crate::progress::Progress;
use crate::store::{START_MAX, Settings, Store};
use crate::table::Table;
use facts::Facts;

/// kill -9 at random moments under QoS 1 and 2 load: nothing acknowledged is lost, no QoS 2 message comes twice.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Times the broker is killed.
    #[arg(long, default_value_t = 200)]
    rounds: usize,
    /// Publishers of each QoS.
    #[arg(long, default_value_t = 4)]
    publishers: u32,
    /// Messages of a publisher on their way at once.
    #[arg(long, default_value_t = 20)]
    window: usize,
    /// Bytes of a payload.
    #[arg(long, default_value_t = 128)]
    size: usize,
    /// Rounds between two comparisons of all books.
    #[arg(long, default_value_t = 10)]
    settle: usize,
    /// The longest time under load before a kill, in milliseconds.
    #[arg(long, default_value_t = 500)]
    load_ms: usize,
    /// Seconds between two checkpoints.
    #[arg(long, default_value_t = 1)]
    checkpoint_seconds: u32,
    /// Bytes of a segment of the log: small, so that segments are left and come back under the kills.
    #[arg(long, default_value_t = 4 << 20)]
    segment_size: u64,
    /// Seconds a round may take from the kill until everybody is served again.
    #[arg(long, default_value_t = 20)]
    deadline_seconds: u64,
    /// Leave out what Mosquitto has no word for: delayed messages, and Wills of Sessions that outlive a kill.
    #[arg(long)]
    queues_only: bool,
}

/// One in so many brokers is killed again while it starts.
const KILLED_AT_START: usize = 4;
const START_BEFORE_KILL_MAX_MS: usize = 60;
/// How long the last messages may take when nobody publishes any more.
const SETTLE_MAX: Duration = Duration::from_secs(60);

/// The members of the fleet and the broker they are fond of.
struct Ordeal<'a> {
    arguments: &'a Arguments,
    store: Store<'a>,
    broker: Option<Broker>,
    fleet: Fleet,
    publishers: Vec<usize>,
    /// Online whenever the broker is.
    faithful: Vec<usize>,
    /// Online now and then.
    fickle: Vec<usize>,
    facts: Option<Facts>,
    random: Random,
    restarts: Vec<Duration>,
    rounds: Vec<Duration>,
}

pub(crate) fn run(arguments: &Arguments, setup: &Setup, report: &mut Report) -> Result<()> {
    let folder = setup.new_folder()?;
    let data = folder.path().join("data");
    fs::create_dir(&data)?;
    let settings = Settings {
        checkpoint_seconds: Some(arguments.checkpoint_seconds),
        segment_size: Some(arguments.segment_size),
        in_flight_max: Some(100),
        ..setup.settings()
    };
    let store = Store::new(&setup.program, settings, &data)?;
    let mut ordeal = Ordeal::begin(arguments, store, Random::new(setup.seed, 0))?;
    let mut progress = Progress::new();
    let outcome = (1..=arguments.rounds).try_for_each(|round| {
        progress.say(|| format!("round {round} of {}, {:?}", arguments.rounds, ordeal.fleet.counts()));
        ordeal.round(round).with_context(|| format!("round {round}"))?;
        if round % arguments.settle == 0 || round == arguments.rounds {
            ordeal.settle().with_context(|| format!("settling after round {round}"))?;
        }
        Ok(())
    });
    drop(progress);
    ordeal.report(report)?;
    outcome
}

impl<'a> Ordeal<'a> {
    /// Starts the broker, connects everybody and waits for all Subscriptions.
    fn begin(arguments: &'a Arguments, store: Store<'a>, random: Random) -> Result<Self> {
        let broker = Some(store.start()?);
        let mut fleet = Fleet::new(store.address())?;
        let mut publishers = Vec::new();
        for number in 0..2 * arguments.publishers {
            let (topics, qos) = (Arc::from([format!("kill/{number}")]), if number % 2 == 0 { 1 } else { 2 });
            let version = if number % 4 < 2 { Version::V311 } else { Version::V5 };
            let (window, size, first_stream) = (arguments.window, arguments.size, number);
            let terms = Terms { version, qos, window, size, topics, first_stream, persistent: true };
            publishers.push(fleet.add_publisher(Publisher::new(format!("kill-publisher-{number}"), terms)));
        }
        let mut subscribers = |kind: &str| -> Vec<usize> {
            let terms = [(Version::V311, 1), (Version::V311, 2), (Version::V5, 1), (Version::V5, 2)];
            terms
                .iter()
                .enumerate()
                .map(|(number, (version, qos))| {
                    let client_id = format!("kill-{kind}-{number}");
                    fleet.add_subscriber(Subscriber::new(*version, client_id, "kill/#", *qos))
                })
                .collect()
        };
        let (faithful, fickle) = (subscribers("faithful"), subscribers("fickle"));
        fleet.all_online();
        let is_subscribed = fleet.run_until(Instant::now() + START_MAX, |fleet| {
            fleet.subscribers().all(Subscriber::is_subscribed)
        })?;
        ensure!(is_subscribed, "not everybody could subscribe");
        let facts = if arguments.queues_only { None } else { Some(Facts::begin(store.address())?) };
        let (restarts, rounds) = (Vec::new(), Vec::new());
        Ok(Self {
            arguments,
            store,
            broker,
            fleet,
            publishers,
            faithful,
            fickle,
            facts,
            random,
            restarts,
            rounds,
        })
    }

    /// Load, kill, start, and everybody served again.
    fn round(&mut self, round: usize) -> Result<()> {
        for member in self.publishers.clone() {
            self.fleet.publisher(member).set_goal(u64::MAX);
        }
        for member in self.fickle.clone() {
            if self.random.below(2) == 0 {
                self.fleet.go_online(member)
            } else {
                self.fleet.go_offline(member)
            }
        }
        if let Some(facts) = &mut self.facts {
            facts.make(round)?;
        }
        let load = self.milliseconds(self.arguments.load_ms);
        self.fleet.run_for(load)?;
        let killed = Instant::now();
        self.kill()?;
        if self.random.below(KILLED_AT_START) == 0 {
            self.broker = Some(self.store.spawn()?);
            let start = self.milliseconds(START_BEFORE_KILL_MAX_MS);
            self.fleet.run_for(start)?;
            self.kill()?;
        }
        let started = Instant::now();
        self.broker = Some(self.store.start()?);
        self.restarts.push(started.elapsed());
        self.await_service(killed)?;
        self.rounds.push(killed.elapsed());
        if let Some(facts) = &mut self.facts {
            facts.confirm()?;
        }
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        let mut broker = self.broker.take().context("there is no broker to kill")?;
        ensure!(!broker.has_ended()?, "the broker ended by itself: {}", broker.last_words());
        broker.kill();
        Ok(())
    }

    /// Waits until every publisher has one more acknowledgement and everybody who wants to be is online.
    fn await_service(&mut self, killed: Instant) -> Result<()> {
        let before: Vec<u64> =
            self.fleet.publishers().map(|publisher| publisher.acknowledged().count()).collect();
        let deadline = killed + Duration::from_secs(self.arguments.deadline_seconds);
        let faithful = self.faithful.clone();
        let served = self.fleet.run_until(deadline, |fleet| {
            faithful.iter().all(|member| fleet.is_online(*member))
                && fleet
                    .publishers()
                    .zip(&before)
                    .all(|(publisher, before)| publisher.acknowledged().count() > *before)
        })?;
        let refusal = self.fleet.publishers().find_map(Publisher::refusal);
        ensure!(
            served,
            "not everybody was served again within {} s; refusals: {refusal:02x?}",
            self.arguments.deadline_seconds
        );
        Ok(())
    }

    /// Publishing ends, everybody reads, and the books must agree.
    fn settle(&mut self) -> Result<()> {
        for member in self.publishers.clone() {
            self.fleet.publisher(member).stop();
        }
        self.fleet.all_online();
        let deadline = Instant::now() + SETTLE_MAX;
        let done = self.fleet.run_until(deadline, |fleet| fleet.publishers().all(Publisher::is_done))?;
        ensure!(done, "not everything published was acknowledged within {SETTLE_MAX:?}");
        let promised: u64 = self.fleet.publishers().map(|publisher| publisher.acknowledged().count()).sum();
        let complete = self.fleet.run_until(deadline, |fleet| {
            fleet.subscribers().all(|subscriber| subscriber.delivered() >= promised)
        })?;
        ensure!(complete, "{}", self.describe_missing());
        Ok(())
    }

    fn describe_missing(&self) -> String {
        let mut words = format!("messages lost {SETTLE_MAX:?} after the last was published:");
        for (number, subscriber) in self.fleet.subscribers().enumerate() {
            let missing: u64 = self.fleet.publishers().map(|publisher| subscriber.missing(publisher)).sum();
            if missing > 0 {
                words += &format!(" {missing} for subscriber {number} (QoS {})", subscriber.qos());
            }
        }
        words
    }

    fn milliseconds(&mut self, below: usize) -> Duration {
        Duration::from_millis(self.random.below(below.max(1)) as u64)
    }

    fn report(&mut self, report: &mut Report) -> Result<()> {
        let Counts { acknowledged, delivered, repeated, refused, .. } = self.fleet.counts();
        let mut faults = Faults::default();
        let mut lost = 0;
        for subscriber in self.fleet.subscribers() {
            faults.add(subscriber.faults());
            lost += self.fleet.publishers().map(|publisher| subscriber.missing(publisher)).sum::<u64>();
        }
        faults.sessions_lost += self.fleet.publishers().map(Publisher::sessions_lost).sum::<u64>();
        let exact: u64 =
            self.fleet.publishers().filter(|one| one.qos() == 2).map(|one| one.acknowledged().count()).sum();
        let mut table = Table::new(&["", "count"]);
        for (name, count) in [
            ("kills survived", self.rounds.len() as u64),
            ("messages acknowledged", acknowledged),
            ("  of them QoS 2", exact),
            ("copies delivered", delivered),
            ("copies delivered again (QoS 1, or before PUBREL)", repeated),
            ("copies lost", lost),
            ("QoS 2 copies delivered twice", faults.repeated),
            ("copies out of order", faults.disordered),
            ("payloads damaged", faults.damaged),
            ("identifiers used for two messages at once", faults.identifiers_reused),
            ("Sessions lost", faults.sessions_lost),
            ("messages refused", refused),
            ("other facts found again", self.facts.as_ref().map_or(0, |facts| facts.confirmed)),
        ] {
            table.row([name.to_owned(), count.to_string()]);
        }
        write!(io::stdout(), "{table}")?;
        report.count("kills", self.rounds.len());
        report.duration("start p50", percentile(&mut self.restarts, 50));
        report.duration("start at most", percentile(&mut self.restarts, 100));
        report.duration("kill to service p50", percentile(&mut self.rounds, 50));
        report.duration("at most", percentile(&mut self.rounds, 100));
        report.require(lost == 0, || format!("{lost} copies of acknowledged messages lost"));
        report.require(faults == Faults::default(), || format!("{faults:?}"));
        report.require(refused == 0, || format!("{refused} messages refused"));
        Ok(())
    }
}
