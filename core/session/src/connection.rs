//! One Network Connection of one Session: what is forgotten when it ends.

use std::collections::VecDeque;
use std::sync::Arc;

use martlet_access::Permit;
use martlet_packet::{PacketId, Version};
use martlet_record::{BatchNumber, Message, Time};

use crate::{
    Authentication, ConnectRequest, IncomingAliases, KeepAlive, Outgoing, OutgoingAliases, Rare, Retries,
    Standing, Terms, Vacant,
};

/// Names a Network Connection of a runner; never confused with a later one in the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    /// Its place in the runner's table.
    pub slot: u32,
    /// How many were in that place before it.
    pub generation: u32,
}

/// The protocol state of a Network Connection.
#[derive(Debug)]
pub struct Connection {
    /// Which Network Connection.
    pub id: ConnectionId,
    /// The version its CONNECT named.
    pub version: Version,
    /// CONNACK has left: until then it is sent nothing else [MQTT-3.2.0-1].
    pub open: bool,
    /// The terms of its listener.
    pub terms: Arc<Terms>,
    /// Keep Alive in force.
    pub keep_alive: KeepAlive,
    /// When it was last heard.
    pub heard: Time,
    /// The Client's Receive Maximum: how many QoS 1 and 2 Messages it takes at once [MQTT-3.3.4-9].
    pub receive_maximum: u16,
    /// The Client's Maximum Packet Size [MQTT-3.1.2-24].
    pub maximum_packet_size: u32,
    /// Reason Strings and User Properties may be sent on any packet [MQTT-3.1.2-29].
    pub wants_problem_information: bool,
    /// QoS 1 Messages from the Client whose PUBACK waits for a commit.
    pub unacknowledged: u16,
    /// An answer it must get is larger than it takes.
    pub cannot_answer: bool,
    /// The unreleased QoS 2 Message that was repeated last.
    pub repeated: Option<PacketId>,
    aliases_in: Option<Box<IncomingAliases>>,
    /// Topic Aliases towards the Client.
    pub aliases_out: Option<Box<OutgoingAliases>>,
    /// Boxed, for it is nearly always empty and there are many connections.
    #[expect(clippy::box_collection, reason = "8 bytes instead of 32 in each of a hundred thousand")]
    pending: Option<Box<VecDeque<PendingReply>>>,
    /// Retained messages with QoS 0 that wait until the socket took those before them.
    pub replaying: Rare<VecDeque<Replaying>>,
    standing: Option<Box<Standing>>,
}

/// A retained message that one Subscription brings.
#[derive(Debug, Clone)]
pub struct Replaying {
    /// The retained message.
    pub message: Arc<Message>,
    /// Subscription Identifier.
    pub subscription_id: Option<u32>,
}

impl Vacant for VecDeque<Replaying> {
    fn vacant() -> &'static Self {
        static VACANT: VecDeque<Replaying> = VecDeque::new();
        &VACANT
    }
}

/// Encoded packets that may leave once a batch is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingReply {
    /// The batch they wait for.
    pub after: BatchNumber,
    /// What they say.
    pub bytes: Vec<u8>,
    /// One of them is a PUBACK of the Client's.
    pub is_puback: bool,
}

impl Connection {
    /// The state a CONNECT asks for.
    pub fn new(id: ConnectionId, request: &ConnectRequest, keep_alive: u16, now: Time) -> Self {
        Self {
            id,
            version: request.version,
            open: false,
            terms: Arc::clone(&request.terms),
            keep_alive: KeepAlive(keep_alive),
            heard: now,
            receive_maximum: request.receive_maximum,
            maximum_packet_size: request.maximum_packet_size,
            wants_problem_information: request.wants_problem_information,
            unacknowledged: 0,
            cannot_answer: false,
            repeated: None,
            aliases_in: None,
            aliases_out: OutgoingAliases::new(request.topic_alias_maximum),
            pending: None,
            replaying: Rare::default(),
            standing: Standing::of(request),
        }
    }

    /// What its Client may do.
    pub fn permit(&self) -> &Permit {
        static EVERYTHING: Permit = Permit::everything();
        self.standing.as_deref().map_or(&EVERYTHING, |standing| &standing.permit)
    }

    /// From here its Client may do this.
    pub fn set_permit(&mut self, permit: Permit) {
        if self.standing.is_some() || !permit.is_everything() {
            self.standing.get_or_insert_default().permit = permit;
        }
    }

    /// The User Name of its Client.
    pub fn username(&self) -> Option<&str> {
        self.standing.as_deref()?.username.as_deref()
    }

    /// From here its Client gets again what it does not answer for so many seconds.
    pub fn retry_after(&mut self, seconds: u32) {
        self.standing.get_or_insert_default().retries = Some(Retries::after(seconds));
    }

    /// What its Client will get again, where it does.
    pub(crate) fn retries(&mut self) -> Option<&mut Retries> {
        self.standing.as_deref_mut()?.retries.as_mut()
    }

    /// When something happens on it without anybody's doing.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let retry = self.standing.as_deref().and_then(|standing| standing.retries.as_ref()?.deadline());
        [self.keep_alive.deadline(self.heard), retry].into_iter().flatten().min()
    }

    /// Does it say it is a bridge?
    pub fn is_bridge(&self) -> bool {
        self.standing.as_deref().is_some_and(|standing| standing.is_bridge)
    }

    /// What stands before every topic of its Client, who does not see it.
    pub fn mount_point(&self) -> Option<&str> {
        self.terms.mount_point.as_deref()
    }

    /// Its enhanced authentication, if CONNECT named a method.
    pub fn authentication(&mut self) -> Option<&mut Authentication> {
        self.standing.as_deref_mut()?.authentication.as_mut()
    }

    /// Topic Aliases of the Client.
    pub fn aliases_in(&mut self) -> &mut IncomingAliases {
        self.aliases_in.get_or_insert_default()
    }

    /// Do replies wait for a commit?
    pub fn has_pending(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| !pending.is_empty())
    }

    /// Sends a reply, behind those that still wait: replies leave in the order of what they answer.
    /// One that the Client's Maximum Packet Size does not hold is not sent [MQTT-3.1.2-24], and the Network Connection
    /// cannot go on.
    pub fn reply(
        &mut self,
        outgoing: &mut Outgoing,
        after: Option<BatchNumber>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) {
        let last = self.pending.as_ref().and_then(|pending| pending.back()).map(|reply| reply.after);
        let start = outgoing.buffer().len();
        let Some(after) = after.max(last) else {
            encode(outgoing.buffer());
            let fits = outgoing.buffer().len() - start <= self.maximum_packet_size as usize;
            if !fits {
                outgoing.buffer().truncate(start);
                self.cannot_answer = true;
            }
            return;
        };
        let mut bytes = Vec::new();
        encode(&mut bytes);
        if bytes.len() > self.maximum_packet_size as usize {
            self.cannot_answer = true;
            return;
        }
        let reply = PendingReply { after, bytes, is_puback: false };
        self.pending.get_or_insert_default().push_back(reply);
    }

    /// As [`Connection::reply`], for a PUBACK: while it waits it counts against our Receive Maximum.
    pub fn reply_puback(
        &mut self,
        outgoing: &mut Outgoing,
        after: Option<BatchNumber>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) {
        self.reply(outgoing, after, encode);
        if self.cannot_answer {
            return;
        }
        if let Some(waiting) = self.pending.as_mut().and_then(|pending| pending.back_mut()) {
            waiting.is_puback = true;
            self.unacknowledged += 1;
        }
    }

    /// Lets go of the replies that waited for batches up to `committed`.
    pub fn release(&mut self, outgoing: &mut Outgoing, committed: BatchNumber) {
        let Some(pending) = &mut self.pending else { return };
        while let Some(reply) = pending.pop_front_if(|reply| reply.after <= committed) {
            self.unacknowledged -= u16::from(reply.is_puback);
            outgoing.append(&reply.bytes);
        }
        if pending.is_empty() {
            self.pending = None;
        }
    }
}
