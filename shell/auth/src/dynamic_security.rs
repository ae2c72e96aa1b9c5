//! Dynamic security: clients, groups and roles that are changed while the node runs, as Mosquitto's plug-in has them.
//!
//! A request is a list of commands in JSON, its answer a list of as many. What the commands change is saved before it
//! holds: if it cannot be saved, the commands are answered with an error, and everything stays as it was.

mod state;

mod members;

mod file;

mod request;

mod clients;
mod groups;
mod roles;

mod fields;
mod views;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use martlet_access::{AclType, Defaults, Ranked, RoleAcl, Roles};

use crate::{Error, PasswordHash, Problem, Scheme, Secret, atomic_file, passwd, secret_file};
use request::Work;
use state::{Client, RoleEntry, State};

pub(crate) use members::Member;
pub use members::Members;

/// Clients, groups and roles, and the file they are kept in.
#[derive(Debug)]
pub struct DynamicSecurity {
    /// Nothing where all of it is kept in memory alone.
    path: Option<PathBuf>,
    state: State,
    members: Arc<Members>,
    roles: Arc<Roles>,
}

/// Who sent a request.
#[derive(Debug, Clone, Copy)]
pub struct Admin<'a> {
    /// The Client Identifier.
    pub client_id: &'a str,
    /// The username, if it has one.
    pub username: Option<&'a str>,
}

/// What became of a request.
#[derive(Debug)]
pub struct Handled {
    /// The answer, for the response topic.
    pub response: Vec<u8>,
    /// What the node has to do.
    pub effects: Effects,
    /// What was done by whom, in the words of Mosquitto's log. No password is in it.
    pub log: Vec<String>,
    /// Why nothing could be saved, if so.
    pub error: Option<Error>,
}

/// What a request asks of the node: all of it after the new [`DynamicSecurity::roles`] and
/// [`DynamicSecurity::members`] hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// Whether Permits and Accounts have to be made anew.
    pub has_changed: bool,
    /// Clients of these usernames are to be disconnected, without their Will. None stands for those without a username.
    pub kick: Vec<Option<Arc<str>>>,
}

impl Effects {
    fn kick(&mut self, username: Option<Arc<str>>) {
        if !self.kick.contains(&username) {
            self.kick.push(username);
        }
    }
}

impl DynamicSecurity {
    /// Reads the file and makes sure that it can be saved. A file that is missing is not made: nobody could use it, so
    /// that is an error which says how to make one.
    pub fn open(path: &Path) -> Result<(Self, Vec<Problem>), Error> {
        let (bytes, exposed) = secret_file::read(path)?;
        atomic_file::check_writable(path)?;
        let (mut security, mut problems) =
            Self::in_memory(&bytes).map_err(|problem| Error::content(path, vec![problem]))?;
        security.path = Some(path.to_owned());
        problems.extend(exposed);
        Ok((security, problems))
    }

    /// What the text of a file says, kept in memory alone: nothing is ever saved.
    pub fn in_memory(file: &[u8]) -> Result<(Self, Vec<Problem>), Problem> {
        let (state, problems) = file::parse(file)?;
        let (members, roles) = (state.members(), state.roles());
        Ok((Self { path: None, members: members.into(), roles: roles.into(), state }, problems))
    }

    /// The text of a file that says what holds now.
    pub fn to_file(&self) -> Vec<u8> {
        file::print(&self.state)
    }

    /// Makes a file with one client who may change everything, as `mosquitto_ctrl dynsec init` does. A file that is
    /// there is not touched.
    pub fn init(path: &Path, username: &str, password: &Secret) -> Result<(), Error> {
        passwd::check_username(username)?;
        if password.is_empty() {
            return Err(Error::Refused("the password must not be empty".to_owned()));
        }
        if path.exists() {
            let text = format!("{} is there already: dynamic security is not set up over it", path.display());
            return Err(Error::Refused(text));
        }
        let state = initial(username, PasswordHash::new(password, Scheme::DEFAULT)?);
        atomic_file::replace(path, &file::print(&state))
    }

    /// Carries out a request. Hashes passwords and writes a file, so no thread that serves Clients should do this.
    pub fn handle(&mut self, request: &[u8], by: Admin<'_>) -> Handled {
        let mut draft = self.state.clone();
        let mut work = Work::new(&mut draft, by, None);
        let response = work.perform(request);
        let (effects, log) = work.finish();
        if !effects.has_changed {
            return Handled { response, effects, log, error: None };
        }
        match self.save(&draft) {
            Ok(()) => {
                self.members = draft.members().into();
                self.roles = draft.roles().into();
                self.state = draft;
                Handled { response, effects, log, error: None }
            }
            Err(error) => self.refuse(request, by, error),
        }
    }

    fn save(&self, state: &State) -> Result<(), Error> {
        match &self.path {
            Some(path) => atomic_file::replace(path, &file::print(state)),
            None => Ok(()),
        }
    }

    /// Answers a request of which nothing can be saved: what only asks is answered, what changes something is refused.
    fn refuse(&self, request: &[u8], by: Admin<'_>, error: Error) -> Handled {
        let mut draft = self.state.clone();
        let text = error.to_string();
        let mut work = Work::new(&mut draft, by, Some(&text));
        let response = work.perform(request);
        let (_, log) = work.finish();
        Handled { response, effects: Effects::default(), log, error: Some(error) }
    }

    /// Who may enter.
    pub fn members(&self) -> &Arc<Members> {
        &self.members
    }

    /// Who may do what.
    pub fn roles(&self) -> &Arc<Roles> {
        &self.roles
    }
}

/// The state of a node that only this administrator can use.
fn initial(username: &str, password: PasswordHash) -> State {
    use AclType::{PublishClientReceive, PublishClientSend, SubscribePattern, UnsubscribePattern};
    const CONTROL: &str = "$CONTROL/dynamic-security/#";
    const ADMIN: &str = "admin";
    let acls = [
        (PublishClientSend, CONTROL),
        (PublishClientReceive, CONTROL),
        (SubscribePattern, CONTROL),
        (PublishClientReceive, "$SYS/#"),
        (SubscribePattern, "$SYS/#"),
        (PublishClientReceive, "#"),
        (SubscribePattern, "#"),
        (UnsubscribePattern, "#"),
    ];
    let acls =
        acls.map(|(acl_type, topic)| RoleAcl { acl_type, topic: topic.into(), priority: 0, allow: true });
    let mut roles = Ranked::default();
    roles.insert(ADMIN.into(), Ranked::UNRANKED);
    let admin = Client { roles, password: Some(password), ..Client::default() };
    let mut state = State {
        defaults: Defaults { publish: false, receive: true, subscribe: false, unsubscribe: true },
        ..State::default()
    };
    state.clients.insert(username.into(), Arc::new(admin));
    state.roles.insert(ADMIN.into(), Arc::new(RoleEntry::new(ADMIN.into(), acls)));
    state
}
