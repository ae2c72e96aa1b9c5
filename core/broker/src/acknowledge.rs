//! PUBACK, PUBREC, PUBREL, PUBCOMP and PINGREQ from a Client.

use martlet_packet::{Ack, Packet, PacketId, Properties, ReasonCode};
use martlet_record::{BatchNumber, Now, Ordinal, Record};
use martlet_session::{Acknowledged, ConnectionId, CopyState, Received, Violation};

use crate::Shard;
use crate::books::Books;
use crate::outbox::Outbox;

impl Shard {
    /// PUBACK: a QoS 1 copy is delivered. One for nothing is no error: the Session may have begun anew.
    pub(crate) fn receive_puback(
        &mut self,
        slot: u32,
        ack: &Ack<'_>,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), Violation> {
        let Some(resident) = self.sessions.get_mut(slot) else { return Ok(()) };
        let acknowledged = resident.session.receive_puback(ack)?;
        self.finish(slot, acknowledged, now, out);
        Ok(())
    }

    /// PUBREC: PUBREL is next, for a persistent Session after the commit.
    pub(crate) fn receive_pubrec(
        &mut self,
        slot: u32,
        ack: &Ack<'_>,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), Violation> {
        let Some(resident) = self.sessions.get_mut(slot) else { return Ok(()) };
        let session = &mut resident.session;
        match session.receive_pubrec(ack)? {
            Received::Release(ordinal) if session.is_persistent() => {
                self.records.push(Record::Received { session: session.number, slot, ordinal });
                self.need = self.need.max(self.need_of(slot));
                self.journal(out);
            }
            Received::Release(_) | Received::Again(CopyState::Released) => {
                self.send_pubrel(slot, ack.packet_id, ReasonCode::Success, out);
            }
            Received::Again(_) => {}
            Received::Refused(acknowledged) => {
                self.finish(slot, Some(acknowledged), now, out);
            }
            Received::Unknown if ack.reason.is_error() => {}
            Received::Unknown => {
                let reason = self.absence();
                self.send_pubrel(slot, ack.packet_id, reason, out);
            }
        }
        self.watch_gate(slot);
        Ok(())
    }

    /// PUBREL: the mark is cleared, for a persistent Session durably before PUBCOMP.
    pub(crate) fn receive_pubrel(
        &mut self,
        slot: u32,
        ack: &Ack<'_>,
        out: &mut Outbox,
    ) -> Result<(), Violation> {
        let Some(resident) = self.sessions.get_mut(slot) else { return Ok(()) };
        let session = &mut resident.session;
        let known = session.receive_pubrel(ack.packet_id);
        let Some(connection) = session.connection.as_ref().map(|connection| connection.id) else {
            return Ok(());
        };
        let after = if known && session.is_persistent() {
            let packet_id = ack.packet_id;
            self.records.push(Record::Released { session: session.number, packet_id });
            Some(self.await_commit(slot, connection, self.need_of(slot), out))
        } else {
            None
        };
        let reason = if known { ReasonCode::Success } else { self.absence() };
        let pubcomp = Ack { packet_id: ack.packet_id, reason, properties: Properties::default() };
        self.reply(slot, after, Packet::PubComp(pubcomp), out);
        Ok(())
    }

    /// PUBCOMP: a QoS 2 copy is delivered.
    pub(crate) fn receive_pubcomp(
        &mut self,
        slot: u32,
        ack: &Ack<'_>,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), Violation> {
        let Some(resident) = self.sessions.get_mut(slot) else { return Ok(()) };
        let acknowledged = resident.session.receive_pubcomp(ack)?;
        self.finish(slot, acknowledged, now, out);
        Ok(())
    }

    /// PINGREQ is answered at once [MQTT-3.12.4-1].
    pub(crate) fn receive_pingreq(
        &mut self,
        connection: ConnectionId,
        out: &mut Outbox,
    ) -> Result<(), Violation> {
        self.counters.answers_sent += 1;
        Packet::PingResp.encode(martlet_packet::Version::V5, out.outgoing(connection).buffer());
        Ok(())
    }

    /// A PUBREC of a persistent Session is durable: its PUBREL may leave.
    pub(crate) fn release(
        &mut self,
        slot: u32,
        session: martlet_record::SessionNumber,
        ordinal: Ordinal,
        out: &mut Outbox,
    ) {
        let Some(resident) = self.sessions.numbered(slot, session) else { return };
        let outbound = &mut resident.session.outbound;
        if outbound.find_ordinal(ordinal).is_none_or(|copy| copy.state != CopyState::Received) {
            return;
        }
        outbound.received(ordinal, CopyState::Released);
        if let Some(id) = outbound.seen_id(ordinal) {
            self.send_pubrel(slot, id, ReasonCode::Success, out);
        }
    }

    /// How an unknown Packet Identifier is answered.
    fn absence(&self) -> ReasonCode {
        let tells = self.settings.dialect.tells_absence;
        if tells { ReasonCode::PacketIdentifierNotFound } else { ReasonCode::Success }
    }

    fn send_pubrel(&mut self, slot: u32, packet_id: PacketId, reason: ReasonCode, out: &mut Outbox) {
        let pubrel = Ack { packet_id, reason, properties: Properties::default() };
        self.reply(slot, None, Packet::PubRel(pubrel), out);
    }

    fn reply(&mut self, slot: u32, after: Option<BatchNumber>, packet: Packet<'_>, out: &mut Outbox) {
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let Some(connection) = resident.session.connection.as_deref_mut() else { return };
        let (id, version) = (connection.id, connection.version);
        self.counters.answers_sent += 1;
        connection.reply(out.outgoing(id), after, |bytes| packet.encode(version, bytes));
    }

    /// A copy came to its end: it is booked, and there is room for the next.
    fn finish(&mut self, slot: u32, acknowledged: Option<Acknowledged>, now: Now, out: &mut Outbox) {
        let (Some(resident), Some(acknowledged)) = (self.sessions.get_mut(slot), acknowledged) else {
            return;
        };
        let mut books = Books {
            ledger: &mut self.counters.ledger,
            tally: resident.tally.get_or_insert_default(),
            records: &mut self.records,
            session: resident.session.number,
            is_persistent: resident.session.is_persistent(),
        };
        books.settle(acknowledged.ordinal, acknowledged.how);
        self.journal(out);
        self.send_queued(slot, now, out);
        self.watch_gate(slot);
    }
}
