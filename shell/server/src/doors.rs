//! The doors of a node: one for each listener, replaced when the operator or an administrator changes the rules.
//!
//! The rule: a door never changes. Whoever looks at one sees one state of the rules, and new rules are new doors.

use std::sync::{Arc, OnceLock};

use martlet_access::Access;
use martlet_auth::{Accounts, Credentials, Verdict, Verifier};
use martlet_broker::Settings;
use martlet_net::Address;
use martlet_session::{HandshakePolicy, Terms};
use parking_lot::RwLock;

use crate::Listen;
use crate::entrance::{Door, Dynamic};

/// Threads that hash passwords: with more of them strangers could take the machine from those who are inside.
const VERIFIERS: usize = 2;
/// Passwords that may wait to be hashed.
const QUESTIONS_MAX: usize = 1024;

/// The doors of a node, and who checks passwords for them.
#[derive(Debug)]
pub(crate) struct Doors {
    doors: RwLock<Box<[Arc<Door>]>>,
    /// Where each listener listens, by which it is known when the configuration is read again.
    addresses: Box<[Address]>,
    /// Started for the first password; `None` when the system has no thread for it.
    verifier: OnceLock<Option<Verifier>>,
}

impl Doors {
    pub(crate) fn new(settings: &Settings, listen: &[Listen], dynamic: Option<&Dynamic>) -> Self {
        let policy = settings.handshake_policy();
        let door = |(number, listen)| Arc::new(make(&policy, number, listen, dynamic));
        let doors = (0..).zip(listen).map(door).collect();
        let addresses = listen.iter().map(|listen| listen.options.address.clone()).collect();
        Self { doors: RwLock::new(doors), addresses, verifier: OnceLock::new() }
    }

    /// The door of a listener. Listeners are never fewer than they were.
    pub(crate) fn at(&self, listener: usize) -> Arc<Door> {
        let doors = self.doors.read();
        let last = doors.len().saturating_sub(1);
        Arc::clone(&doors[listener.min(last)])
    }

    /// From here these are the rules. A listener of which nothing is said any more keeps its own.
    pub(crate) fn replace(&self, settings: &Settings, listen: &[Listen], dynamic: Option<&Dynamic>) {
        let policy = settings.handshake_policy();
        for (number, (door, address)) in (0..).zip(self.doors.write().iter_mut().zip(&self.addresses)) {
            if let Some(listen) = listen.iter().find(|listen| listen.options.address == *address) {
                *door = Arc::new(make(&policy, number, listen, dynamic));
            }
        }
    }

    /// All of them, as they are now.
    pub(crate) fn all(&self) -> Box<[Arc<Door>]> {
        self.doors.read().clone()
    }

    /// The rules of each realm; none where there are no rules at all.
    pub(crate) fn rules(&self) -> Vec<Arc<Access>> {
        let mut rules = Vec::new();
        for (realm, access) in self.doors.read().iter().filter_map(|door| door.rules()) {
            let len = rules.len().max(realm + 1);
            rules.resize(len, Arc::default());
            rules[realm] = access;
        }
        rules
    }

    /// Where the listeners of these doors are.
    pub(crate) fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// From here dynamic security says this.
    pub(crate) fn replace_dynamic(&self, dynamic: &Dynamic) {
        self.doors.write().iter_mut().for_each(|door| *door = Arc::new(door.with(dynamic)));
    }

    /// Has a password checked, and `reply` called on another thread; false when too many wait already.
    pub(crate) fn verify(
        &self,
        accounts: Arc<Accounts>,
        credentials: Credentials,
        reply: impl FnOnce(Verdict) + Send + 'static,
    ) -> bool {
        let verifier = self.verifier.get_or_init(|| Verifier::start(VERIFIERS, QUESTIONS_MAX).ok());
        verifier.as_ref().is_some_and(|verifier| verifier.ask(accounts, credentials, reply).is_ok())
    }
}

fn make(policy: &HandshakePolicy, number: u16, listen: &Listen, dynamic: Option<&Dynamic>) -> Door {
    let terms = Arc::new(Terms { listener: number, ..listen.terms.clone() });
    Door::new(policy.under(terms), listen.entrance.clone(), dynamic)
}
