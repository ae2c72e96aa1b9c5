//! PUBACK, PUBREC, PUBREL and PUBCOMP from the Client.

use martlet_packet::{Ack, PacketId, QoS};
use martlet_record::{Ordinal, Settled};

use crate::{CopyState, MessageCopy, Session, Violation};

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
    /// The Client does not want it: the identifier is free again [MQTT-4.4.0-2].
    Refused(Acknowledged),
    /// No such copy is in flight.
    Unknown,
}

impl Session {
    /// PUBACK finishes a QoS 1 copy [MQTT-4.3.2-3]; `None` when none is in flight with this identifier.
    pub fn receive_puback(&mut self, ack: &Ack<'_>) -> Result<Option<Acknowledged>, Violation> {
        let Some((ordinal, copy)) = self.outbound.find(ack.packet_id) else { return Ok(None) };
        if copy.qos != QoS::AtLeastOnce {
            return Err(out_of_step("PUBACK", "a QoS 2 PUBLISH"));
        }
        Ok(self.finish(ordinal, how(ack)))
    }

    /// PUBREC: from here the copy is never sent again [MQTT-4.3.3-6]. A persistent Session's PUBREL waits for the commit.
    pub fn receive_pubrec(&mut self, ack: &Ack<'_>) -> Result<Received, Violation> {
        let next = if self.is_persistent() { CopyState::Received } else { CopyState::Released };
        let Some((ordinal, copy)) = self.outbound.find(ack.packet_id) else { return Ok(Received::Unknown) };
        if copy.qos != QoS::ExactlyOnce {
            return Err(out_of_step("PUBREC", "a QoS 1 PUBLISH"));
        }
        Ok(match copy.state {
            CopyState::Received | CopyState::Released => Received::Again(copy.state),
            _ if ack.reason.is_error() => {
                self.finish(ordinal, Settled::Refused).map_or(Received::Unknown, Received::Refused)
            }
            _ => {
                self.outbound.received(ordinal, next);
                Received::Release(ordinal)
            }
        })
    }

    /// PUBCOMP finishes a QoS 2 copy; `None` when none is in flight with this identifier.
    pub fn receive_pubcomp(&mut self, ack: &Ack<'_>) -> Result<Option<Acknowledged>, Violation> {
        let Some((ordinal, copy)) = self.outbound.find(ack.packet_id) else { return Ok(None) };
        if copy.state != CopyState::Released {
            return Err(out_of_step("PUBCOMP", "a PUBLISH"));
        }
        Ok(self.finish(ordinal, how(ack)))
    }

    /// PUBREL clears the mark [MQTT-4.3.3-12]; false when there was none.
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

/// An acknowledgement that does not belong to this step of the flow of its identifier (§4.3).
fn out_of_step(answer: &str, answered: &str) -> Violation {
    Violation::protocol(format!("{answer} is no answer to {answered}"))
}
