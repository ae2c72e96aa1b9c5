//! Who may enter: what is decided between CONNECT and the home shard.
//!
//! The rule: whoever is not let in by something that was written is not let in. What takes long, the hash of a
//! password, is asked of others, and the connection waits without being read.

use std::sync::Arc;

use martlet_access::{Access, Acl, Permit, Roles};
use martlet_auth::{Accounts, Credentials, Members, PasswordFile, Secret};
use martlet_net::PeerInfo;
use martlet_packet::ReasonCode;
use martlet_session::{ConnectRequest, HandshakePolicy, Violation};

/// Who may enter by a listener, and by which rules they act then.
#[derive(Debug, Clone, Default)]
pub struct Entrance {
    /// A Client without a User Name may; and one with any, where nothing says which there are.
    pub allows_anonymous: bool,
    /// The transport says who a Client is, and nothing else is asked.
    pub identity: Option<Identity>,
    /// User Names and hashes of passwords.
    pub passwords: Option<Arc<PasswordFile>>,
    /// The access control file.
    pub acl: Option<Arc<Acl>>,
    /// Dynamic security is asked before all files.
    pub is_dynamic: bool,
}

/// What of a certificate is the User Name; for a pre-shared key it is its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Its Common Name.
    CommonName,
    /// Its whole subject.
    Subject,
}

/// An entrance, with all it takes to ask it.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) policy: HandshakePolicy,
    entrance: Entrance,
    accounts: Arc<Accounts>,
    access: Arc<Access>,
}

/// What dynamic security says at the moment.
#[derive(Debug, Clone)]
pub(crate) struct Dynamic {
    pub(crate) members: Arc<Members>,
    pub(crate) roles: Arc<Roles>,
}

/// What comes of a CONNECT.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Its Client may enter.
    Enter,
    /// These must be checked first.
    Ask(Arc<Accounts>, Credentials),
    /// Its Client may not.
    Refuse(Violation),
}

impl Door {
    pub(crate) fn new(policy: HandshakePolicy, entrance: Entrance, dynamic: Option<&Dynamic>) -> Self {
        let dynamic = dynamic.filter(|_| entrance.is_dynamic);
        let mut access = Access::default();
        if let Some(acl) = &entrance.acl {
            access = access.with_acl(Arc::clone(acl));
        }
        if let Some(dynamic) = dynamic {
            access = access.with_roles(Arc::clone(&dynamic.roles));
        }
        let members = dynamic.map(|dynamic| Arc::clone(&dynamic.members));
        let accounts = Accounts::new(entrance.allows_anonymous, members, entrance.passwords.clone());
        Self { policy, entrance, accounts: Arc::new(accounts), access: Arc::new(access) }
    }

    /// The same, where dynamic security says something new.
    pub(crate) fn with(&self, dynamic: &Dynamic) -> Self {
        Self::new(self.policy.clone(), self.entrance.clone(), Some(dynamic))
    }

    /// May this Client enter? As Mosquitto 2.0 decides.
    pub(crate) fn ask(&self, request: &mut ConnectRequest, peer: &PeerInfo) -> Answer {
        if let Some(identity) = self.entrance.identity {
            return match identity.of(peer) {
                Some(name) => {
                    request.identify(name);
                    Answer::Enter
                }
                None => refuse(ReasonCode::BadUserNameOrPassword, "its transport does not say who it is"),
            };
        }
        let username = request.username.clone().filter(|name| !name.is_empty());
        if username.is_some() && self.accounts.has_passwords() {
            let password = request.password.take();
            let credentials = Credentials {
                client_id: request.client_id.clone(),
                username,
                password: password.map(|password| Secret::from(password.as_bytes().to_vec())),
            };
            return Answer::Ask(Arc::clone(&self.accounts), credentials);
        }
        if self.entrance.allows_anonymous {
            return Answer::Enter;
        }
        refuse(ReasonCode::NotAuthorized, "nothing vouches for it, and allow_anonymous is off")
    }

    /// The rules of access here, with the number of their realm, where there are any.
    pub(crate) fn rules(&self) -> Option<(usize, Arc<Access>)> {
        let has_rules = self.entrance.acl.is_some() || self.entrance.is_dynamic;
        has_rules.then(|| (usize::from(self.policy.terms.realm), Arc::clone(&self.access)))
    }

    /// What a Client may do that entered.
    pub(crate) fn permit(&self, client_id: &str, username: Option<&str>) -> Permit {
        self.access.permit(client_id, username)
    }

    /// May a Client that entered by an earlier state of this door stay? Its password is forgotten, so what is asked is
    /// whether it would still be the right one.
    pub(crate) fn keeps(&self, before: &Self, username: Option<&str>) -> bool {
        match username.filter(|name| !name.is_empty()) {
            Some(_) if self.entrance.identity.is_some() => true,
            Some(name) if self.accounts.has_passwords() => {
                self.accounts.knows(name) && self.accounts.hash_of(name) == before.accounts.hash_of(name)
            }
            _ => self.entrance.allows_anonymous,
        }
    }
}

impl Identity {
    fn of(self, peer: &PeerInfo) -> Option<&str> {
        let certified = match self {
            Self::CommonName => peer.common_name(),
            Self::Subject => peer.certificate().map(|certificate| &*certificate.subject),
        };
        peer.psk_identity().or(certified)
    }
}

fn refuse(reason: ReasonCode, text: &'static str) -> Answer {
    Answer::Refuse(Violation::new(reason, text))
}
