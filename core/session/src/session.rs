//! What survives a Network Connection.

use martlet_record::{SessionNumber, Time};

use crate::{Connection, InboundIds, Outbound, Rare, Subscriptions, Will};

/// One Session: its parts are public to its shard, its rules are methods in the module named after the packet.
#[derive(Debug)]
pub struct Session {
    /// Its number, never used again.
    pub number: SessionNumber,
    /// Its Client.
    pub client_id: Box<str>,
    /// Its Network Connection, while there is one.
    pub connection: Option<Box<Connection>>,
    /// Messages on their way to the Client.
    pub outbound: Rare<Outbound>,
    /// QoS 2 Messages from the Client, received and not released.
    pub inbound: InboundIds,
    /// What it wants.
    pub subscriptions: Subscriptions,
    /// What it leaves behind.
    pub will: Option<Box<Will>>,
    /// Session Expiry Interval in seconds; `u32::MAX` is for ever. Zero: it ends with its Network Connection.
    pub expiry: u32,
    /// It is over but for its Will, whose delay outlasts it.
    pub is_husk: bool,
    /// The journal knows it, or will with its first record.
    pub recorded: bool,
    /// When its Network Connection ended; its expiry and the delay of its Will count from here.
    pub disconnected: Option<Time>,
}

impl Session {
    /// An empty Session.
    pub fn new(number: SessionNumber, client_id: Box<str>, expiry: u32) -> Self {
        Self {
            number,
            client_id,
            connection: None,
            outbound: Rare::default(),
            inbound: InboundIds::default(),
            subscriptions: Subscriptions::default(),
            will: None,
            expiry,
            is_husk: false,
            recorded: expiry > 0,
            disconnected: None,
        }
    }

    /// Does what it was promised go through the journal? Once it did, it does until the Session ends, even if its
    /// Client comes back with an expiry of zero: what is under way must not be overtaken.
    pub fn is_persistent(&self) -> bool {
        self.recorded
    }

    /// Its Network Connection, once CONNACK has left.
    pub fn open_connection(&mut self) -> Option<&mut Connection> {
        self.connection.as_deref_mut().filter(|connection| connection.open)
    }

    /// A new Network Connection has seen nothing yet of what is on its way.
    pub fn restart(&mut self) {
        if let Some(outbound) = self.outbound.written() {
            outbound.restart();
        }
    }

    /// Its Network Connection is gone: what was in flight is sent again over the next.
    pub fn detach(&mut self, now: Time) {
        self.connection = None;
        if let Some(outbound) = self.outbound.written() {
            outbound.restart();
            if self.recorded {
                outbound.spill();
            }
        }
        self.disconnected = Some(now);
    }

    /// When it ends by itself, if nobody comes back [MQTT-3.1.2-23].
    pub fn expires_at(&self) -> Option<Time> {
        let since = self.disconnected?;
        if self.is_husk {
            let delay = self.will.as_ref().map_or(0, |will| will.delay);
            return Some(since.after_seconds(u64::from(delay)));
        }
        (self.expiry != u32::MAX).then(|| since.after_seconds(u64::from(self.expiry)))
    }

    /// When its Will is published: after its delay or with the Session, whichever is first [MQTT-3.1.2-8].
    pub fn will_due(&self) -> Option<Time> {
        let since = self.disconnected?;
        let delayed = since.after_seconds(u64::from(self.will.as_ref()?.delay));
        Some(self.expires_at().map_or(delayed, |end| delayed.min(end)))
    }

    /// The next moment something happens to it without anybody's doing.
    pub fn next_deadline(&self) -> Option<Time> {
        match &self.connection {
            Some(connection) => connection.next_deadline(),
            None => [self.expires_at(), self.will_due()].into_iter().flatten().min(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_small() {
        assert!(size_of::<Session>() <= 128, "{}", size_of::<Session>());
        assert!(size_of::<Connection>() <= 80, "{}", size_of::<Connection>());
    }
}
