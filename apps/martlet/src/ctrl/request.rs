//! A command of `dynsec` and its words, as the request the broker understands. [`COMMANDS`] is the one place that says
//! which there are.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::passwd::prompt;

/// Why there is no request.
#[derive(Debug)]
pub(super) enum Misuse {
    /// Nobody knows the command.
    Unknown,
    /// The words do not fit; this is how they should.
    Arguments(String),
    /// The password that was asked for was not given.
    Prompt(anyhow::Error),
}

/// A command: its name, and what its words are.
struct Command {
    name: &'static str,
    fields: &'static [Field],
    heading: &'static str,
}

/// A word of a command: its key in the request, and what it may be.
struct Field {
    key: &'static str,
    kind: Kind,
    is_required: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// Asked for when it is not given.
    Password,
    /// Sent when it is above 0.
    Count,
    /// Sent unless it is -1, which is the default.
    Priority,
    /// One of the kinds of access of a role.
    RoleAcl,
    /// One of the kinds of access that have a default.
    DefaultAcl,
    /// Whether something is allowed.
    Allow,
}

const fn required(key: &'static str, kind: Kind) -> Field {
    Field { key, kind, is_required: true }
}

const fn optional(key: &'static str, kind: Kind) -> Field {
    Field { key, kind, is_required: false }
}

const fn command(heading: &'static str, name: &'static str, fields: &'static [Field]) -> Command {
    Command { name, fields, heading }
}

const USERNAME: Field = required("username", Kind::Text);
const GROUP: Field = required("groupname", Kind::Text);
const ROLE: Field = required("rolename", Kind::Text);
const PRIORITY: Field = optional("priority", Kind::Priority);
const PAGE: &[Field] = &[optional("count", Kind::Count), optional("offset", Kind::Count)];
const ACL: Field = required("acltype", Kind::RoleAcl);
const TOPIC: Field = required("topic", Kind::Text);
const ALLOW: Field = required("allow", Kind::Allow);

const COMMANDS: &[Command] = &[
    command("General", "getDefaultACLAccess", &[]),
    command("General", "setDefaultACLAccess", &[required("acltype", Kind::DefaultAcl), ALLOW]),
    command("General", "getAnonymousGroup", &[]),
    command("General", "setAnonymousGroup", &[GROUP]),
    command("Clients", "createClient", &[USERNAME]),
    command("Clients", "deleteClient", &[USERNAME]),
    command("Clients", "setClientPassword", &[USERNAME, optional("password", Kind::Password)]),
    command("Clients", "setClientId", &[USERNAME, optional("clientid", Kind::Text)]),
    command("Clients", "addClientRole", &[USERNAME, ROLE, PRIORITY]),
    command("Clients", "removeClientRole", &[USERNAME, ROLE, PRIORITY]),
    command("Clients", "getClient", &[USERNAME]),
    command("Clients", "listClients", PAGE),
    command("Clients", "enableClient", &[USERNAME]),
    command("Clients", "disableClient", &[USERNAME]),
    command("Groups", "createGroup", &[GROUP]),
    command("Groups", "deleteGroup", &[GROUP]),
    command("Groups", "addGroupRole", &[GROUP, ROLE, PRIORITY]),
    command("Groups", "removeGroupRole", &[GROUP, ROLE, PRIORITY]),
    command("Groups", "addGroupClient", &[GROUP, USERNAME, PRIORITY]),
    command("Groups", "removeGroupClient", &[GROUP, USERNAME, PRIORITY]),
    command("Groups", "getGroup", &[GROUP]),
    command("Groups", "listGroups", PAGE),
    command("Roles", "createRole", &[ROLE]),
    command("Roles", "deleteRole", &[ROLE]),
    command("Roles", "addRoleACL", &[ROLE, ACL, TOPIC, ALLOW, PRIORITY]),
    command("Roles", "removeRoleACL", &[ROLE, ACL, TOPIC]),
    command("Roles", "getRole", &[ROLE]),
    command("Roles", "listRoles", PAGE),
];

const DEFAULT_ACLS: [&str; 4] = ["publishClientSend", "publishClientReceive", "subscribe", "unsubscribe"];
const ROLE_ACLS: [&str; 6] = [
    "publishClientSend",
    "publishClientReceive",
    "subscribeLiteral",
    "subscribePattern",
    "unsubscribeLiteral",
    "unsubscribePattern",
];

/// The request that carries the command out.
pub(super) fn build(name: &str, words: &[&str]) -> Result<Value, Misuse> {
    let known = COMMANDS.iter().find(|known| known.name.eq_ignore_ascii_case(name));
    let known = known.ok_or(Misuse::Unknown)?;
    let misuse = || Misuse::Arguments(known.usage());
    let mut request = Map::new();
    request.insert("command".to_owned(), known.name.into());
    let words = if known.name == "createClient" { create_client(words, &mut request)? } else { words };
    let least = known.fields.iter().filter(|field| field.is_required).count();
    if !(least..=known.fields.len()).contains(&words.len()) {
        return Err(misuse());
    }
    for (at, field) in known.fields.iter().enumerate() {
        let value = match words.get(at) {
            Some(word) => field.kind.value(word).ok_or_else(misuse)?,
            None if field.kind == Kind::Password => ask_password(words)?,
            None => Value::Null,
        };
        if !value.is_null() {
            request.insert(field.key.to_owned(), value);
        }
    }
    if known.name == "setDefaultACLAccess" {
        let acl: Map<_, _> =
            ["acltype", "allow"].iter().filter_map(|key| request.remove_entry(*key)).collect();
        request.insert("acls".to_owned(), json!([acl]));
    }
    Ok(json!({ "commands": [request] }))
}

/// The words of `createClient` but the options among them; the password is asked for when `-p` does not give it.
fn create_client<'a>(
    words: &'a [&'a str],
    request: &mut Map<String, Value>,
) -> Result<&'a [&'a str], Misuse> {
    let [username, options @ ..] = words else { return Ok(words) };
    let misuse = || Misuse::Arguments("createClient <username> [-c clientid] [-p password]".to_owned());
    let mut has_password = false;
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let key = match *option {
            "-c" | "-i" => "clientid",
            "-p" => "password",
            _ => return Err(misuse()),
        };
        has_password |= key == "password";
        request.insert(key.to_owned(), (*options.next().ok_or_else(misuse)?).into());
    }
    if !has_password {
        super::print(&format!(
            "Enter new password for {username}. Press return for no password (user will be unable to login).\n"
        ));
        let again = format!("Reenter password for {username}: ");
        let password = prompt::twice_or_none(&format!("New password for {username}: "), &again);
        if let Some(password) = password.map_err(Misuse::Prompt)? {
            request.insert("password".to_owned(), password.into());
        }
    }
    Ok(&words[..1])
}

fn ask_password(words: &[&str]) -> Result<Value, Misuse> {
    let name = words.first().copied().unwrap_or_default();
    let again = format!("Reenter password for {name}: ");
    let password = prompt::twice(&format!("New password for {name}: "), &again);
    password.map(Value::from).map_err(Misuse::Prompt)
}

impl Kind {
    /// What the word is in the request; null where it goes without saying, none where it is wrong.
    fn value(self, word: &str) -> Option<Value> {
        let one_of = |names: &[&'static str]| {
            names.iter().find(|name| name.eq_ignore_ascii_case(word)).map(|name| Value::from(*name))
        };
        match self {
            Self::Text | Self::Password => Some(word.into()),
            Self::Count => {
                super::number(word).ok().map(|count| if count > 0 { count.into() } else { Value::Null })
            }
            Self::Priority => {
                super::number(word).ok().map(|rank| if rank == -1 { Value::Null } else { rank.into() })
            }
            Self::RoleAcl => one_of(&ROLE_ACLS),
            Self::DefaultAcl => one_of(&DEFAULT_ACLS),
            Self::Allow if word.eq_ignore_ascii_case("allow") => Some(true.into()),
            Self::Allow if word.eq_ignore_ascii_case("deny") => Some(false.into()),
            Self::Allow => None,
        }
    }
}

impl Command {
    fn usage(&self) -> String {
        let mut usage = self.name.to_owned();
        for field in self.fields {
            let word = if field.kind == Kind::Allow { "allow|deny" } else { field.key };
            let written = match (field.is_required, field.kind) {
                (true, Kind::Allow) => write!(usage, " {word}"),
                (true, _) => write!(usage, " <{word}>"),
                (false, _) => write!(usage, " [{word}]"),
            };
            written.expect("a String takes everything");
        }
        if self.name == "createClient" {
            usage.push_str(" [-c clientid] [-p password]");
        }
        usage
    }
}

/// All commands.
pub(super) fn help() -> String {
    let mut help = "Dynamic security: who may do what, changed while the broker runs.\n\n  \
                    init <new-file> <admin-username> [admin-password]\n"
        .to_owned();
    let mut heading = "";
    for known in COMMANDS {
        if heading != known.heading {
            heading = known.heading;
            help.push_str(&format!("\n{heading}\n"));
        }
        help.push_str(&format!("  {}\n", known.usage()));
    }
    help.push_str(&format!(
        "\nacltype of a default: {}\nacltype of a role:    {}\nOf several rules that match, the one with the highest \
         priority counts.\n",
        DEFAULT_ACLS.join("|"),
        ROLE_ACLS.join("|")
    ));
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> String {
        let words: Vec<_> = line.split(' ').collect();
        build(words[0], &words[1..]).unwrap()["commands"][0].to_string()
    }

    #[test]
    fn commands_become_requests() {
        for (line, expected) in [
            (
                "createClient bob -p pw -c cid",
                json!({"command": "createClient", "username": "bob", "password": "pw", "clientid": "cid"}),
            ),
            ("setclientid bob", json!({"command": "setClientId", "username": "bob"})),
            (
                "setClientPassword bob pw",
                json!({"command": "setClientPassword", "username": "bob", "password": "pw"}),
            ),
            (
                "addClientRole bob r 5",
                json!({"command": "addClientRole", "username": "bob", "rolename": "r", "priority": 5}),
            ),
            (
                "addGroupClient g bob -1",
                json!({"command": "addGroupClient", "groupname": "g", "username": "bob"}),
            ),
            ("listRoles 10 20", json!({"command": "listRoles", "count": 10, "offset": 20})),
            ("listRoles", json!({"command": "listRoles"})),
            (
                "addRoleACL r subscribeliteral a/b deny",
                json!({"command": "addRoleACL", "rolename": "r", "acltype": "subscribeLiteral", "topic": "a/b", "allow": false}),
            ),
            (
                "setDefaultACLAccess subscribe allow",
                json!({"command": "setDefaultACLAccess", "acls": [{"acltype": "subscribe", "allow": true}]}),
            ),
        ] {
            assert_eq!(serde_json::from_str::<Value>(&request(line)).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for line in [
            "deleteClient",
            "deleteClient a b",
            "createClient bob -p",
            "createClient bob -x y",
            "addRoleACL r subscribe a allow",
            "addRoleACL r subscribeLiteral a maybe",
            "listRoles many",
            "setDefaultACLAccess subscribeLiteral allow",
        ] {
            let words: Vec<_> = line.split(' ').collect();
            assert!(matches!(build(words[0], &words[1..]), Err(Misuse::Arguments(_))), "{line}");
        }
        assert!(matches!(build("makeTea", &[]), Err(Misuse::Unknown)));
    }

    #[test]
    fn help_names_every_command() {
        let help = help();
        assert!(COMMANDS.iter().all(|known| help.contains(known.name)));
        assert!(help.contains("addRoleACL <rolename> <acltype> <topic> allow|deny [priority]"));
    }
}
