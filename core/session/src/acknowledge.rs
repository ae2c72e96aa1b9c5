//! PUBACK, PUBREC, PUBREL and PUBCOMP from the Client.

use martlet_packet::{Ack, PacketId, QoS};
use martlet_record::{Ordinal, Settled};

use crate::{CopyState, MessageCopy, Session};

/// A copy that an acknowledgement finished.
#[derive(Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Which copy.
    pub ordinal: Ordinal,
    /// How.
    pub how: Settled,
    /// The copy.
    pub copy: MessageCopy,
}

/// What a PUBREC means.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// The Client has the Message: PUBREL is next.
    Release(Ordinal),
    /// It was said before: PUBREL is sent again, or already waits for its commit.
    Again(CopyState),
    /// The Client does not want it: the identifier is free again [MQTT-4.3.3-4].
    Refused(Acknowledged),
    /// No such copy is in flight.
    Unknown,
}

impl Session {
    /// PUBACK finishes a QoS 1 copy [MQTT-4.3.2-3]; `None` when there is none in flight with this identifier.
    pub fn receive_puback(&mut self, ack: &Ack<'_>) -> Option<Acknowledged> {
        let (ordinal, copy) = self.outbound.find(ack.packet_id)?;
        if copy.qos != QoS::AtLeastOnce {
            return None;
        }
        self.finish(ordinal, how(ack))
    }

    /// PUBREC: from here the copy is never sent again [MQTT-4.3.3-7]. A persistent Session's PUBREL waits for the commit.
    pub fn receive_pubrec(&mut self, ack: &Ack<'_>) -> Received {
        let next = if self.is_persistent() { CopyState::Received } else { CopyState::Released };
        let Some((ordinal, copy)) = self.outbound.find(ack.packet_id) else { return Received::Unknown };
        if copy.qos != QoS::ExactlyOnce {
            return Received::Unknown;
        }
        match copy.state {
            CopyState::Received | CopyState::Released => Received::Again(copy.state),
            _ if ack.reason.is_error() => {
                self.finish(ordinal, Settled::Refused).map_or(Received::Unknown, Received::Refused)
            }
            _ => {
                self.outbound.received(ordinal, next);
                Received::Release(ordinal)
            }
        }
    }

    /// PUBCOMP finishes a QoS 2 copy; `None` when there is none released with this identifier.
    pub fn receive_pubcomp(&mut self, ack: &Ack<'_>) -> Option<Acknowledged> {
        let (ordinal, copy) = self.outbound.find(ack.packet_id)?;
        if copy.state != CopyState::Released {
            return None;
        }
        self.finish(ordinal, how(ack))
    }

    /// PUBREL clears the mark [MQTT-4.3.3-11]; false when there was none.
    pub fn receive_pubrel(&mut self, id: PacketId) -> bool {
        self.inbound.remove(id)
    }

    fn finish(&mut self, ordinal: Ordinal, how: Settled) -> Option<Acknowledged> {
        let copy = self.outbound.finish(ordinal)?;
        Some(Acknowledged { ordinal, how, copy })
    }
}

fn how(ack: &Ack<'_>) -> Settled {
    if ack.reason.is_error() { Settled::Refused } else { Settled::Delivered }
}
