//! The end of a Network Connection, by DISCONNECT or without, and the end of a Session.

use martlet_packet::{Disconnect, ReasonCode};
use martlet_record::{Ending, Now, Record};
use martlet_session::{ConnectionId, KeepAlive, Outgoing, Session, Silence, Violation};

use crate::outbox::{Closing, Notice, Outbox};
use crate::{Shard, Wills};

impl Shard {
    /// DISCONNECT: the Client leaves, and says how.
    pub(crate) fn receive_disconnect(
        &mut self,
        slot: u32,
        disconnect: &Disconnect<'_>,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), Violation> {
        let Some(resident) = self.sessions.get_mut(slot) else { return Ok(()) };
        let session = &mut resident.session;
        if let Some(expiry) = disconnect.properties.session_expiry() {
            if session.expiry == 0 && expiry != 0 {
                // §3.14.2.2.2: a Session that was to end with its Network Connection cannot be kept afterwards.
                return Err(Violation::protocol(
                    "Session Expiry Interval cannot be set in DISCONNECT when it was 0 in CONNECT",
                ));
            }
            session.expiry = expiry.min(self.settings.session_expiry_max);
        }
        if disconnect.reason == ReasonCode::Success {
            session.will = None; // [MQTT-3.14.4-3]
        }
        let Some(connection) = session.connection.as_ref().map(|connection| connection.id) else {
            return Ok(());
        };
        let why = Violation::new(disconnect.reason, "the Client sent DISCONNECT");
        out.closing.push(Closing { connection, why: why.clone() });
        self.closed(slot, connection, why, now, out);
        Ok(())
    }

    /// A Network Connection is gone.
    pub fn closed(
        &mut self,
        slot: u32,
        connection: ConnectionId,
        why: Violation,
        now: Now,
        out: &mut Outbox,
    ) {
        let Some(resident) = self.sessions.connected(slot, connection) else { return };
        let session = &mut resident.session;
        session.detach(now.time);
        resident.armed = None;
        out.notices.push(Notice::Disconnected { client_id: session.client_id.clone(), why });
        if session.recorded {
            self.records.push(Record::Disconnected {
                session: session.number,
                expiry: session.expiry,
                will_discarded: session.will.is_none(),
                at: now.wall,
            });
            self.journal(out);
            self.set_online(slot, false);
        }
        let slot = self.leave_husk(slot, out).unwrap_or(slot);
        self.look_at(slot, now, out);
    }

    /// Looks at the Sessions whose deadline came: silence, Wills, expiry.
    pub fn tick(&mut self, now: Now, out: &mut Outbox) {
        while let Some(slot) = self.pop_due(now.time) {
            self.look_at(slot, now, out);
        }
        self.publish_due(now, out);
    }

    /// Does to a Session what time has brought, and arms its next deadline.
    fn look_at(&mut self, slot: u32, now: Now, out: &mut Outbox) {
        let Some(resident) = self.sessions.get(slot) else { return };
        let session = &resident.session;
        if let Some(connection) = session.connection.as_ref().map(|connection| connection.id) {
            if let Some(violation) = self.silence(slot, now, out) {
                return self.refuse(slot, connection, violation, now, out);
            }
            self.send_again(slot, connection, now, out);
        } else if session.will_due().is_some_and(|due| due <= now.time) {
            self.publish_will(slot, now, out);
        }
        let expired = self.sessions.get(slot).and_then(|resident| resident.session.expires_at());
        if expired.is_some_and(|at| at <= now.time) {
            self.counters.sessions_expired += 1;
            self.end_session(slot, Ending::Expired, out);
        } else {
            self.arm(slot);
        }
    }

    /// Sends again what its Client did not answer in time, where that is done at all.
    fn send_again(&mut self, slot: u32, connection: ConnectionId, now: Now, out: &mut Outbox) {
        if self.settings.retry_interval.is_none() {
            return;
        }
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let traffic = resident.session.send_again(out.outgoing(connection), now.time);
        self.counters.publish_sent += traffic.packets;
        self.counters.publish_sent_bytes += traffic.payload_bytes;
        self.counters.answers_sent += traffic.pubrels;
    }

    /// Why a Client that was not heard for one and a half Keep Alives must go [MQTT-3.1.2-22].
    fn silence(&self, slot: u32, now: Now, out: &Outbox) -> Option<Violation> {
        let connection = self.sessions.get(slot)?.session.connection.as_ref()?;
        let (KeepAlive(seconds), none) = (connection.keep_alive, Outgoing::default());
        let outgoing = out.waiting(connection.id).unwrap_or(&none);
        let text = match connection.keep_alive.silence(connection.heard, outgoing, now.time)? {
            Silence::Until(_) => return None,
            Silence::TimedOut => format!("nothing was heard for 1.5 times the Keep Alive of {seconds} s"),
            Silence::Blocked { waiting } => format!("send queue blocked, {waiting} bytes waiting"),
        };
        Some(Violation::new(ReasonCode::KeepAliveTimeout, text))
    }

    /// A Session that ends with its Network Connection leaves its delayed Will behind, where the dialect has it so.
    fn leave_husk(&mut self, slot: u32, out: &mut Outbox) -> Option<u32> {
        if self.settings.dialect.wills == Wills::Specified {
            return None;
        }
        let session = &mut self.sessions.get_mut(slot)?.session;
        if session.expiry > 0 || session.is_husk || session.will.as_ref()?.delay == 0 {
            return None;
        }
        let (will, since, client_id) = (session.will.take(), session.disconnected, session.client_id.clone());
        self.end_session(slot, Ending::Expired, out);
        let mut husk = Session::new(self.next_session_number(), client_id, 0);
        (husk.will, husk.disconnected, husk.is_husk) = (will, since, true);
        Some(self.sessions.insert(husk))
    }

    /// The Session is over [MQTT-4.1.0-2]. Its Will was published or discarded before.
    pub(crate) fn end_session(&mut self, slot: u32, why: Ending, out: &mut Outbox) {
        self.record_sent_of(slot);
        let Some(session) = self.sessions.remove(slot) else { return };
        for (filter, _) in session.subscriptions.iter() {
            self.node.routes.remove(filter, session.number);
        }
        if session.recorded {
            self.records.push(Record::Ended { session: session.number, why, entered: self.entered });
            self.journal(out);
        }
        self.node.gates.set(session.number, false);
        self.node.routes.permits.remove(session.number);
        let from = session.recorded.then_some(session.number);
        for (_, copy) in session.outbound.unfinished() {
            self.counters.ledger.ended += 1;
            self.pass_on(from, &copy, out);
        }
    }
}
