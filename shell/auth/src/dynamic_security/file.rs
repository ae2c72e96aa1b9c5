//! The file: what Mosquitto's plug-in reads and writes.
//!
//! It is read leniently, as the plug-in does: what names nothing that exists is passed over, and said. It is never
//! written over when it could not be read.

use std::sync::Arc;

use martlet_access::{Defaults, Ranked, RoleAcl};
use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use serde_json::{Serializer, Value};

use super::fields::{Fields, acl_type};
use super::state::{Client, Group, RoleEntry, State, Texts};
use super::views::FileView;
use crate::{PasswordHash, Problem, Scheme};

/// What a file says, and what of it is passed over; or why it says nothing.
pub(super) fn parse(bytes: &[u8]) -> Result<(State, Vec<Problem>), Problem> {
    if bytes.trim_ascii().is_empty() {
        return Ok((State::default(), vec![Problem::warning(1, EMPTY)]));
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
        Problem::error(line, format!("it is not JSON: {error}"))
    })?;
    let mut reader = Reader { state: State::default(), passed_over: Vec::new() };
    reader.read(Fields::of(&value)).map_err(|what| Problem::error(1, format!("`{what}` must be a list")))?;
    let problems = reader.passed_over.into_iter().map(|text| Problem::warning(0, text)).collect();
    Ok((reader.state, problems))
}

const EMPTY: &str =
    "it is empty, so nobody may do anything: remove it, and `martlet ctrl dynsec init` makes one";

/// The text of a file that says this.
pub(super) fn print(state: &State) -> Vec<u8> {
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b"\t"));
    FileView::of(state).serialize(&mut serializer).expect("names are texts, and memory takes all of it");
    text
}

/// The name of a list that is none.
type NoList = &'static str;

struct Reader {
    state: State,
    passed_over: Vec<String>,
}

impl Reader {
    fn read(&mut self, tree: Fields<'_>) -> Result<(), NoList> {
        if let Some(defaults) = tree.value("defaultACLAccess") {
            self.state.defaults = defaults_of(Fields::of(defaults));
        }
        for fields in objects(tree, "roles")? {
            self.role(fields);
        }
        for fields in objects(tree, "clients")? {
            self.client(fields);
        }
        for fields in objects(tree, "groups")? {
            self.group(fields);
        }
        if let Some(name) = tree.text("anonymousGroup") {
            let group = self.state.groups.get_key_value(name).map(|(name, _)| Arc::clone(name));
            if group.is_none() {
                self.passed_over.push(format!("the anonymous group {name} does not exist"));
            }
            self.state.anonymous = group;
        }
        Ok(())
    }

    fn role(&mut self, fields: Fields<'_>) {
        let Some(name) = self.new_name(fields, "rolename", |state, name| state.roles.contains_key(name))
        else {
            return;
        };
        let acls: Vec<RoleAcl> = fields.objects("acls").into_iter().flatten().filter_map(acl_of).collect();
        let entry = RoleEntry { texts: texts_of(fields), ..RoleEntry::new(Arc::clone(&name), acls) };
        self.state.roles.insert(name, Arc::new(entry));
    }

    fn client(&mut self, fields: Fields<'_>) {
        let Some(name) = self.new_name(fields, "username", |state, name| state.clients.contains_key(name))
        else {
            return;
        };
        let password = match password_of(fields) {
            Ok(password) => password,
            Err(why) => {
                self.passed_over.push(format!("client {name}: {why}"));
                return;
            }
        };
        let client = Client {
            texts: texts_of(fields),
            client_id: fields.text("clientid").filter(|id| !id.is_empty()).map(Into::into),
            is_disabled: fields.flag("disabled").unwrap_or(false),
            password,
            roles: self.roles_of(fields, &name),
            groups: Ranked::default(),
        };
        self.state.clients.insert(name, Arc::new(client));
    }

    fn group(&mut self, fields: Fields<'_>) {
        let Some(name) = self.new_name(fields, "groupname", |state, name| state.groups.contains_key(name))
        else {
            return;
        };
        let roles = self.roles_of(fields, &name);
        let group = Group { texts: texts_of(fields), roles, ..Group::default() };
        self.state.groups.insert(Arc::clone(&name), Arc::new(group));
        for client in fields.objects("clients").into_iter().flatten() {
            let Some(username) = client.text("username") else { continue };
            if !self.state.join(username, &name, priority_of(client)) {
                self.passed_over
                    .push(format!("group {name}: there is no client {username}, or it is there twice"));
            }
        }
    }

    /// The name of something that was not there before.
    fn new_name(
        &mut self,
        fields: Fields<'_>,
        key: &str,
        is_known: impl Fn(&State, &str) -> bool,
    ) -> Option<Arc<str>> {
        let Some(name) = fields.text(key) else {
            self.passed_over.push(format!("an entry without a {key}"));
            return None;
        };
        if is_known(&self.state, name) {
            self.passed_over.push(format!("a second entry for {key} {name}: the first counts"));
            return None;
        }
        Some(name.into())
    }

    fn roles_of(&mut self, fields: Fields<'_>, of: &str) -> Ranked {
        let mut ranked = Ranked::default();
        for held in fields.objects("roles").into_iter().flatten() {
            let Some(name) = held.text("rolename") else { continue };
            match self.state.roles.get_key_value(name) {
                Some((name, _)) => {
                    ranked.insert(Arc::clone(name), priority_of(held));
                }
                None => self.passed_over.push(format!("{of}: there is no role {name}")),
            }
        }
        ranked
    }
}

fn objects<'a>(tree: Fields<'a>, name: NoList) -> Result<impl Iterator<Item = Fields<'a>>, NoList> {
    if tree.value(name).is_some_and(|value| !value.is_array()) {
        return Err(name);
    }
    Ok(tree.objects(name).into_iter().flatten())
}

fn defaults_of(fields: Fields<'_>) -> Defaults {
    let flag = |name| fields.flag(name).unwrap_or(false);
    Defaults {
        publish: flag("publishClientSend"),
        receive: flag("publishClientReceive"),
        subscribe: flag("subscribe"),
        unsubscribe: flag("unsubscribe"),
    }
}

fn password_of(fields: Fields<'_>) -> Result<Option<PasswordHash>, String> {
    let (salt, hash) = (fields.text("salt"), fields.text("password"));
    let iterations = fields.number("iterations").and_then(|number| u32::try_from(number).ok());
    let (Some(salt), Some(hash), Some(iterations @ 1..)) = (salt, hash, iterations) else { return Ok(None) };
    let scheme = Scheme::pbkdf2(iterations).ok_or("more than 10,000,000 iterations")?;
    Ok(Some(PasswordHash::from_base64(scheme, salt, hash)?))
}

pub(super) fn texts_of(fields: Fields<'_>) -> Texts {
    let text = |name| fields.text(name).map(Into::into);
    Texts { name: text("textname"), description: text("textdescription") }
}

pub(super) fn priority_of(fields: Fields<'_>) -> i32 {
    fields.number("priority").unwrap_or(Ranked::UNRANKED)
}

/// An entry of a role, unless it is of no known type or about no topic.
pub(super) fn acl_of(fields: Fields<'_>) -> Option<RoleAcl> {
    Some(RoleAcl {
        acl_type: acl_type(fields.text("acltype")?)?,
        topic: fields.text("topic")?.into(),
        priority: fields.number("priority").unwrap_or(0),
        allow: fields.flag("allow").unwrap_or(false),
    })
}
