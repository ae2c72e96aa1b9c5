//! What whoever runs the node changes while Clients are there: settings, permits, and that they are there.
//!
//! The rule: new rules hold from here on; what was promised before is kept.

use std::sync::Arc;

use martlet_access::Permit;
use martlet_packet::QoS;
use martlet_record::Now;
use martlet_session::{Terms, Violation};
use martlet_topic::SubscriptionFilter;

use crate::outbox::{Notice, Outbox};
use crate::permits::Holder;
use crate::{Settings, Shard};

/// What new rules mean for one Client.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Nothing.
    Keep,
    /// It may do this from here on.
    Permit(Permit),
    /// It must go; its Will is discarded.
    Kick(Violation),
}

impl Shard {
    /// Other settings from here on. Those of CONNECT hold for Clients that come, the others at once.
    pub fn set_settings(&mut self, settings: Arc<Settings>) {
        self.policy = settings.publish_policy();
        self.cache.set_overlap(settings.dialect.overlap);
        self.settings = settings;
    }

    /// A Client may do this from here on, connected or not. False if it has no Session.
    pub fn set_permit(&mut self, client_id: &str, permit: Permit) -> bool {
        let Some(slot) = self.sessions.find(client_id) else { return false };
        let Some(holder) = self.holder(slot) else { return true };
        self.hold_to(slot, Holder { permit, ..holder });
        true
    }

    /// Asks `judge` about every Client that is connected, and every Session that may not do everything: what is its
    /// Client Identifier, its User Name, and what are the terms of its listener?
    pub fn repermit(
        &mut self,
        now: Now,
        out: &mut Outbox,
        mut judge: impl FnMut(&str, Option<&str>, &Terms) -> Verdict,
    ) {
        for slot in 0..self.sessions.slots() {
            let Some(holder) = self.holder(slot) else { continue };
            let Some(resident) = self.sessions.get(slot) else { continue };
            let session = &resident.session;
            match judge(&session.client_id, holder.username.as_deref(), &holder.terms) {
                Verdict::Keep => {}
                Verdict::Permit(permit) => self.hold_to(slot, Holder { permit, ..holder }),
                Verdict::Kick(violation) => self.part_with(slot, violation, false, now, out),
            }
        }
    }

    /// Disconnects a Client; its Will is published or discarded. False if it was not connected.
    pub fn kick(
        &mut self,
        client_id: &str,
        violation: Violation,
        with_will: bool,
        now: Now,
        out: &mut Outbox,
    ) -> bool {
        let Some(slot) = self.sessions.find(client_id) else { return false };
        let is_connected =
            self.sessions.get(slot).is_some_and(|resident| resident.session.connection.is_some());
        self.part_with(slot, violation, with_will, now, out);
        is_connected
    }

    /// Every Subscription of every Session here.
    pub fn for_each_subscription(&self, mut tell: impl FnMut(&str, &SubscriptionFilter, QoS)) {
        for (_, resident) in self.sessions.iter() {
            let session = &resident.session;
            for (filter, subscription) in session.subscriptions.iter() {
                tell(&session.client_id, filter, subscription.options.qos);
            }
        }
    }

    fn part_with(&mut self, slot: u32, violation: Violation, with_will: bool, now: Now, out: &mut Outbox) {
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let session = &mut resident.session;
        let Some(connection) = session.connection.as_deref().map(|connection| connection.id) else { return };
        if !with_will {
            session.will = None;
        }
        self.refuse(slot, connection, violation, now, out);
    }

    /// What is known about a Session's Client: from its Network Connection, or from when it had one.
    fn holder(&self, slot: u32) -> Option<Holder> {
        let session = &self.sessions.get(slot)?.session;
        let Some(connection) = session.connection.as_deref() else {
            return self.node.routes.permits.of(session.number);
        };
        Some(Holder {
            permit: connection.permit().clone(),
            username: connection.username().map(Into::into),
            terms: Arc::clone(&connection.terms),
        })
    }

    /// A Session's Client may do this: whoever matches for it must know.
    pub(crate) fn hold_to(&mut self, slot: u32, holder: Holder) {
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let session = &mut resident.session;
        let (routes, number) = (&self.node.routes, session.number);
        if let Some(connection) = session.connection.as_deref_mut() {
            connection.set_permit(holder.permit.clone());
        }
        routes.permits.set(number, holder);
        session.subscriptions.iter().for_each(|(filter, _)| routes.touch(&filter.filter));
    }

    /// Tells the log, once for each Network Connection, that a PUBLISH was refused.
    pub(crate) fn tell_refusal(&mut self, slot: u32, text: &str, out: &mut Outbox) {
        let Some(resident) = self.sessions.get_mut(slot).filter(|resident| !resident.refusal_told) else {
            return;
        };
        resident.refusal_told = true;
        let (client_id, text) = (resident.session.client_id.clone(), text.to_owned());
        out.notices.push(Notice::FirstRefusal { client_id, text });
    }
}
