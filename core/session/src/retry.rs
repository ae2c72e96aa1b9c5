//! What MQTT 3 Clients get again although their Network Connection never ended, as brokers did before 3.1.1 was read
//! strictly: what is not answered for so many seconds.
//!
//! The rule: only where the operator asks for it, and never towards MQTT 5 [MQTT-4.4.0-1].

use std::collections::VecDeque;

use martlet_record::{Ordinal, Time};

use crate::outbound::packet_id;
use crate::send::{send_pubrel, send_with_id};
use crate::{CopyState, Outgoing, Session, Traffic};

/// The copies that will be sent again, in the order of when they were sent.
#[derive(Debug)]
pub struct Retries {
    seconds: u32,
    sent: VecDeque<(Time, Ordinal)>,
}

impl Retries {
    /// None yet; unanswered ones after so many seconds.
    pub fn after(seconds: u32) -> Self {
        Self { seconds, sent: VecDeque::new() }
    }

    pub(crate) fn note(&mut self, ordinal: Ordinal, now: Time) {
        self.sent.push_back((now, ordinal));
    }

    /// When the first of them is due.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.sent.front().map(|(sent, _)| sent.after_seconds(u64::from(self.seconds)))
    }

    fn pop_due(&mut self, now: Time) -> Option<Ordinal> {
        let is_due = self.deadline().is_some_and(|at| at <= now);
        if is_due { self.sent.pop_front().map(|(_, ordinal)| ordinal) } else { None }
    }
}

impl Session {
    /// Sends again what waited too long for its answer.
    pub fn send_again(&mut self, outgoing: &mut Outgoing, now: Time) -> Traffic {
        let mut traffic = Traffic::default();
        let Some(connection) = self.connection.as_deref_mut().filter(|connection| connection.open) else {
            return traffic;
        };
        while let Some(ordinal) = connection.retries().and_then(|retries| retries.pop_due(now)) {
            let Some(copy) = self.outbound.find_ordinal(ordinal) else { continue };
            match copy.state {
                CopyState::Sent => {
                    let bytes = copy.payload_len();
                    send_with_id(connection, copy, packet_id(ordinal), true, outgoing, now);
                    traffic.count(bytes);
                }
                CopyState::Released => {
                    send_pubrel(connection.version, packet_id(ordinal), outgoing);
                    traffic.pubrels += 1;
                }
                CopyState::Received => {}
                CopyState::Queued | CopyState::Finished => continue,
            }
            if let Some(retries) = connection.retries() {
                retries.note(ordinal, now);
            }
        }
        traffic
    }
}
