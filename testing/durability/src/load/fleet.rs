//! All clients of an experiment, driven by one thread over one poll.
//!
//! The rule: a member that wants to be online tries until it is; only the experiment says who wants to be.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use martlet_witness::crowd::{Crowd, Event};
use martlet_witness::wire::{Packet, kind};

use super::{Counts, Publisher, Subscriber};

/// Between two attempts to connect.
const RETRY: Duration = Duration::from_millis(20);

/// The clients of one broker.
pub(crate) struct Fleet {
    crowd: Crowd,
    members: Vec<Member>,
    /// The member of each connection, by the crowd's numbers.
    member_of: Vec<Option<usize>>,
    /// Members that want to be online and are not.
    waiting: Vec<usize>,
    /// Members that something happened to in this turn.
    touched: Vec<usize>,
    counts: Counts,
}

/// A client and its connection.
pub(crate) struct Member {
    client: Client,
    link: Link,
    is_wanted: bool,
    is_touched: bool,
    out: Vec<u8>,
}

enum Client {
    Publisher(Box<Publisher>),
    Subscriber(Box<Subscriber>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    Down { retry_at: Instant },
    Opening(usize),
    Open(usize),
}

impl Fleet {
    /// A fleet before the broker at `address`.
    pub(crate) fn new(address: SocketAddr) -> Result<Self> {
        Ok(Self {
            crowd: Crowd::new(address)?,
            members: Vec::new(),
            member_of: Vec::new(),
            waiting: Vec::new(),
            touched: Vec::new(),
            counts: Counts::default(),
        })
    }

    /// Adds a publisher that is offline.
    pub(crate) fn add_publisher(&mut self, publisher: Publisher) -> usize {
        self.add(Client::Publisher(Box::new(publisher)))
    }

    /// Adds a subscriber that is offline.
    pub(crate) fn add_subscriber(&mut self, subscriber: Subscriber) -> usize {
        self.add(Client::Subscriber(Box::new(subscriber)))
    }

    /// From now on this member connects, and connects again.
    pub(crate) fn go_online(&mut self, member: usize) {
        if !std::mem::replace(&mut self.members[member].is_wanted, true) {
            self.waiting.push(member);
        }
    }

    /// Everybody goes online.
    pub(crate) fn all_online(&mut self) {
        (0..self.members.len()).for_each(|member| self.go_online(member));
    }

    /// Closes a member's connection without a DISCONNECT.
    pub(crate) fn go_offline(&mut self, member: usize) {
        self.members[member].is_wanted = false;
        self.waiting.retain(|other| *other != member);
        if let Link::Opening(number) | Link::Open(number) = self.members[member].link {
            self.crowd.close(number);
            self.put_down(member, number);
        }
    }

    /// Whether this member's CONNACK has come.
    pub(crate) fn is_online(&self, member: usize) -> bool {
        matches!(self.members[member].link, Link::Open(_))
    }

    /// What was seen so far.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// All members, by the numbers they were added under.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// A publisher; the member is one.
    pub(crate) fn publisher(&mut self, member: usize) -> &mut Publisher {
        self.touch(member);
        match &mut self.members[member].client {
            Client::Publisher(publisher) => publisher,
            Client::Subscriber(_) => panic!("member {member} subscribes"),
        }
    }

    /// A subscriber; the member is one.
    pub(crate) fn subscriber(&mut self, member: usize) -> &mut Subscriber {
        match &mut self.members[member].client {
            Client::Subscriber(subscriber) => subscriber,
            Client::Publisher(_) => panic!("member {member} publishes"),
        }
    }

    /// The publishers.
    pub(crate) fn publishers(&self) -> impl Iterator<Item = &Publisher> {
        self.members.iter().filter_map(Member::as_publisher)
    }

    /// The subscribers.
    pub(crate) fn subscribers(&self) -> impl Iterator<Item = &Subscriber> {
        self.members.iter().filter_map(Member::as_subscriber)
    }

    /// Runs until `is_enough` or `deadline`; says which.
    pub(crate) fn run_until(
        &mut self,
        deadline: Instant,
        mut is_enough: impl FnMut(&mut Self) -> bool,
    ) -> Result<bool> {
        loop {
            if is_enough(self) {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            // It may ask for more than packets: the time, the broker's memory.
            self.turn(deadline.min(Instant::now() + RETRY))?;
        }
    }

    /// Runs for so long.
    pub(crate) fn run_for(&mut self, time: Duration) -> Result<()> {
        self.run_until(Instant::now() + time, |_| false).map(drop)
    }

    /// Handles what has happened, waiting for it until `deadline` at most.
    pub(crate) fn turn(&mut self, deadline: Instant) -> Result<()> {
        self.open_waiting()?;
        self.flush();
        let deadline = if self.waiting.is_empty() { deadline } else { deadline.min(Instant::now() + RETRY) };
        for (number, event) in self.crowd.turn(deadline)? {
            // A member that went offline has no interest in what its connection still had to say.
            let Some(member) = self.member_of[number] else { continue };
            match event {
                Event::Opened => {}
                Event::Packet(packet) => self.receive(member, number, &packet),
                Event::Closed(_) => {
                    self.counts.broken += 1;
                    self.put_down(member, number);
                    self.waiting.push(member);
                }
            }
        }
        self.flush();
        Ok(())
    }

    fn add(&mut self, client: Client) -> usize {
        let link = Link::Down { retry_at: Instant::now() };
        let (is_wanted, is_touched) = (false, false);
        self.members.push(Member { client, link, is_wanted, is_touched, out: Vec::new() });
        self.members.len() - 1
    }

    fn open_waiting(&mut self) -> Result<()> {
        let now = Instant::now();
        for member in std::mem::take(&mut self.waiting) {
            let Link::Down { retry_at } = self.members[member].link else { continue };
            if retry_at > now {
                self.waiting.push(member);
                continue;
            }
            let number = self.crowd.open()?;
            self.member_of.resize(number + 1, None);
            self.member_of[number] = Some(member);
            self.members[member].link = Link::Opening(number);
            let connect = self.members[member].connect();
            self.crowd.send(number, &connect);
        }
        Ok(())
    }

    fn put_down(&mut self, member: usize, number: usize) {
        self.member_of[number] = None;
        self.members[member].out.clear();
        self.members[member].link = Link::Down { retry_at: Instant::now() + RETRY };
    }

    fn receive(&mut self, member: usize, number: usize, packet: &Packet) {
        self.touch(member);
        let Member { client, link, out, .. } = &mut self.members[member];
        if packet.kind == kind::CONNACK {
            if packet.is_welcome() {
                *link = Link::Open(number);
                self.counts.welcomed += 1;
                match client {
                    Client::Publisher(publisher) => publisher.welcomed(packet.session_present(), out),
                    Client::Subscriber(subscriber) => subscriber.welcomed(packet.session_present(), out),
                }
            }
            return;
        }
        match client {
            Client::Publisher(publisher) => publisher.receive(packet, &mut self.counts, out),
            Client::Subscriber(subscriber) => subscriber.receive(packet, &mut self.counts, out),
        }
    }

    /// Sends what the members of this turn have to say: one write for each, however many packets it answers.
    fn flush(&mut self) {
        let mut touched = std::mem::take(&mut self.touched);
        for index in touched.drain(..) {
            let Member { client, link, is_touched, out, .. } = &mut self.members[index];
            *is_touched = false;
            let Link::Open(number) = *link else { continue };
            if let Client::Publisher(publisher) = client {
                publisher.pump(out);
            }
            if !out.is_empty() {
                self.crowd.send(number, out);
                out.clear();
            }
        }
        self.touched = touched;
    }

    fn touch(&mut self, member: usize) {
        if !std::mem::replace(&mut self.members[member].is_touched, true) {
            self.touched.push(member);
        }
    }
}

impl Member {
    /// The publisher it is, if it is one.
    pub(crate) fn as_publisher(&self) -> Option<&Publisher> {
        match &self.client {
            Client::Publisher(publisher) => Some(publisher),
            Client::Subscriber(_) => None,
        }
    }

    /// The subscriber it is, if it is one.
    pub(crate) fn as_subscriber(&self) -> Option<&Subscriber> {
        match &self.client {
            Client::Subscriber(subscriber) => Some(subscriber),
            Client::Publisher(_) => None,
        }
    }

    fn connect(&self) -> Vec<u8> {
        match &self.client {
            Client::Publisher(publisher) => publisher.connect(),
            Client::Subscriber(subscriber) => subscriber.connect(),
        }
    }
}
