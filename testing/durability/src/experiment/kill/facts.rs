//! What else was acknowledged before a kill: retained messages, Subscriptions made and taken back, Wills, delayed
//! messages.
//!
//! The rule: each round has its own facts; they are made before the kill and looked for after it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use martlet_witness::Client;
use martlet_witness::wire::{self, Connect, Outgoing, Packet, Version, Will, kind};

/// Topics of retained messages; one round in so many empties its topic.
const RETAINED: usize = 3;
const EMPTIED: usize = 4;
/// Clients whose Wills take turns.
const DOOMED: usize = 5;
/// The delay of a delayed message, in seconds, and how long it and a Will may take to come.
const DELAY: u32 = 1;
const PATIENCE: Duration = Duration::from_secs(20);

/// What has been acknowledged so far.
pub(super) struct Facts {
    address: SocketAddr,
    retained: BTreeMap<String, Vec<u8>>,
    /// A client that is connected when the broker is killed.
    doomed: Option<Client>,
    /// Wills and delayed messages that must come.
    due: BTreeSet<String>,
    got: HashSet<String>,
    /// QoS 2 messages whose PUBREL has not come.
    unreleased: HashSet<u16>,
    mood: usize,
    /// How many facts were found again.
    pub(super) confirmed: u64,
}

impl Facts {
    /// The reader of Wills and delayed messages subscribes.
    pub(super) fn begin(address: SocketAddr) -> Result<Self> {
        let mut reader = Client::connect(address, &Connect::persistent(Version::V311, READER))?;
        reader.subscribe("fact/will/#", 2)?;
        reader.subscribe("fact/delayed/#", 2)?;
        Ok(Self {
            address,
            retained: BTreeMap::new(),
            doomed: None,
            due: BTreeSet::new(),
            got: HashSet::new(),
            unreleased: HashSet::new(),
            mood: 0,
            confirmed: 0,
        })
    }

    /// Makes this round's facts; all are acknowledged when it returns.
    pub(super) fn make(&mut self, round: usize) -> Result<()> {
        let mut secretary = Client::connect(self.address, &Connect::new("fact-secretary"))?;
        let topic = format!("fact/retained/{}", round % RETAINED);
        let value = if round.is_multiple_of(EMPTIED) { Vec::new() } else { round.to_string().into_bytes() };
        publish(&mut secretary, &topic, &value, true)?;
        self.retained.insert(topic, value);

        publish(&mut secretary, &format!("$delayed/{DELAY}/fact/delayed/{round}"), b"delayed", false)?;
        self.due.insert(format!("fact/delayed/{round}"));

        let (name, topic) = (format!("fact-doomed-{}", round % DOOMED), format!("fact/will/{round}"));
        let will = Will { topic: &topic, payload: b"doomed", qos: 2, delay: None };
        let connect = Connect { will: Some(will), ..Connect::persistent(Version::V5, &name) };
        self.doomed = Some(Client::connect(self.address, &connect)?);
        self.due.insert(topic);
        self.change_mood(round % 2)
    }

    /// Looks for everything after a restart.
    pub(super) fn confirm(&mut self) -> Result<()> {
        self.doomed = None;
        self.confirm_retained()?;
        self.confirm_mood()?;
        self.await_due()
    }

    /// Subscribes to one of two topics and takes the Subscription to the other back.
    fn change_mood(&mut self, mood: usize) -> Result<()> {
        let mut moody = Client::connect(self.address, &Connect::persistent(Version::V311, MOODY))?;
        moody.subscribe(&mood_topic(mood), 1)?;
        let id = moody.next_id();
        moody.send(&unsubscribe(id, &mood_topic(1 - mood)))?;
        moody.wait_for(UNSUBACK)?;
        self.mood = mood;
        Ok(())
    }

    fn confirm_retained(&mut self) -> Result<()> {
        let mut reader = Client::connect(self.address, &Connect::new("fact-retained"))?;
        reader.subscribe("fact/retained/#", 0)?;
        reader.send(&wire::PINGREQ)?;
        let mut found = BTreeMap::new();
        while let Some(packet) =
            reader.receive(Instant::now() + PATIENCE)?.filter(|one| one.kind != kind::PINGRESP)
        {
            if let Some(publish) = packet.publish(Version::V311) {
                found.insert(String::from_utf8_lossy(publish.topic).into_owned(), publish.payload.to_vec());
            }
        }
        let wanted: BTreeMap<_, _> =
            self.retained.clone().into_iter().filter(|(_, value)| !value.is_empty()).collect();
        ensure!(found == wanted, "retained messages are {found:?}, not {wanted:?}");
        self.confirmed += self.retained.len() as u64;
        Ok(())
    }

    fn confirm_mood(&mut self) -> Result<()> {
        let mut moody = Client::connect(self.address, &Connect::persistent(Version::V311, MOODY))?;
        ensure!(moody.session_present(), "the Session with changing Subscriptions is gone");
        let mut secretary = Client::connect(self.address, &Connect::new("fact-secretary"))?;
        for mood in [0, 1] {
            publish(&mut secretary, &mood_topic(mood), b"mood", false)?;
        }
        let packet = moody.wait_for(kind::PUBLISH)?;
        let publish = packet.publish(Version::V311).context("a PUBLISH is cut short")?;
        let topic = String::from_utf8_lossy(publish.topic).into_owned();
        ensure!(topic == mood_topic(self.mood), "a message to {topic}, unsubscribed before the kill");
        moody.send(&wire::puback(publish.id.context("a message without QoS")?))?;
        moody.send(&wire::PINGREQ)?;
        let next = moody.receive(Instant::now() + PATIENCE)?.context("no PINGRESP")?;
        ensure!(next.kind == kind::PINGRESP, "a second message to a client with one Subscription");
        self.confirmed += 2;
        Ok(())
    }

    /// Reads until every Will and delayed message has come; none may come twice.
    fn await_due(&mut self) -> Result<()> {
        let mut reader = Client::connect(self.address, &Connect::persistent(Version::V311, READER))?;
        ensure!(reader.session_present(), "the Session of the reader of Wills is gone");
        let deadline = Instant::now() + PATIENCE;
        while !self.due.is_empty() || !self.unreleased.is_empty() {
            let packet = reader.receive(deadline)?;
            let packet = packet.with_context(|| format!("missing after {PATIENCE:?}: {:?}", self.due))?;
            if let Some(answer) = self.take(&packet)? {
                reader.send(&answer)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, packet: &Packet) -> Result<Option<[u8; 4]>> {
        let id = packet.id().unwrap_or_default();
        match packet.kind {
            kind::PUBLISH => {
                let publish = packet.publish(Version::V311).context("a PUBLISH is cut short")?;
                let id = publish.id.context("a message without QoS")?;
                // A delayed message was published with QoS 1 and may come again.
                let is_exact = publish.qos == 2;
                let topic = String::from_utf8_lossy(publish.topic).into_owned();
                if !is_exact || self.unreleased.insert(id) {
                    self.confirmed += u64::from(self.due.remove(&topic));
                    ensure!(self.got.insert(topic.clone()) || !is_exact, "{topic} came twice");
                }
                let answer = if is_exact { kind::PUBREC } else { kind::PUBACK };
                Ok(Some(wire::acknowledgement(answer, id)))
            }
            kind::PUBREL => {
                self.unreleased.remove(&id);
                Ok(Some(wire::acknowledgement(kind::PUBCOMP, id)))
            }
            _ => Ok(None),
        }
    }
}

const READER: &str = "fact-reader";
const MOODY: &str = "fact-moody";
const UNSUBACK: u8 = 11;

fn mood_topic(mood: usize) -> String {
    format!("fact/mood/{mood}")
}

fn publish(client: &mut Client, topic: &str, payload: &[u8], retain: bool) -> Result<()> {
    let mut bytes = Vec::new();
    Outgoing { topic, payload, qos: 1, retain, expiry: None }.write(
        Version::V311,
        client.next_id(),
        false,
        &mut bytes,
    );
    client.send(&bytes)?;
    client.wait_for(kind::PUBACK).map(drop)
}

fn unsubscribe(id: u16, filter: &str) -> Vec<u8> {
    let body = [&id.to_be_bytes()[..], &wire::text(filter.as_bytes())].concat();
    wire::packet(0xa2, &body)
}
