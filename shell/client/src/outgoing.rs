//! Our Messages of QoS 1 and 2 on their way to the Server: the in-flight store. It outlives Connections, keeps the
//! order of publication, and holds nothing that is done.

use std::collections::VecDeque;

use martlet_packet::{PacketId, QoS};

use crate::Message;

/// Messages that are not yet acknowledged to the end.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// In the order of publication, which is also that of sending again. [MQTT-4.6.0-1]
    publishes: VecDeque<Pending>,
    /// How many of them, from the front, were sent on this Connection.
    sent: usize,
    /// QoS 2: PUBREC came and PUBCOMP is awaited, in the order of the PUBRECs. [MQTT-4.6.0-4]
    released: VecDeque<PacketId>,
}

/// A Message that awaits PUBACK or PUBREC.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) packet_id: PacketId,
    pub(crate) message: Message,
    /// Whether the Session the Server kept may have seen it. [MQTT-3.3.1-1]
    pub(crate) dup: bool,
}

/// What a PUBREC without error found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// A Message whose PUBREL is due, now or once more.
    Released,
    /// Nothing of this identifier.
    Unknown,
}

impl Outgoing {
    pub(crate) fn len(&self) -> usize {
        self.publishes.len() + self.released.len()
    }

    pub(crate) fn push(&mut self, packet_id: PacketId, message: Message) {
        self.publishes.push_back(Pending { packet_id, message, dup: false });
    }

    /// The first Message not sent on this Connection.
    pub(crate) fn unsent(&self) -> Option<&Pending> {
        self.publishes.get(self.sent)
    }

    /// The first unsent one was sent.
    pub(crate) fn mark_sent(&mut self) {
        self.sent += 1;
        assert!(self.sent <= self.publishes.len(), "only what is there can be sent");
    }

    /// The first unsent one will not be sent.
    pub(crate) fn drop_unsent(&mut self) {
        self.publishes.remove(self.sent);
    }

    /// The Message of a PUBACK, or of a PUBREC that refuses it, is done.
    pub(crate) fn finish(&mut self, packet_id: PacketId, qos: QoS) -> bool {
        let Some(at) = self.find(packet_id, qos) else { return false };
        self.publishes.remove(at);
        self.sent -= 1;
        true
    }

    /// PUBREC came: the Message is the Server's now.
    pub(crate) fn record(&mut self, packet_id: PacketId) -> Recorded {
        if self.finish(packet_id, QoS::ExactlyOnce) {
            self.released.push_back(packet_id);
        } else if !self.released.contains(&packet_id) {
            return Recorded::Unknown;
        }
        Recorded::Released
    }

    /// PUBCOMP came.
    pub(crate) fn complete(&mut self, packet_id: PacketId) -> bool {
        let at = self.released.iter().position(|id| *id == packet_id);
        at.and_then(|at| self.released.remove(at)).is_some()
    }

    /// A new Connection finds its Session: all that was sent is due again, as DUP [MQTT-3.3.1-1]. Returns whose PUBREL
    /// is due first. [MQTT-4.4.0-1]
    pub(crate) fn resume(&mut self) -> Vec<PacketId> {
        let sent = std::mem::take(&mut self.sent);
        self.publishes.iter_mut().take(sent).for_each(|pending| pending.dup = true);
        self.released.iter().copied().collect()
    }

    /// A new Connection finds no Session [MQTT-3.2.2-5]: what the Server has not answered is published anew, at the
    /// risk that it comes twice; what it recorded was its own and is done. Returns the latter.
    pub(crate) fn restart(&mut self) -> Vec<PacketId> {
        self.sent = 0;
        self.publishes.iter_mut().for_each(|pending| pending.dup = false);
        self.released.drain(..).collect()
    }

    /// Acknowledgements mostly come in order, so the search mostly ends at the front.
    fn find(&self, packet_id: PacketId, qos: QoS) -> Option<usize> {
        let mut sent = self.publishes.iter().take(self.sent);
        sent.position(|pending| pending.packet_id == packet_id && pending.message.qos == qos)
    }
}
