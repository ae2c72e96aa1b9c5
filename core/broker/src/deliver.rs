//! Messages from other shards, or this one, to the Sessions at home here.
//!
//! A run of Messages with the same receivers is encoded once and copied as a whole to every receiver that gets it
//! plainly, with QoS 0; each other receiver gets its Messages one by one.

use std::sync::Arc;

use martlet_packet::{Properties, Publish, QoS, Version};
use martlet_record::{Body, CopyRecord, Now, PublishRecord, Record, Room, SessionNumber};
use martlet_session::{Connection, Delivery, MessageCopy, Sent, Session};

use crate::Shard;
use crate::books::{Books, Enqueued, queued_copy};
use crate::chunk::{Packed, Run};
use crate::destinations::{Own, Recipient};
use crate::outbox::Outbox;

/// A run as it goes over the wire with QoS 0, for each version, encoded when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    v3: Vec<u8>,
    v5: Vec<u8>,
    is_plain: bool,
    messages: u64,
    payload_bytes: u64,
    is_qos0: bool,
}

impl Shard {
    /// Delivers a run to those of its receivers that are at home here.
    pub fn deliver(&mut self, run: Run<'_>, recipients: &[Recipient], now: Now, out: &mut Outbox) {
        let mut wire = std::mem::take(&mut self.wire);
        wire.reset(run);
        for recipient in recipients {
            if !self.deliver_whole(run, recipient, &mut wire, out) {
                self.deliver_each(run, recipient, now, out);
            }
        }
        self.wire = wire;
    }

    /// The whole run at once, if this receiver gets it plainly.
    fn deliver_whole(
        &mut self,
        run: Run<'_>,
        recipient: &Recipient,
        wire: &mut Wire,
        out: &mut Outbox,
    ) -> bool {
        let is_qos0 = (wire.is_qos0 && !recipient.upgrades) || recipient.qos == QoS::AtMostOnce;
        let plain = wire.is_plain && is_qos0;
        if !plain || recipient.own != Own::Same || recipient.subscription_ids.is_some() {
            return false;
        }
        let limits = &self.settings.send;
        let Some(resident) = self.sessions.numbered(recipient.slot, recipient.session) else { return false };
        let Some(connection) =
            resident.session.open_connection().filter(|connection| takes_plain(connection))
        else {
            return false;
        };
        let bytes = wire.bytes(run, connection.version);
        let outgoing = out.outgoing(connection.id);
        if outgoing.len() + bytes.len() > limits.qos0_bytes {
            return false;
        }
        outgoing.append(bytes);
        self.counters.publish_sent += wire.messages;
        self.counters.publish_sent_bytes += wire.payload_bytes;
        true
    }

    /// One Message after the other.
    fn deliver_each(&mut self, run: Run<'_>, recipient: &Recipient, now: Now, out: &mut Outbox) {
        for packed in run.messages() {
            let message = packed.message();
            let Some(recipient) = recipient.for_publisher(message.publisher) else { continue };
            match recipient.copy_qos(message.qos) {
                QoS::AtMostOnce => self.deliver_at_most_once(&packed, recipient, now, out),
                _ if recipient.persistent => {} // It comes from the journal.
                QoS::AtLeastOnce | QoS::ExactlyOnce => self.deliver_queued(&packed, recipient, now, out),
            }
        }
        if self.sessions.numbered(recipient.slot, recipient.session).is_some() {
            self.send_queued(recipient.slot, now, out);
        }
    }

    fn deliver_at_most_once(
        &mut self,
        packed: &Packed<'_>,
        recipient: &Recipient,
        now: Now,
        out: &mut Outbox,
    ) {
        let limits = &self.settings.send;
        let Some(resident) = self.sessions.numbered(recipient.slot, recipient.session) else { return };
        if resident.session.connection.is_none() && recipient.persistent && self.settings.keeps_qos0 {
            return self.keep_at_most_once(packed, recipient, out);
        }
        let Some(connection) = resident.session.open_connection() else { return };
        let message = packed.message();
        let payload = packed.is_large().then(|| packed.shared().payload());
        let delivery = Delivery {
            message,
            payload: payload.as_ref(),
            retain: message.retain && recipient.retain_as_published,
            subscription_ids: recipient.subscription_ids.as_deref().unwrap_or_default(),
        };
        let outgoing = out.outgoing(connection.id);
        match Session::send_at_most_once(connection, &delivery, outgoing, limits, now.time) {
            Sent::Sent => {
                self.counters.publish_sent += 1;
                self.counters.publish_sent_bytes += message.payload.len() as u64;
            }
            Sent::NoRoom | Sent::TooLarge => self.counters.qos0_dropped += 1,
            Sent::Expired => {}
        }
    }

    /// A QoS 0 Message waits for a Client that is not there: it enters the queue by the log, as others do.
    fn keep_at_most_once(&mut self, packed: &Packed<'_>, recipient: &Recipient, out: &mut Outbox) {
        if self.node.room() >= Room::DrainOnly {
            self.counters.qos0_dropped += 1;
            return;
        }
        let copy = CopyRecord {
            session: recipient.session,
            slot: recipient.slot,
            qos: QoS::AtMostOnce,
            retain: packed.message().retain && recipient.retain_as_published,
            subscription_ids: recipient.subscription_ids.clone(),
            share: recipient.share.clone(),
        };
        let body = Body::Held(Arc::clone(packed.shared()));
        let kept = PublishRecord::new(body, vec![(self.id, vec![copy])]);
        self.records.push(Record::Published(kept));
        self.journal(out);
    }

    fn deliver_queued(&mut self, packed: &Packed<'_>, recipient: &Recipient, now: Now, out: &mut Outbox) {
        let copy = queued_copy(packed.shared(), recipient);
        self.enqueue(recipient.slot, recipient.session, copy, now, out);
    }

    /// Queues a copy for a Session; what can be sent is sent before one is dropped.
    pub(crate) fn enqueue(
        &mut self,
        slot: u32,
        session: SessionNumber,
        copy: MessageCopy,
        now: Now,
        out: &mut Outbox,
    ) {
        let limits = self.settings.queue;
        let Some(resident) = self.sessions.numbered(slot, session) else {
            // Whatever names an ended Session is void.
            self.counters.ledger.accepted += 1;
            self.counters.ledger.ended += 1;
            let is_logged = copy.body.as_ref().and_then(Body::stored).is_some();
            self.pass_on(is_logged.then_some(session), &copy, out);
            return;
        };
        if resident.session.outbound.is_full(copy.size(), &limits) {
            self.send_queued(slot, now, out);
        }
        let Some(resident) = self.sessions.numbered(slot, session) else { return };
        let mut books = Books {
            ledger: &mut self.counters.ledger,
            tally: resident.tally.get_or_insert_default(),
            records: &mut self.records,
            session,
            is_persistent: resident.session.is_persistent(),
        };
        let enqueued = books.enqueue(&mut resident.session, copy, &limits, now.time);
        self.journal(out);
        self.watch_gate(slot);
        match enqueued {
            Enqueued::Queued => {}
            Enqueued::Dropped => self.tell_drop(slot, out),
            Enqueued::TooSlow => self.part_with_slow(slot, now, out),
        }
    }
}

/// Space for the run at hand is kept for the next up to this size.
const SPACE_BYTES: usize = 256 * 1024;

impl Wire {
    fn reset(&mut self, run: Run<'_>) {
        for bytes in [&mut self.v3, &mut self.v5] {
            bytes.clear();
            bytes.shrink_to(SPACE_BYTES);
        }
        self.is_plain = true;
        self.is_qos0 = true;
        (self.messages, self.payload_bytes) = (0, 0);
        for head in run.messages().map(|packed| packed.head()) {
            self.is_plain &= head.is_plain;
            self.is_qos0 &= head.qos == QoS::AtMostOnce;
            self.messages += 1;
            self.payload_bytes += head.payload_len as u64;
        }
    }

    fn bytes(&mut self, run: Run<'_>, version: Version) -> &[u8] {
        let bytes = if version.is_v5() { &mut self.v5 } else { &mut self.v3 };
        if bytes.is_empty() {
            for packed in run.messages() {
                let message = packed.message();
                let properties = Properties::from_checked(message.properties);
                let publish = Publish { properties, ..Publish::new(message.topic, message.payload) };
                publish.encode(version, bytes);
            }
        }
        bytes
    }
}

/// Nothing about this Network Connection asks for a look at each Message.
fn takes_plain(connection: &Connection) -> bool {
    connection.maximum_packet_size == u32::MAX
        && connection.aliases_out.is_none()
        && connection.mount_point().is_none()
}
