//! What becomes of Sessions whose Clients do not read.

use martlet_packet::ReasonCode;
use martlet_record::Now;
use martlet_session::Violation;

use crate::Shard;
use crate::outbox::{Notice, Outbox};

impl Shard {
    /// Closes or opens the gate of a Session to publishers, where its policy has one.
    pub(crate) fn watch_gate(&mut self, slot: u32) {
        let limits = &self.settings.queue;
        if !limits.has_gates() {
            return;
        }
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let session = &resident.session;
        let is_closed = session.outbound.is_at_limit(0, limits);
        if is_closed == std::mem::replace(&mut resident.gate_is_closed, is_closed) {
            return;
        }
        self.node.gates.set(session.number, is_closed);
        for (filter, _) in session.subscriptions.iter().filter(|(filter, _)| filter.is_shared()) {
            if let Some(group) = self.node.routes.group(filter) {
                group.set_open(session.number, !is_closed);
            }
        }
    }

    /// The policy parts with a Client that reads too slowly.
    pub(crate) fn part_with_slow(&mut self, slot: u32, now: Now, out: &mut Outbox) {
        self.tell_drop(slot, out);
        let Some(resident) = self.sessions.get(slot) else { return };
        let Some(connection) = resident.session.connection.as_ref().map(|connection| connection.id) else {
            return;
        };
        let text = "its queue is full and the policy is to disconnect: read faster, or raise the limit";
        self.refuse(slot, connection, Violation::new(ReasonCode::QuotaExceeded, text), now, out);
    }

    /// Tells the log, once for each Session, that its queue dropped a Message.
    pub(crate) fn tell_drop(&mut self, slot: u32, out: &mut Outbox) {
        let limits = self.settings.queue;
        let Some(resident) = self.sessions.get_mut(slot).filter(|resident| !resident.drop_told) else {
            return;
        };
        resident.drop_told = true;
        let text = format!(
            "its queue is full at {} messages of at most {} ({} bytes of at most {}), policy {:?}: read faster, or raise the limit",
            resident.session.outbound.queued_len(),
            limits.messages,
            resident.session.outbound.bytes(),
            limits.bytes,
            limits.overflow
        );
        out.notices.push(Notice::FirstDrop { client_id: resident.session.client_id.clone(), text });
    }
}
