//! Requests: commands are carried out one by one, each answered by name.
//!
//! A command checks everything before it changes anything, so that one that is refused leaves no trace.

use std::borrow::Cow;
use std::sync::Arc;

use martlet_access::Ranked;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::fields::{Fields, Wrong};
use super::file::priority_of;
use super::state::{State, Texts};
use super::views::DefaultAcl;
use super::{Admin, Effects};

/// What came of a command.
pub(super) enum Outcome {
    /// Something was changed.
    Changed,
    /// Something was asked, and this is the answer.
    Data(Box<RawValue>),
}

/// Why a command is refused, in the words of Mosquitto's plug-in, which scripts may look for.
pub(super) type Refusal = Cow<'static, str>;

pub(super) type Result<T = Outcome> = std::result::Result<T, Refusal>;

/// A request being carried out.
pub(super) struct Work<'a> {
    pub(super) state: &'a mut State,
    by: Admin<'a>,
    effects: Effects,
    log: Vec<String>,
    /// Why nothing can be saved, if so.
    broken: Option<&'a str>,
}

#[derive(Serialize)]
struct Answers<'a> {
    responses: Vec<Answer<'a>>,
}

#[derive(Serialize)]
struct Answer<'a> {
    command: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Refusal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    #[serde(rename = "correlationData", skip_serializing_if = "Option::is_none")]
    correlation: Option<&'a str>,
}

impl<'a> Answer<'a> {
    fn error(command: impl Into<Cow<'a, str>>, error: &'static str) -> Self {
        Self { command: command.into(), error: Some(error.into()), data: None, correlation: None }
    }
}

/// What stands for the command where there is none.
const NO_COMMAND: &str = "Unknown command";

impl<'a> Work<'a> {
    pub(super) fn new(state: &'a mut State, by: Admin<'a>, broken: Option<&'a str>) -> Self {
        Self { state, by, effects: Effects::default(), log: Vec::new(), broken }
    }

    pub(super) fn finish(self) -> (Effects, Vec<String>) {
        (self.effects, self.log)
    }

    /// Carries out all commands, and returns the answer.
    pub(super) fn perform(&mut self, request: &[u8]) -> Vec<u8> {
        // What follows the first value, such as the zero that ends texts in C, is not looked at.
        let value = serde_json::Deserializer::from_slice(request).into_iter::<Value>().next();
        let responses = match &value {
            Some(Ok(value)) => match Fields::of(value).list("commands") {
                Some(commands) => self.perform_all(commands),
                None => vec![Answer::error(NO_COMMAND, "Invalid/missing commands")],
            },
            Some(Err(_)) | None => vec![Answer::error(NO_COMMAND, "Payload not valid JSON")],
        };
        serde_json::to_vec(&Answers { responses }).expect("names are texts, and memory takes all of it")
    }

    fn perform_all<'v>(&mut self, commands: &'v [Value]) -> Vec<Answer<'v>> {
        let mut answers = Vec::new();
        for command in commands {
            let fields = Fields::of(command);
            if !command.is_object() {
                answers.push(Answer::error(NO_COMMAND, "Command not an object"));
                continue;
            }
            let Some(name) = fields.text("command") else {
                answers.push(Answer::error(NO_COMMAND, "Missing command"));
                continue;
            };
            let Ok(correlation) = fields.text_or_none("correlationData") else {
                answers.push(Answer::error(name, "Invalid correlationData data type."));
                break; // So does Mosquitto: the commands that follow are not even answered.
            };
            answers.push(Answer { correlation, ..self.perform_one(name, fields) });
        }
        answers
    }

    fn perform_one<'v>(&mut self, name: &'v str, fields: Fields<'_>) -> Answer<'v> {
        let known = Self::COMMANDS.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        let Some((name, command)) = known else { return Answer::error(name, "Unknown command") };
        let before = self.broken.map(|why| (why, self.state.clone(), self.effects.clone(), self.log.len()));
        let (error, data) = match command(self, fields) {
            Ok(Outcome::Data(data)) => (None, Some(data)),
            Err(why) => (Some(why), None),
            Ok(Outcome::Changed) => match before {
                None => {
                    self.effects.has_changed = true;
                    (None, None)
                }
                Some((why, state, effects, log)) => {
                    *self.state = state;
                    self.effects = effects;
                    self.log.truncate(log);
                    (Some(why.to_owned().into()), None)
                }
            },
        };
        Answer { command: name.into(), error, data, correlation: None }
    }

    /// Clients of this username are to be disconnected.
    pub(super) fn kick(&mut self, username: &Arc<str>) {
        self.effects.kick(Some(Arc::clone(username)));
    }

    /// Clients without a username are to be disconnected.
    pub(super) fn kick_anonymous(&mut self) {
        self.effects.kick(None);
    }

    /// Everybody in a group is to be disconnected.
    pub(super) fn kick_group(&mut self, name: &str) {
        if self.state.anonymous.as_deref() == Some(name) {
            self.kick_anonymous();
        }
        if let Some(group) = self.state.groups.get(name) {
            group.clients.keys().for_each(|username| self.effects.kick(Some(Arc::clone(username))));
        }
    }

    /// Says in the log what was done.
    pub(super) fn log(&mut self, what: impl std::fmt::Display) {
        let Admin { client_id, username } = self.by;
        self.log.push(format!("dynsec: {client_id}/{} | {what}", username.unwrap_or("(null)")));
    }
}

type Command<'a> = fn(&mut Work<'a>, Fields<'_>) -> Result;

impl<'a> Work<'a> {
    /// Every command.
    const COMMANDS: [(&'static str, Command<'a>); 31] = [
        ("setDefaultACLAccess", Work::set_default_access),
        ("getDefaultACLAccess", Work::get_default_access),
        ("createClient", Work::create_client),
        ("deleteClient", Work::delete_client),
        ("getClient", Work::get_client),
        ("listClients", Work::list_clients),
        ("modifyClient", Work::modify_client),
        ("setClientPassword", Work::set_client_password),
        ("setClientId", Work::set_client_id),
        ("addClientRole", Work::add_client_role),
        ("removeClientRole", Work::remove_client_role),
        ("enableClient", Work::enable_client),
        ("disableClient", Work::disable_client),
        ("addGroupClient", Work::add_group_client),
        ("createGroup", Work::create_group),
        ("deleteGroup", Work::delete_group),
        ("getGroup", Work::get_group),
        ("listGroups", Work::list_groups),
        ("modifyGroup", Work::modify_group),
        ("removeGroupClient", Work::remove_group_client),
        ("addGroupRole", Work::add_group_role),
        ("removeGroupRole", Work::remove_group_role),
        ("setAnonymousGroup", Work::set_anonymous_group),
        ("getAnonymousGroup", Work::get_anonymous_group),
        ("createRole", Work::create_role),
        ("getRole", Work::get_role),
        ("listRoles", Work::list_roles),
        ("modifyRole", Work::modify_role),
        ("deleteRole", Work::delete_role),
        ("addRoleACL", Work::add_role_acl),
        ("removeRoleACL", Work::remove_role_acl),
    ];
}

impl Work<'_> {
    fn set_default_access(&mut self, fields: Fields<'_>) -> Result {
        let acls = fields.list("acls").ok_or("Missing/invalid actions array")?;
        for acl in acls.iter().map(Fields::of) {
            let (Some(name), Some(allow)) = (acl.text("acltype"), acl.flag("allow")) else { continue };
            let defaults = &mut self.state.defaults;
            match name.to_ascii_lowercase().as_str() {
                "publishclientsend" => defaults.publish = allow,
                "publishclientreceive" => defaults.receive = allow,
                "subscribe" => defaults.subscribe = allow,
                "unsubscribe" => defaults.unsubscribe = allow,
                _ => {}
            }
            self.log(format_args!("setDefaultACLAccess | acltype={name} | allow={allow}"));
        }
        Ok(Outcome::Changed)
    }

    fn get_default_access(&mut self, _: Fields<'_>) -> Result {
        #[derive(Serialize)]
        struct Data {
            acls: [DefaultAcl; 4],
        }
        self.log("getDefaultACLAccess");
        data(Data { acls: DefaultAcl::all(self.state.defaults) })
    }
}

/// An answer made of this.
pub(super) fn data(data: impl Serialize) -> Result {
    Ok(Outcome::Data(to_raw_value(&data).expect("names are texts, and memory takes all of it")))
}

/// A name that must be there.
pub(super) fn name<'a>(
    fields: Fields<'a>,
    key: &str,
    missing: &'static str,
    illegal: &'static str,
) -> Result<&'a str> {
    let name = fields.text(key).ok_or(missing)?;
    if is_legal(name) { Ok(name) } else { Err(illegal.into()) }
}

pub(super) fn username(fields: Fields<'_>) -> Result<&str> {
    name(fields, "username", "Invalid/missing username", "Username not valid UTF-8")
}

pub(super) fn group_name(fields: Fields<'_>) -> Result<&str> {
    name(fields, "groupname", "Invalid/missing groupname", "Group name not valid UTF-8")
}

pub(super) fn role_name(fields: Fields<'_>) -> Result<&str> {
    name(fields, "rolename", "Invalid/missing rolename", "Role name not valid UTF-8")
}

/// A text that may be missing, but is nothing else.
pub(super) fn text<'a>(fields: Fields<'a>, key: &str, wrong: &'static str) -> Result<Option<&'a str>> {
    fields.text_or_none(key).map_err(|Wrong| wrong.into())
}

/// What people write about something, where it is made.
pub(super) fn texts(fields: Fields<'_>) -> Result<Texts> {
    Ok(Texts {
        name: text(fields, "textname", "Invalid/missing textname")?.map(Into::into),
        description: text(fields, "textdescription", "Invalid/missing textdescription")?.map(Into::into),
    })
}

/// What people write about something, where it is changed: what is no text changes nothing.
pub(super) fn change_texts(texts: &mut Texts, fields: Fields<'_>) {
    if let Some(name) = fields.text("textname") {
        texts.name = Some(name.into());
    }
    if let Some(description) = fields.text("textdescription") {
        texts.description = Some(description.into());
    }
}

/// Why a list of roles cannot be taken.
pub(super) enum BadRoles {
    /// It is no list, or something in it has no name.
    Malformed,
    /// There is no such role.
    Unknown,
}

/// The roles of a list, if there is one.
pub(super) fn roles(fields: Fields<'_>, state: &State) -> std::result::Result<Option<Ranked>, BadRoles> {
    let Some(list) = fields.value("roles") else { return Ok(None) };
    let list = list.as_array().ok_or(BadRoles::Malformed)?;
    let mut ranked = Ranked::default();
    for held in list.iter().map(Fields::of) {
        let name = held.text("rolename").ok_or(BadRoles::Malformed)?;
        let (name, _) = state.roles.get_key_value(name).ok_or(BadRoles::Unknown)?;
        ranked.insert(Arc::clone(name), priority_of(held));
    }
    Ok(Some(ranked))
}

/// The part of a list that was asked for by `count` and `offset`.
pub(super) fn page<T>(fields: Fields<'_>, all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    let offset = fields.number("offset").and_then(|offset| usize::try_from(offset).ok()).unwrap_or(0);
    let count = fields.number("count").and_then(|count| usize::try_from(count).ok());
    // Of none one is given all the same, as Mosquitto does.
    all.skip(offset).take(count.map_or(usize::MAX, |count| count.max(1)))
}

/// The line of the log about a list that was asked for.
pub(super) fn paging(fields: Fields<'_>) -> String {
    format!(
        "verbose={} | count={} | offset={}",
        fields.flag("verbose").unwrap_or(false),
        fields.number("count").unwrap_or(-1),
        fields.number("offset").unwrap_or(0)
    )
}

/// Whether MQTT, as strict as Mosquitto reads it, takes this for a text.
pub(super) fn is_legal(text: &str) -> bool {
    let is_legal = |character: char| {
        let code = u32::from(character);
        let is_noncharacter = (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe;
        !character.is_control() && !is_noncharacter
    };
    text.len() <= 65_535 && text.chars().all(is_legal)
}
