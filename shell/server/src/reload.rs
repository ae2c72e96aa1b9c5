//! New rules while the node runs: new doors, and what that means for Clients who are connected.
//!
//! The rule: nobody is disconnected whom the new rules would let in as before, and nobody stays whom they would not.

use std::sync::Arc;

use martlet_broker::{Settings, Verdict};
use martlet_packet::ReasonCode;
use martlet_session::Violation;

use crate::Config;
use crate::entrance::Door;
use crate::mailbox::Mail;
use crate::runner::Runner;
use crate::shared::Shared;

/// Whom dynamic security sends away: a user, or everybody who has no name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kick(Option<Arc<str>>);

/// Why whoever is connected is looked at again.
#[derive(Debug)]
pub(crate) enum Change {
    /// The configuration was read again: these were the doors before, and this is what the operator chose now.
    Rules(Box<[Arc<Door>]>, Arc<Settings>),
    /// Dynamic security changed, and these must go.
    Dynamic(Box<[Kick]>),
}

impl Kick {
    pub(crate) fn of(username: Option<Arc<str>>) -> Self {
        Self(username)
    }
}

impl Shared {
    /// From here this is the configuration, as far as it can change while the node runs.
    pub(crate) fn change(&self, config: &Config, dynamic: Option<&crate::entrance::Dynamic>) {
        let is_new = |listen: &&crate::Listen| !self.doors.addresses().contains(&listen.options.address);
        for listen in config.listen.iter().filter(is_new) {
            tracing::warn!("{} is listened on once the broker is started again.", listen.options.address);
        }
        let before = self.doors.all();
        self.doors.replace(&config.settings, &config.listen, dynamic);
        self.change_gates(config);
        self.set_connections_max(config.connections_max());
        self.look_again(Change::Rules(before, Arc::new(config.settings.clone())));
    }

    /// Connections to come find the limits and certificates of now.
    fn change_gates(&self, config: &Config) {
        for (gate, address) in self.gates.iter().zip(self.doors.addresses()) {
            let listen = config.listen.iter().find(|listen| listen.options.address == *address);
            let Some(listen) = listen else { continue };
            gate.set_connections_max(listen.options.max_connections);
            if let (Some(tls), Some(options)) = (&gate.tls, &listen.options.tls)
                && let Err(error) = tls.exchange(options)
            {
                tracing::error!("{address}: {error}. Its certificates stay as they were.");
            }
        }
    }

    /// The doors are new: whoever is connected is looked at again.
    pub(crate) fn look_again(&self, change: Change) {
        self.node.set_accesses(self.doors.rules());
        let change = Arc::new(change);
        self.mailboxes.iter().for_each(|mailbox| mailbox.post(Mail::LookAgain(Arc::clone(&change))));
    }
}

impl Change {
    /// May a Client stay that entered by this listener?
    fn keeps(&self, door: &Door, listener: usize, username: Option<&str>) -> bool {
        match self {
            Self::Rules(before, _) => before.get(listener).is_none_or(|before| door.keeps(before, username)),
            Self::Dynamic(kicks) => !kicks.iter().any(|kick| kick.0.as_deref() == username),
        }
    }
}

impl Runner {
    /// Gives the Clients of this runner's shards the permits of the new rules, or parts with them.
    pub(crate) fn look_again(&mut self, change: &Change) {
        let (shared, now) = (Arc::clone(&self.shared), self.now);
        for shard in self.shards.step_all() {
            if let Change::Rules(_, settings) = change {
                shard.set_settings(Arc::clone(settings));
            }
            shard.repermit(now, &mut self.out, |client_id, username, terms| {
                let listener = usize::from(terms.listener);
                let door = shared.doors.at(listener);
                if change.keeps(&door, listener, username) {
                    Verdict::Permit(door.permit(client_id, username))
                } else {
                    let text = "the rules have changed and do not let it stay";
                    Verdict::Kick(Violation::new(ReasonCode::AdministrativeAction, text))
                }
            });
        }
        self.deliver();
    }

    /// Tells what the Clients of this runner's shards subscribed to.
    pub(crate) fn list_subscriptions(&self) {
        let mut subscribed = crate::control::Subscribed::default();
        for shard in self.shards.iter() {
            shard.for_each_subscription(|client_id, filter, qos| subscribed.push(client_id, filter, qos));
        }
        // Nobody asks any more once the node has ended.
        let _ = self.shared.orders.send(crate::control::Order::Subscribed(subscribed));
    }
}
