//! The commands about roles.

use std::sync::Arc;

use martlet_access::{AclType, Role, RoleAcl};
use martlet_topic::{Limits, TopicFilter};
use serde::Serialize;
use serde_json::Value;

use super::fields::{Fields, acl_type, acl_type_name};
use super::file::acl_of;
use super::request::{Outcome, Result, Work, change_texts, data, is_legal, page, paging, role_name, texts};
use super::state::RoleEntry;
use super::views::RoleView;

const NOT_FOUND: &str = "Role not found";

impl Work<'_> {
    pub(super) fn create_role(&mut self, fields: Fields<'_>) -> Result {
        let name = role_name(fields)?;
        let texts = texts(fields)?;
        if self.state.roles.contains_key(name) {
            return Err("Role already exists".into());
        }
        let acls: Vec<RoleAcl> = fields.objects("acls").into_iter().flatten().filter_map(acl_of).collect();
        let entry = RoleEntry { texts, ..RoleEntry::new(name.into(), acls) };
        self.state.roles.insert(name.into(), Arc::new(entry));
        self.log(format_args!("createRole | rolename={name}"));
        Ok(Outcome::Changed)
    }

    pub(super) fn delete_role(&mut self, fields: Fields<'_>) -> Result {
        let name = self.known_role(role_name(fields)?)?;
        self.kick_holders(&name);
        for username in self.holders(&name) {
            if let Some(client) = self.state.client_mut(&username) {
                client.roles.remove(&name);
            }
        }
        for group in self.holding_groups(&name) {
            if let Some(group) = self.state.group_mut(&group) {
                group.roles.remove(&name);
            }
        }
        self.state.roles.remove(&name);
        self.log(format_args!("deleteRole | rolename={name}"));
        Ok(Outcome::Changed)
    }

    /// Those who hold it are not disconnected: their permits change.
    pub(super) fn modify_role(&mut self, fields: Fields<'_>) -> Result {
        const NOT_FOUND: &str = "Role does not exist";
        let name = self.known_role(role_name(fields)?).map_err(|_| NOT_FOUND)?;
        let entry = self.state.role_mut(&name).ok_or(NOT_FOUND)?;
        change_texts(&mut entry.texts, fields);
        if let Some(acls) = fields.objects("acls") {
            entry.role = Arc::new(Role::new(Arc::clone(&name), acls.filter_map(acl_of)));
        }
        self.log(format_args!("modifyRole | rolename={name}"));
        Ok(Outcome::Changed)
    }

    pub(super) fn add_role_acl(&mut self, fields: Fields<'_>) -> Result {
        let (name, acl_type, topic) = self.acl_named(fields)?;
        let entry = self.state.role_mut(&name).ok_or(NOT_FOUND)?;
        if position(&entry.role, acl_type, topic).is_some() {
            return Err("ACL with this topic already exists".into());
        }
        let priority = fields.number("priority").unwrap_or(0);
        let allow = fields.flag("allow").unwrap_or(false);
        let acl = RoleAcl { acl_type, topic: topic.into(), priority, allow };
        let acls = entry.role.acls().iter().cloned().chain([acl]);
        entry.role = Arc::new(Role::new(Arc::clone(&name), acls));
        let shown = acl_type_name(acl_type);
        self.log(format_args!(
            "addRoleACL | rolename={name} | acltype={shown} | topic={topic} | priority={priority} | allow={allow}"
        ));
        self.kick_holders(&name);
        Ok(Outcome::Changed)
    }

    pub(super) fn remove_role_acl(&mut self, fields: Fields<'_>) -> Result {
        let (name, acl_type, topic) = self.acl_named(fields)?;
        let entry = self.state.role_mut(&name).ok_or(NOT_FOUND)?;
        let at = position(&entry.role, acl_type, topic).ok_or("ACL not found")?;
        let mut acls = entry.role.acls().to_vec();
        acls.remove(at);
        entry.role = Arc::new(Role::new(Arc::clone(&name), acls));
        let shown = acl_type_name(acl_type);
        self.log(format_args!("removeRoleACL | rolename={name} | acltype={shown} | topic={topic}"));
        self.kick_holders(&name);
        Ok(Outcome::Changed)
    }

    /// The role, type and topic that a command about one entry names.
    fn acl_named<'f>(&self, fields: Fields<'f>) -> Result<(Arc<str>, AclType, &'f str)> {
        let name = self.known_role(role_name(fields)?)?;
        let acl_type =
            acl_type(fields.text("acltype").ok_or("Invalid/missing acltype")?).ok_or("Unknown acltype")?;
        let topic = fields.text("topic").ok_or("Invalid/missing topic")?;
        if !is_legal(topic) {
            return Err("Topic not valid UTF-8".into());
        }
        TopicFilter::parse(topic, &Limits::default()).map_err(|_| "Invalid ACL topic")?;
        Ok((name, acl_type, topic))
    }

    pub(super) fn get_role(&mut self, fields: Fields<'_>) -> Result {
        #[derive(Serialize)]
        struct Data<'a> {
            role: RoleView<'a>,
        }
        let name = self.known_role(role_name(fields)?)?;
        let entry = self.state.roles.get(&name).ok_or(NOT_FOUND)?;
        data(Data { role: RoleView::of(entry) })
    }

    pub(super) fn list_roles(&mut self, fields: Fields<'_>) -> Result {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Data<T> {
            total_count: usize,
            roles: Vec<T>,
        }
        self.log(format_args!("listRoles | {}", paging(fields)));
        let (roles, total_count) = (&self.state.roles, self.state.roles.len());
        let page = page(fields, roles.iter());
        if fields.flag("verbose") == Some(true) {
            data(Data { total_count, roles: page.map(|(_, entry)| RoleView::of(entry)).collect() })
        } else {
            data(Data { total_count, roles: page.map(|(name, _)| Value::from(&**name)).collect() })
        }
    }

    /// The name under which a role is known.
    pub(super) fn known_role(&self, name: &str) -> Result<Arc<str>> {
        let found = self.state.roles.get_key_value(name);
        found.map(|(name, _)| Arc::clone(name)).ok_or(NOT_FOUND.into())
    }

    fn holders(&self, role: &str) -> Vec<Arc<str>> {
        let clients = self.state.clients.iter().filter(|(_, client)| client.roles.contains(role));
        clients.map(|(name, _)| Arc::clone(name)).collect()
    }

    fn holding_groups(&self, role: &str) -> Vec<Arc<str>> {
        let groups = self.state.groups.iter().filter(|(_, group)| group.roles.contains(role));
        groups.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// Everybody who holds a role, by himself or in a group, is to be disconnected.
    fn kick_holders(&mut self, role: &str) {
        self.holders(role).iter().for_each(|username| self.kick(username));
        self.holding_groups(role).iter().for_each(|group| self.kick_group(group));
    }
}

fn position(role: &Role, acl_type: AclType, topic: &str) -> Option<usize> {
    role.acls().iter().position(|acl| acl.acl_type == acl_type && *acl.topic == *topic)
}
