//! The loop around the core: one thread, one turn after the other.
//!
//! The rule: it sleeps only when there is nothing it could do, and wakes for sockets, mail and deadlines alone.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use martlet_broker::{Chunk, Outbox, Shard};
use martlet_net::{Acceptor, Connections};
use martlet_record::{CheckpointNumber, Now, Room, Time};
use martlet_session::ConnectionId;
use mio::{Events, Poll, Token};

use crate::alarms::Alarms;
use crate::clock::Clock;
use crate::deadlines::Deadlines;
use crate::mailbox::{Mail, Mailbox};
use crate::news::News;
use crate::shards::Shards;
use crate::shared::Shared;
use crate::stop::Stopping;
use crate::sys::SysReport;
use crate::unfinished::Unfinished;

/// One connection gives so much a turn; more waits until the others had theirs.
const READ_BYTES: usize = 64 * 1024;
/// Events taken from the system at once.
const EVENTS: usize = 1024;
/// How long it takes until it is asked again whether there is room, or whether all runners have come to rest.
const ROOM_WAIT: Duration = Duration::from_millis(1);
/// How long it takes until it is asked again whether a full disk has space.
const DISK_WAIT: Duration = Duration::from_millis(100);
/// How long a connection that was given up may take to read what waits for it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may be silent before it is dropped, once it was told.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) const WAKE: Token = Token(usize::MAX);
pub(crate) const ACCEPT: Token = Token(usize::MAX - 1);

/// A thread that steps some of the shards and serves the connections whose Sessions live there.
#[derive(Debug)]
pub(crate) struct Runner {
    pub(crate) number: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) poll: Poll,
    pub(crate) events: Events,
    pub(crate) clock: Clock,
    pub(crate) now: Now,

    pub(crate) shards: Shards,
    pub(crate) out: Outbox,
    /// Messages for the shards of other runners, one chunk for each runner.
    pub(crate) posts: Box<[Chunk]>,

    pub(crate) connections: Connections,
    /// Connections to read: the system spoke of them, or did not give all at the last read.
    pub(crate) ready: Vec<u32>,
    /// Connections to write although nothing new was decided for them.
    pub(crate) unflushed: Vec<u32>,
    pub(crate) buffer: Box<[u8]>,
    pub(crate) unfinished: Unfinished,
    /// How many of `ready` wait because there is no room for what they publish.
    pub(crate) held_back: usize,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,

    /// Only the first runner accepts.
    pub(crate) acceptor: Option<Acceptor>,
    pub(crate) openings: Deadlines,
    pub(crate) closings: Deadlines,
    pub(crate) lingerings: Deadlines,

    /// The checkpoint its shards are not through with.
    pub(crate) checkpoint: Option<CheckpointNumber>,
    pub(crate) stopping: Stopping,
    pub(crate) sys: SysReport,
    pub(crate) alarms: Alarms,
    pub(crate) news: News,
}

impl Runner {
    pub(crate) fn new(
        number: usize,
        shared: Arc<Shared>,
        poll: Poll,
        acceptor: Option<Acceptor>,
        shards: Vec<Shard>,
    ) -> Self {
        let mut clock = Clock::new(shared.start);
        let now = clock.read();
        let mut out = Outbox::default();
        // What the fold of the log decided, Wills that were due for example, is yet to be submitted.
        shards.iter().for_each(|shard| out.journal(shard.id()));
        Self {
            number,
            poll,
            events: Events::with_capacity(EVENTS),
            clock,
            now,
            shards: Shards::new(shards),
            out,
            posts: shared.mailboxes.iter().map(|_| Chunk::default()).collect(),
            connections: Connections::default(),
            ready: Vec::new(),
            unflushed: Vec::new(),
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            unfinished: Unfinished::default(),
            held_back: 0,
            bytes_received: 0,
            bytes_sent: 0,
            acceptor,
            openings: Deadlines::after(shared.connect_timeout),
            closings: Deadlines::after(CLOSE_TIMEOUT),
            lingerings: Deadlines::after(LINGER_TIMEOUT),
            checkpoint: None,
            stopping: Stopping::No,
            sys: SysReport::new(number, &shared),
            alarms: Alarms::default(),
            news: News::default(),
            shared,
        }
    }

    /// Turns until the node ends.
    pub(crate) fn run(mut self) -> io::Result<()> {
        while !self.is_finished() {
            self.turn()?;
        }
        Ok(())
    }

    /// One turn: what came in is stepped through the shards, what they decided goes out.
    fn turn(&mut self) -> io::Result<()> {
        self.wait()?;
        self.now = self.clock.read();
        self.collect_commits();
        self.take_mail();
        self.read_ready();
        self.accept();
        self.give_up_the_late();
        self.shards.tick(self.now, &mut self.out);
        self.report_sys();
        self.write_down();
        self.stop_when_asked();
        self.hand_over();
        self.commit();
        self.flush();
        self.close_given_up();
        self.hand_over();
        self.pass_on_requests();
        self.tell_news();
        // Nobody was woken for what the end of the turn left.
        self.shared.journal.commit();
        Ok(())
    }

    /// Waits until a socket, mail or a deadline asks for a turn, and puts the sockets in `ready`.
    fn wait(&mut self) -> io::Result<()> {
        let timeout = self.timeout();
        let sleeps = timeout != Some(Duration::ZERO);
        let timeout = if sleeps && !self.mailbox().sleep() { Some(Duration::ZERO) } else { timeout };
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => result?,
        }
        if sleeps {
            self.mailbox().wake_up();
        }
        self.sort_events();
        Ok(())
    }

    fn sort_events(&mut self) {
        for event in &self.events {
            match event.token() {
                WAKE => {}
                ACCEPT => self.acceptor.iter_mut().for_each(Acceptor::wake),
                Token(slot) => {
                    // A slot was a u32 when it became a token.
                    let slot = u32::try_from(slot).unwrap_or(u32::MAX);
                    let Some((_, connection)) = self.connections.at(slot) else { continue };
                    if event.is_writable() && connection.is_blocked() {
                        connection.unblock();
                        self.unflushed.push(slot);
                    }
                    if event.is_readable() || event.is_read_closed() || event.is_error() {
                        connection.is_half_closed |= event.is_read_closed();
                        if !connection.is_queued {
                            connection.is_queued = true;
                            self.ready.push(slot);
                        }
                    }
                }
            }
        }
    }

    /// How long nothing needs to be done; `None`: until a socket or mail says otherwise.
    fn timeout(&mut self) -> Option<Duration> {
        let must_turn = self.shared.journal.must_be_asked()
            || (self.checkpoint.is_some() && !self.shared.journal.is_pressed())
            || !self.unflushed.is_empty()
            || self.ready.len() > self.held_back
            || (self.acceptor.as_ref().is_some_and(Acceptor::is_ready) && !self.shared.is_changing());
        if must_turn {
            return Some(Duration::ZERO);
        }
        let deadlines = [
            self.shards.next_deadline(),
            self.openings.next(),
            self.closings.next(),
            self.lingerings.next(),
            self.acceptor.as_ref().and_then(Acceptor::paused_until),
            self.sys.next(),
            self.stopping.deadline(),
        ];
        let next: Option<Time> = deadlines.into_iter().flatten().min();
        let until = next.map(|at| at.since(self.now.time));
        let asks_again = self.held_back > 0
            || self.is_settling()
            || self.checkpoint.is_some()
            || self.shared.is_changing();
        if !asks_again {
            return until;
        }
        let is_full = self.shared.journal.room() >= Room::DrainOnly;
        let wait = if is_full && !self.is_settling() { DISK_WAIT } else { ROOM_WAIT };
        Some(until.map_or(wait, |until| until.min(wait)))
    }

    /// Deals with what other runners sent.
    pub(crate) fn take_mail(&mut self) {
        for mail in self.mailbox().take() {
            let bytes = mail.bytes();
            match mail {
                Mail::Adopt(adoption) if self.is_stopping() => self.shared.leave(adoption.opening.listener),
                Mail::Adopt(adoption) => self.adopt(*adoption),
                Mail::Judged(_) if self.is_stopping() => {}
                Mail::Judged(judged) => self.judged(*judged),
                Mail::Messages(chunk) => self.deliver_here(&chunk),
                Mail::Completed(all) => {
                    all.completions.iter().for_each(|completion| self.complete(completion))
                }
                Mail::ReadBack(read) => self.read_back(*read),
                Mail::WriteDown(checkpoint) => self.begin_checkpoint(checkpoint),
                Mail::StoreChanged => self.look_at_store(),
                Mail::LookAgain(change) => self.look_again(&change),
                Mail::Answer { client_id, topic, payload } => self.answer(&client_id, topic, &payload),
                Mail::ListSubscriptions => self.list_subscriptions(),
                Mail::LogLine(topic, line) => self.publish_log(&topic, &line),
                Mail::Count => {
                    let counted = Box::new(self.count());
                    self.shared.mailboxes[0].post(Mail::Counted(counted));
                }
                Mail::Counted(counted) => self.counted(*counted),
                Mail::Stop if self.is_stopping() => {}
                Mail::Stop => self.stopping = Stopping::Asked,
            }
            self.shared.mailboxes[self.number].done(bytes);
        }
    }

    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.shared.mailboxes[self.number]
    }

    /// Has the connection read in this turn or the next.
    pub(crate) fn queue(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get(id)
            && !connection.is_queued
        {
            connection.is_queued = true;
            self.ready.push(id.slot);
        }
    }

    /// The token under which the system speaks of a connection.
    pub(crate) fn token(id: ConnectionId) -> Token {
        Token(id.slot as usize)
    }
}
