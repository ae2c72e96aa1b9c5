//! Keep Alive: sends PINGREQ in time, and takes a Server for dead that answers none.

use std::time::{Duration, Instant};

/// The Keep Alive of one Connection.
#[derive(Debug)]
pub(crate) struct KeepAlive {
    interval: Duration,
    /// Since when the Server owes a PINGRESP.
    awaiting: Option<Instant>,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Ping,
    /// Silence, for as long as is told.
    Dead(Duration),
}

impl KeepAlive {
    /// None when the Keep Alive is turned off.
    pub(crate) fn new(seconds: u16) -> Option<Self> {
        (seconds > 0).then(|| Self { interval: Duration::from_secs(seconds.into()), awaiting: None })
    }

    /// When [`check`](Self::check) is to be called next.
    pub(crate) fn deadline(&self, last_sent: Instant) -> Instant {
        match self.awaiting {
            Some(since) => since + self.interval,
            // A quarter before its time, so that it arrives in time. [MQTT-3.1.2-20]
            None => last_sent + self.interval * 3 / 4,
        }
    }

    /// What is due now.
    pub(crate) fn check(&mut self, last_sent: Instant, now: Instant) -> Due {
        if now < self.deadline(last_sent) {
            return Due::Nothing;
        }
        if self.awaiting.is_some() {
            return Due::Dead(self.interval);
        }
        self.awaiting = Some(now);
        Due::Ping
    }

    /// Bytes came: a PINGRESP may stand behind a long packet, so the wait begins anew.
    pub(crate) fn heard(&mut self, now: Instant) {
        if let Some(since) = &mut self.awaiting {
            *since = now;
        }
    }

    /// PINGRESP came.
    pub(crate) fn answered(&mut self) {
        self.awaiting = None;
    }
}
