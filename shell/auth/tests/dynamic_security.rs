//! Dynamic security as an administrator sees it: commands in, answers, effects and a file out.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use martlet_access::Access;
use martlet_auth::{Accounts, Admin, Credentials, DynamicSecurity, Effects, Handled, Tally, Verdict};
use martlet_topic::{Limits, TopicName};
use serde_json::{Value, json};

const ADMIN: Admin<'_> = Admin { client_id: "ctrl", username: Some("admin") };

struct Fixture {
    folder: tempfile::TempDir,
    security: DynamicSecurity,
}

impl Fixture {
    fn path(&self) -> PathBuf {
        path_in(&self.folder)
    }

    fn send(&mut self, commands: &[Value]) -> Handled {
        let request = json!({ "commands": commands });
        self.security.handle(request.to_string().as_bytes(), ADMIN)
    }

    /// The one answer to one command.
    #[track_caller]
    fn answer(&mut self, command: Value) -> Value {
        let answer: Value = serde_json::from_slice(&self.send(&[command]).response).expect("JSON");
        let [answer] = &answer["responses"].as_array().expect("a list")[..] else { panic!("{answer}") };
        answer.clone()
    }

    #[track_caller]
    fn do_it(&mut self, command: Value) -> Effects {
        let name = command["command"].clone();
        let Handled { response, effects, error, .. } = self.send(&[command]);
        let response: Value = serde_json::from_slice(&response).expect("JSON");
        assert_eq!(response, json!({ "responses": [{ "command": name }] }));
        assert!(effects.has_changed && error.is_none());
        effects
    }

    #[track_caller]
    fn assert_refused(&mut self, command: Value, error: &str) {
        let name = command["command"].clone();
        let before = fs::read(self.path()).expect("the file");
        assert_eq!(self.answer(command), json!({ "command": name, "error": error }));
        assert_eq!(fs::read(self.path()).expect("the file"), before);
    }

    fn publishes(&self, username: Option<&str>, topic: &str) -> bool {
        let access = Access::default().with_roles(Arc::clone(self.security.roles()));
        let name = TopicName::parse(topic, &Limits::default()).expect("a legal name");
        access.permit("c", username).publish(name).is_allowed()
    }

    fn enters(&self, username: &str, password: &str) -> Verdict {
        let accounts = Accounts::new(false, Some(Arc::clone(self.security.members())), None);
        let credentials = Credentials {
            client_id: "c".into(),
            username: Some(username.into()),
            password: Some(password.into()),
        };
        accounts.check(&credentials, &Tally::default())
    }

    fn reopen(&mut self) {
        let (security, problems) = DynamicSecurity::open(&self.path()).expect("what was saved can be read");
        assert!(problems.is_empty(), "{problems:?}");
        self.security = security;
    }
}

fn path_in(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("dynamic-security.json")
}

fn fresh() -> Fixture {
    let folder = tempfile::tempdir().expect("a folder");
    DynamicSecurity::init(&path_in(&folder), "admin", &"secret".into()).expect("made");
    let (security, problems) = DynamicSecurity::open(&path_in(&folder)).expect("read");
    assert!(problems.is_empty());
    Fixture { folder, security }
}

/// A role that publishes to `TOPIC`, a group that holds it, and a client in that group.
fn with_group() -> Fixture {
    let mut node = fresh();
    node.do_it(json!({ "command": "createRole", "rolename": "sender", "acls": [
        { "acltype": "publishClientSend", "topic": "news/#", "allow": true },
    ] }));
    node.do_it(
        json!({ "command": "createGroup", "groupname": "press", "roles": [{ "rolename": "sender" }] }),
    );
    node.do_it(json!({ "command": "createClient", "username": "ada", "password": "pw",
        "groups": [{ "groupname": "press", "priority": 3 }] }));
    node
}

fn kicks(usernames: &[&str]) -> Effects {
    Effects { has_changed: true, kick: usernames.iter().map(|name| Some((*name).into())).collect() }
}

#[test]
fn an_administrator_comes_first_and_nobody_else_does() {
    let mut node = fresh();
    assert_eq!(fs::metadata(node.path()).expect("the file").permissions().mode() & 0o777, 0o600);
    assert_eq!(node.enters("admin", "secret"), Verdict::Welcome);
    assert!(node.publishes(Some("admin"), "$CONTROL/dynamic-security/v1"));
    assert!(!node.publishes(Some("admin"), "news") && !node.publishes(None, "news"));
    assert_eq!(
        node.answer(json!({ "command": "getDefaultACLAccess" })),
        json!({ "command": "getDefaultACLAccess", "data": { "acls": [
            { "acltype": "publishClientSend", "allow": false },
            { "acltype": "publishClientReceive", "allow": true },
            { "acltype": "subscribe", "allow": false },
            { "acltype": "unsubscribe", "allow": true },
        ] } })
    );
    let again = DynamicSecurity::init(&node.path(), "eve", &"x".into()).expect_err("it is there");
    assert!(again.to_string().contains("is there already"), "{again}");
}

#[test]
fn what_was_changed_holds_at_once_and_after_a_restart() {
    let mut node = with_group();
    for _ in 0..2 {
        assert_eq!(node.enters("ada", "pw"), Verdict::Welcome);
        assert!(node.publishes(Some("ada"), "news/today") && !node.publishes(Some("ada"), "other"));
        node.reopen();
    }
    assert_eq!(
        node.answer(json!({ "command": "getClient", "username": "ada" })),
        json!({ "command": "getClient", "data": { "client": {
            "username": "ada", "roles": [], "groups": [{ "groupname": "press", "priority": 3 }],
        } } })
    );
    assert_eq!(
        node.answer(json!({ "command": "getGroup", "groupname": "press", "correlationData": "7" })),
        json!({ "command": "getGroup", "correlationData": "7", "data": { "group": {
            "groupname": "press", "clients": [{ "username": "ada" }], "roles": [{ "rolename": "sender" }],
        } } })
    );
}

#[test]
fn whom_a_change_concerns_is_disconnected() {
    let mut node = with_group();
    let effects = node.do_it(json!({ "command": "addRoleACL", "rolename": "sender",
        "acltype": "publishClientSend", "topic": "news/secret", "allow": false, "priority": 5 }));
    assert_eq!(effects, kicks(&["ada"]));
    assert!(!node.publishes(Some("ada"), "news/secret") && node.publishes(Some("ada"), "news/x"));
    let effects = node.do_it(json!({ "command": "removeRoleACL", "rolename": "sender",
        "acltype": "PublishClientSend", "topic": "news/secret" }));
    assert_eq!(effects, kicks(&["ada"]));
    assert!(node.publishes(Some("ada"), "news/secret"));

    // Those who hold a role that is modified stay, with other permits.
    let effects = node.do_it(json!({ "command": "modifyRole", "rolename": "sender", "acls": [] }));
    assert_eq!(effects, kicks(&[]));
    assert!(!node.publishes(Some("ada"), "news/x"));

    for (command, expected) in [
        (json!({ "command": "disableClient", "username": "ada" }), &["ada"][..]),
        (json!({ "command": "enableClient", "username": "ada" }), &[]),
        (json!({ "command": "setClientPassword", "username": "ada", "password": "new" }), &["ada"]),
        (json!({ "command": "setClientId", "username": "ada", "clientid": "c9" }), &["ada"]),
        (json!({ "command": "modifyClient", "username": "ada", "textname": "Ada" }), &["ada"]),
        (json!({ "command": "addClientRole", "username": "ada", "rolename": "admin" }), &["ada"]),
        (json!({ "command": "removeClientRole", "username": "ada", "rolename": "admin" }), &["ada"]),
        (json!({ "command": "removeGroupClient", "username": "ada", "groupname": "press" }), &["ada"]),
        (json!({ "command": "addGroupClient", "username": "ada", "groupname": "press" }), &["ada"]),
        (json!({ "command": "addGroupRole", "groupname": "press", "rolename": "admin" }), &["ada"]),
        (json!({ "command": "removeGroupRole", "groupname": "press", "rolename": "admin" }), &["ada"]),
        (
            json!({ "command": "modifyGroup", "groupname": "press", "clients": [{ "username": "admin" }] }),
            &["ada", "admin"],
        ),
        (json!({ "command": "deleteRole", "rolename": "sender" }), &["admin"]),
        (json!({ "command": "deleteGroup", "groupname": "press" }), &["admin"]),
        (json!({ "command": "deleteClient", "username": "ada" }), &["ada"]),
    ] {
        let name = command.to_string();
        assert_eq!(node.do_it(command), kicks(expected), "{name}");
        node.reopen();
    }
}

#[test]
fn a_client_is_checked_by_what_was_set_for_it() {
    let mut node = with_group();
    node.do_it(json!({ "command": "setClientPassword", "username": "ada", "password": "new" }));
    assert_eq!(
        (node.enters("ada", "pw"), node.enters("ada", "new")),
        (Verdict::WrongPassword, Verdict::Welcome)
    );
    node.do_it(json!({ "command": "setClientId", "username": "ada", "clientid": "other" }));
    assert_eq!(node.enters("ada", "new"), Verdict::OtherClientId);
    node.do_it(json!({ "command": "modifyClient", "username": "ada", "clientid": "", "password": "third" }));
    node.reopen();
    assert_eq!(node.enters("ada", "third"), Verdict::Welcome);
    node.do_it(json!({ "command": "disableClient", "username": "ada" }));
    node.reopen();
    assert_eq!(node.enters("ada", "third"), Verdict::Disabled);
}

#[test]
fn the_anonymous_have_a_group() {
    let mut node = with_group();
    let nobody = json!({ "command": "getAnonymousGroup", "data": { "group": { "groupname": "" } } });
    assert_eq!(node.answer(json!({ "command": "getAnonymousGroup" })), nobody);
    let effects = node.do_it(json!({ "command": "setAnonymousGroup", "groupname": "press" }));
    assert_eq!(effects.kick, [None]);
    node.reopen();
    assert!(node.publishes(None, "news/x"));
    node.assert_refused(
        json!({ "command": "deleteGroup", "groupname": "press" }),
        "Deleting the anonymous group is forbidden",
    );
    let effects = node.do_it(json!({ "command": "modifyGroup", "groupname": "press", "roles": [] }));
    assert_eq!(effects.kick, [None, Some("ada".into())]);
    assert!(!node.publishes(None, "news/x"));
}

#[test]
fn higher_priorities_speak_first() {
    let mut node = with_group();
    let deny = json!([{ "acltype": "publishClientSend", "topic": "news/#", "allow": false }]);
    node.do_it(json!({ "command": "createRole", "rolename": "mute", "acls": deny }));
    node.do_it(json!({ "command": "createGroup", "groupname": "muted", "roles": [{ "rolename": "mute" }] }));
    node.do_it(
        json!({ "command": "addGroupClient", "username": "ada", "groupname": "muted", "priority": 2 }),
    );
    assert!(node.publishes(Some("ada"), "news/x"), "press has priority 3");
    node.do_it(json!({ "command": "removeGroupClient", "username": "ada", "groupname": "muted" }));
    node.do_it(
        json!({ "command": "addGroupClient", "username": "ada", "groupname": "muted", "priority": 4 }),
    );
    assert!(!node.publishes(Some("ada"), "news/x"));
    node.do_it(
        json!({ "command": "addClientRole", "username": "ada", "rolename": "sender", "priority": -9 }),
    );
    assert!(node.publishes(Some("ada"), "news/x"), "its own roles come before those of its groups");
}

#[test]
fn lists_come_whole_and_in_pages() {
    let mut node = with_group();
    for name in ["bob", "cid"] {
        node.do_it(json!({ "command": "createClient", "username": name }));
    }
    let mut list = |fields: Value| {
        let mut command = fields;
        command["command"] = "listClients".into();
        let answer = node.answer(command);
        assert_eq!(answer["data"]["totalCount"], 4);
        answer["data"]["clients"].clone()
    };
    assert_eq!(list(json!({})), json!(["ada", "admin", "bob", "cid"]));
    assert_eq!(list(json!({ "count": 2, "offset": 1 })), json!(["admin", "bob"]));
    assert_eq!(list(json!({ "offset": 9 })), json!([]));
    assert_eq!(list(json!({ "count": 1, "verbose": true }))[0]["groups"][0]["groupname"], "press");
    let roles = node.answer(json!({ "command": "listRoles", "verbose": true, "offset": 1 }));
    assert_eq!(
        roles["data"]["roles"],
        json!([{ "rolename": "sender", "acls": [
            { "acltype": "publishClientSend", "topic": "news/#", "priority": 0, "allow": true },
        ] }])
    );
    let groups = node.answer(json!({ "command": "listGroups" }));
    assert_eq!(groups["data"], json!({ "totalCount": 1, "groups": ["press"] }));
}

#[test]
fn what_is_wrong_with_a_command_is_said_in_the_words_of_mosquitto() {
    let mut node = with_group();
    for (command, error) in [
        (json!({ "command": "createClient" }), "Invalid/missing username"),
        (json!({ "command": "createClient", "username": "\u{ffff}" }), "Username not valid UTF-8"),
        (json!({ "command": "createClient", "username": "a\u{7}" }), "Username not valid UTF-8"),
        (json!({ "command": "createClient", "username": "x", "password": 1 }), "Invalid/missing password"),
        (json!({ "command": "createClient", "username": "x", "clientid": 1 }), "Invalid/missing client id"),
        (json!({ "command": "createClient", "username": "x", "textname": 1 }), "Invalid/missing textname"),
        (json!({ "command": "createClient", "username": "ada" }), "Client already exists"),
        (
            json!({ "command": "createClient", "username": "x", "roles": "y" }),
            "'roles' not an array or missing/invalid rolename",
        ),
        (
            json!({ "command": "createClient", "username": "x", "roles": [{ "rolename": "y" }] }),
            "Role not found",
        ),
        (
            json!({ "command": "createClient", "username": "x", "groups": [{ "groupname": "y" }] }),
            "Group not found",
        ),
        (json!({ "command": "deleteClient", "username": "\u{ffff}" }), "Client not found"),
        (
            json!({ "command": "setClientPassword", "username": "ada", "password": "" }),
            "Empty password is not allowed",
        ),
        (json!({ "command": "setClientId", "username": "ada", "clientid": 1 }), "Invalid/missing client ID"),
        (
            json!({ "command": "modifyClient", "username": "ada", "groups": [{ "groupname": "y" }] }),
            "'groups' contains an object with a 'groupname' that does not exist",
        ),
        (json!({ "command": "addClientRole", "username": "admin", "rolename": "admin" }), "Internal error"),
        (json!({ "command": "createGroup", "groupname": "x", "roles": 1 }), "Internal error"),
        (
            json!({ "command": "addGroupRole", "groupname": "press", "rolename": "sender" }),
            "Group is already in this role",
        ),
        (
            json!({ "command": "addGroupClient", "groupname": "press", "username": "ada" }),
            "Client is already in this group",
        ),
        (json!({ "command": "getGroup", "groupname": "x" }), "Group not found"),
        (json!({ "command": "modifyRole", "rolename": "x" }), "Role does not exist"),
        (
            json!({ "command": "addRoleACL", "rolename": "sender", "acltype": "x", "topic": "y" }),
            "Unknown acltype",
        ),
        (
            json!({ "command": "addRoleACL", "rolename": "sender", "acltype": "subscribeLiteral", "topic": "a/#/b" }),
            "Invalid ACL topic",
        ),
        (
            json!({ "command": "addRoleACL", "rolename": "sender", "acltype": "publishClientSend", "topic": "news/#" }),
            "ACL with this topic already exists",
        ),
        (
            json!({ "command": "removeRoleACL", "rolename": "sender", "acltype": "publishClientSend", "topic": "x" }),
            "ACL not found",
        ),
        (json!({ "command": "setDefaultACLAccess" }), "Missing/invalid actions array"),
        (json!({ "command": "fly" }), "Unknown command"),
    ] {
        node.assert_refused(command, error);
    }
}

#[test]
fn a_request_that_is_none_is_answered_all_the_same() {
    let mut node = fresh();
    let mut answer = |request: &[u8]| -> Value {
        let answer: Value =
            serde_json::from_slice(&node.security.handle(request, ADMIN).response).expect("JSON");
        answer["responses"].clone()
    };
    let error = |text: &str| json!([{ "command": "Unknown command", "error": text }]);
    for request in [&b""[..], b"{", b"\xff", b"{\"commands\":"] {
        assert_eq!(answer(request), error("Payload not valid JSON"));
    }
    for request in [&b"{}"[..], b"[]", b"7", b"{\"commands\":{}}"] {
        assert_eq!(answer(request), error("Invalid/missing commands"));
    }
    assert_eq!(answer(b"{\"commands\":[1]}"), error("Command not an object"));
    assert_eq!(answer(b"{\"commands\":[{}]}"), error("Missing command"));
    assert_eq!(answer(b"{\"Commands\":[]}\0"), json!([]));
    let odd = br#"{"commands":[{"command":"listRoles","correlationData":1},{"command":"listRoles"}]}"#;
    let expected = json!([{ "command": "listRoles", "error": "Invalid correlationData data type." }]);
    assert_eq!(answer(odd), expected);
}

#[test]
fn who_did_what_is_logged_without_passwords() {
    let mut node = fresh();
    let Handled { log, .. } =
        node.send(&[json!({ "command": "createClient", "username": "ada", "password": "hunter2" })]);
    assert_eq!(log, ["dynsec: ctrl/admin | createClient | username=ada | password=*****"]);
}

#[test]
fn what_cannot_be_saved_does_not_hold() {
    let mut node = with_group();
    let before = fs::read(node.path()).expect("the file");
    // A folder in the place of the new version: nothing can be written there, whoever tries.
    let beside = format!("{}.{}.new", node.path().display(), std::process::id());
    fs::create_dir(&beside).expect("a folder");
    let Handled { response, effects, log, error } = node.send(&[
        json!({ "command": "listClients" }),
        json!({ "command": "createClient", "username": "bob" }),
        json!({ "command": "createClient", "username": "ada" }),
        json!({ "command": "listClients" }),
    ]);
    let folder = node.folder.path().display().to_string();
    let error = error.expect("it could not be saved").to_string();
    assert!(error.contains(&format!("the folder {folder} must be writable")), "{error}");
    assert_eq!((effects, log.len()), (Effects::default(), 2));

    let response: Value = serde_json::from_slice(&response).expect("JSON");
    let clients = json!({ "totalCount": 2, "clients": ["ada", "admin"] });
    assert_eq!(
        response["responses"],
        json!([
            { "command": "listClients", "data": clients },
            { "command": "createClient", "error": error },
            { "command": "createClient", "error": "Client already exists" },
            { "command": "listClients", "data": clients },
        ])
    );
    assert_eq!(fs::read(node.path()).expect("the file"), before);
    assert_eq!(node.enters("bob", "x"), Verdict::UnknownUser);

    fs::remove_dir(&beside).expect("removed");
    node.do_it(json!({ "command": "createClient", "username": "bob" }));
    let refused = fs::create_dir(&beside).map(|()| DynamicSecurity::open(&node.path()));
    let text = refused.expect("a folder").expect_err("nothing could be saved later").to_string();
    assert!(text.contains("cannot be saved") && text.contains("chown"), "{text}");
}

#[test]
fn a_file_of_mosquitto_is_read_and_what_names_nothing_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    // `secret`, salted with 00 01 … 0b, 101 rounds, by Python's hashlib.
    let text = r#"{
        "clients": [
            { "username": "ada", "textName": "Ada", "roles": [{ "rolename": "r" }, { "rolename": "gone" }],
              "password": "Xr99N9ym9ys8TWxis5ajETJq6EVYzmc6nb8t3pUYnPBbCAbICS4xejTltonXWCtJNBvA+By+TXUqU6qCblO00w==",
              "salt": "AAECAwQFBgcICQoL", "iterations": 101 },
            { "username": "ada" },
            { "username": "bad", "password": "x", "salt": "y", "iterations": 101 },
            7
        ],
        "roles": [{ "rolename": "r", "acls": [{ "acltype": "publishClientSend", "topic": "a", "allow": true }] }],
        "groups": [{ "groupname": "g", "clients": [{ "username": "ada" }, { "username": "gone" }] }],
        "anonymousGroup": "gone",
        "defaultACLAccess": { "publishClientReceive": true }
    }"#;
    fs::write(path_in(&folder), text).expect("written");
    fs::set_permissions(path_in(&folder), fs::Permissions::from_mode(0o644)).expect("set");
    let (security, problems) = DynamicSecurity::open(&path_in(&folder)).expect("read");
    let node = Fixture { folder, security };
    assert_eq!(node.enters("ada", "secret"), Verdict::Welcome);
    assert!(node.publishes(Some("ada"), "a"));
    let problems: Vec<_> = problems.into_iter().map(|problem| problem.text).collect();
    assert_eq!(problems.len(), 6, "{problems:?}");
    for said in [
        "role gone",
        "second entry for username ada",
        "client bad",
        "client gone",
        "anonymous group gone",
        "chmod o=",
    ] {
        assert!(problems.iter().any(|text| text.contains(said)), "{said}: {problems:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_not_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = path_in(&folder);
    for (text, expected) in
        [("{\n\"clients\": [", "line 2: it is not JSON"), ("{\"roles\": 1}", "`roles` must be a list")]
    {
        fs::write(&path, text).expect("written");
        let error = DynamicSecurity::open(&path).expect_err(text).to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("the file"), text);
    }
    fs::remove_file(&path).expect("removed");
    let missing = DynamicSecurity::open(&path).expect_err("it is missing").to_string();
    assert!(missing.contains("`martlet ctrl dynsec init`"), "{missing}");
}
