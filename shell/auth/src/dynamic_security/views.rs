//! What is written, into the file and into answers, with its members in the order in which Mosquitto writes them.

use martlet_access::{Defaults, Ranked};
use serde::Serialize;

use super::fields::acl_type_name;
use super::state::{Client, Group, RoleEntry, State};

#[derive(Serialize)]
pub(super) struct FileView<'a> {
    #[serde(rename = "defaultACLAccess")]
    defaults: DefaultsView,
    clients: Vec<ClientView<'a>>,
    groups: Vec<GroupView<'a>>,
    #[serde(rename = "anonymousGroup", skip_serializing_if = "Option::is_none")]
    anonymous: Option<&'a str>,
    roles: Vec<RoleView<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DefaultsView {
    publish_client_send: bool,
    publish_client_receive: bool,
    subscribe: bool,
    unsubscribe: bool,
}

#[derive(Serialize)]
pub(super) struct ClientView<'a> {
    username: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    clientid: Option<&'a str>,
    #[serde(flatten)]
    texts: TextsView<'a>,
    #[serde(skip_serializing_if = "is_false")]
    disabled: bool,
    roles: Vec<RoleName<'a>>,
    /// In answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<GroupName<'a>>>,
    /// In the file.
    #[serde(flatten)]
    password: Option<PasswordView>,
}

#[derive(Serialize)]
struct PasswordView {
    password: String,
    salt: String,
    iterations: u32,
}

#[derive(Serialize)]
pub(super) struct GroupView<'a> {
    groupname: &'a str,
    #[serde(flatten)]
    texts: TextsView<'a>,
    roles: Vec<RoleName<'a>>,
    clients: Vec<Username<'a>>,
}

#[derive(Serialize)]
pub(super) struct RoleView<'a> {
    rolename: &'a str,
    #[serde(flatten)]
    texts: TextsView<'a>,
    acls: Vec<AclView<'a>>,
}

#[derive(Serialize)]
struct AclView<'a> {
    acltype: &'static str,
    topic: &'a str,
    priority: i32,
    allow: bool,
}

#[derive(Serialize)]
struct TextsView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    textname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    textdescription: Option<&'a str>,
}

#[derive(Serialize)]
struct RoleName<'a> {
    rolename: &'a str,
    #[serde(skip_serializing_if = "is_unranked")]
    priority: i32,
}

#[derive(Serialize)]
struct GroupName<'a> {
    groupname: &'a str,
    #[serde(skip_serializing_if = "is_unranked")]
    priority: i32,
}

#[derive(Serialize)]
struct Username<'a> {
    username: &'a str,
    #[serde(skip_serializing_if = "is_unranked")]
    priority: i32,
}

/// What is said about access where nothing else is, in answers.
#[derive(Serialize)]
pub(super) struct DefaultAcl {
    acltype: &'static str,
    allow: bool,
}

impl<'a> FileView<'a> {
    pub(super) fn of(state: &'a State) -> Self {
        let Defaults { publish, receive, subscribe, unsubscribe } = state.defaults;
        Self {
            defaults: DefaultsView {
                publish_client_send: publish,
                publish_client_receive: receive,
                subscribe,
                unsubscribe,
            },
            clients: state.clients.iter().map(|(name, client)| ClientView::for_file(name, client)).collect(),
            groups: state.groups.iter().map(|(name, group)| GroupView::of(name, group)).collect(),
            anonymous: state.anonymous.as_deref(),
            roles: state.roles.values().map(|entry| RoleView::of(entry)).collect(),
        }
    }
}

impl<'a> ClientView<'a> {
    fn for_file(username: &'a str, client: &'a Client) -> Self {
        let password = client.password.as_ref().map(|hash| PasswordView {
            password: hash.hash_base64(),
            salt: hash.salt_base64(),
            iterations: hash.iterations(),
        });
        Self { password, groups: None, ..Self::for_answer(username, client) }
    }

    pub(super) fn for_answer(username: &'a str, client: &'a Client) -> Self {
        let groups = client.groups.iter().map(|(groupname, priority)| GroupName { groupname, priority });
        Self {
            username,
            clientid: client.client_id.as_deref(),
            texts: TextsView::of(&client.texts),
            disabled: client.is_disabled,
            roles: role_names(&client.roles),
            groups: Some(groups.collect()),
            password: None,
        }
    }
}

impl<'a> GroupView<'a> {
    fn of(groupname: &'a str, group: &'a Group) -> Self {
        let clients = group.clients.iter();
        Self {
            groupname,
            texts: TextsView::of(&group.texts),
            roles: role_names(&group.roles),
            clients: clients.map(|(username, priority)| Username { username, priority: *priority }).collect(),
        }
    }

    /// Without the priorities of its clients, which Mosquitto leaves out here.
    pub(super) fn for_answer(groupname: &'a str, group: &'a Group) -> Self {
        let mut view = Self::of(groupname, group);
        view.clients.iter_mut().for_each(|client| client.priority = Ranked::UNRANKED);
        view
    }
}

impl<'a> RoleView<'a> {
    pub(super) fn of(entry: &'a RoleEntry) -> Self {
        let acls = entry.role.acls().iter().map(|acl| AclView {
            acltype: acl_type_name(acl.acl_type),
            topic: &acl.topic,
            priority: acl.priority,
            allow: acl.allow,
        });
        Self { rolename: entry.role.name(), texts: TextsView::of(&entry.texts), acls: acls.collect() }
    }
}

impl DefaultAcl {
    pub(super) fn all(defaults: Defaults) -> [Self; 4] {
        [
            Self { acltype: "publishClientSend", allow: defaults.publish },
            Self { acltype: "publishClientReceive", allow: defaults.receive },
            Self { acltype: "subscribe", allow: defaults.subscribe },
            Self { acltype: "unsubscribe", allow: defaults.unsubscribe },
        ]
    }
}

impl<'a> TextsView<'a> {
    fn of(texts: &'a super::state::Texts) -> Self {
        Self { textname: texts.name.as_deref(), textdescription: texts.description.as_deref() }
    }
}

fn role_names(ranked: &Ranked) -> Vec<RoleName<'_>> {
    ranked.iter().map(|(rolename, priority)| RoleName { rolename, priority }).collect()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_unranked(priority: &i32) -> bool {
    *priority == Ranked::UNRANKED
}
