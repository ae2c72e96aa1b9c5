//! The commands about groups.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::clients::roles_refused;
use super::fields::Fields;
use super::file::priority_of;
use super::request::{
    BadRoles, Outcome, Result, Work, change_texts, data, group_name, page, paging, role_name, roles, texts,
    username,
};
use super::state::Group;
use super::views::GroupView;

const NOT_FOUND: &str = "Group not found";

/// Usernames, each with a priority.
type Members = Vec<(Arc<str>, i32)>;

impl Work<'_> {
    pub(super) fn create_group(&mut self, fields: Fields<'_>) -> Result {
        let name = group_name(fields)?;
        let texts = texts(fields)?;
        if self.state.groups.contains_key(name) {
            return Err("Group already exists".into());
        }
        let roles = roles(fields, self.state).map_err(|why| match why {
            BadRoles::Malformed => "Internal error",
            BadRoles::Unknown => "Role not found",
        })?;
        let group = Group { texts, roles: roles.unwrap_or_default(), ..Group::default() };
        self.state.groups.insert(name.into(), Arc::new(group));
        self.log(format_args!("createGroup | groupname={name}"));
        Ok(Outcome::Changed)
    }

    pub(super) fn delete_group(&mut self, fields: Fields<'_>) -> Result {
        let name = self.known_group(group_name(fields)?)?;
        if self.state.anonymous.as_ref() == Some(&name) {
            return Err("Deleting the anonymous group is forbidden".into());
        }
        self.kick_group(&name);
        self.state.empty(&name);
        self.state.groups.remove(&name);
        self.log(format_args!("deleteGroup | groupname={name}"));
        Ok(Outcome::Changed)
    }

    pub(super) fn add_group_client(&mut self, fields: Fields<'_>) -> Result {
        let (username, group) = (username(fields)?, group_name(fields)?);
        let priority = priority_of(fields);
        let username = self.known_client(username)?;
        let group = self.known_group(group)?;
        if !self.state.join(&username, &group, priority) {
            return Err("Client is already in this group".into());
        }
        self.log(format_args!(
            "addGroupClient | groupname={group} | username={username} | priority={priority}"
        ));
        self.changed(&username)
    }

    pub(super) fn remove_group_client(&mut self, fields: Fields<'_>) -> Result {
        let (username, group) = (username(fields)?, group_name(fields)?);
        let username = self.known_client(username)?;
        let group = self.known_group(group)?;
        self.state.leave(&username, &group);
        self.log(format_args!("removeGroupClient | groupname={group} | username={username}"));
        self.changed(&username)
    }

    pub(super) fn add_group_role(&mut self, fields: Fields<'_>) -> Result {
        let (group, role) = (group_name(fields)?, role_name(fields)?);
        let priority = priority_of(fields);
        let group = self.known_group(group)?;
        let role = self.known_role(role)?;
        if !self.group(&group)?.roles.insert(Arc::clone(&role), priority) {
            return Err("Group is already in this role".into());
        }
        self.log(format_args!("addGroupRole | groupname={group} | rolename={role} | priority={priority}"));
        self.kick_group(&group);
        Ok(Outcome::Changed)
    }

    pub(super) fn remove_group_role(&mut self, fields: Fields<'_>) -> Result {
        let (group, role) = (group_name(fields)?, role_name(fields)?);
        let group = self.known_group(group)?;
        let role = self.known_role(role)?;
        self.group(&group)?.roles.remove(&role);
        self.log(format_args!("removeGroupRole | groupname={group} | rolename={role}"));
        self.kick_group(&group);
        Ok(Outcome::Changed)
    }

    pub(super) fn modify_group(&mut self, fields: Fields<'_>) -> Result {
        let name = self.known_group(group_name(fields)?)?;
        let roles = roles(fields, self.state).map_err(roles_refused)?;
        let clients = self.clients_to_change_to(fields)?;
        // Those who were in it and those who are in it from now on.
        if let Some(clients) = clients {
            self.kick_group(&name);
            self.state.empty(&name);
            for (username, priority) in clients {
                self.state.join(&username, &name, priority);
            }
        }
        let group = self.group(&name)?;
        group.roles = roles.unwrap_or(std::mem::take(&mut group.roles));
        change_texts(&mut group.texts, fields);
        self.kick_group(&name);
        self.log(format_args!("modifyGroup | groupname={name}"));
        Ok(Outcome::Changed)
    }

    /// The clients that are to be in a group instead of those in it, if the command names any.
    fn clients_to_change_to(&self, fields: Fields<'_>) -> Result<Option<Members>> {
        const UNNAMED: &str = "'clients' contains an object with an invalid 'username'";
        const UNKNOWN: &str = "'clients' contains an object with a 'username' that does not exist";
        let Some(objects) = fields.objects("clients") else { return Ok(None) };
        let named = objects.map(|client| {
            let username = client.text("username").ok_or(UNNAMED)?;
            let (username, _) = self.state.clients.get_key_value(username).ok_or(UNKNOWN)?;
            Ok((Arc::clone(username), priority_of(client)))
        });
        named.collect::<Result<_>>().map(Some)
    }

    pub(super) fn get_group(&mut self, fields: Fields<'_>) -> Result {
        #[derive(Serialize)]
        struct Data<'a> {
            group: GroupView<'a>,
        }
        let name = self.known_group(group_name(fields)?)?;
        self.log(format_args!("getGroup | groupname={name}"));
        let group = self.state.groups.get(&name).ok_or(NOT_FOUND)?;
        data(Data { group: GroupView::for_answer(&name, group) })
    }

    pub(super) fn list_groups(&mut self, fields: Fields<'_>) -> Result {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Data<T> {
            total_count: usize,
            groups: Vec<T>,
        }
        self.log(format_args!("listGroups | {}", paging(fields)));
        let (groups, total_count) = (&self.state.groups, self.state.groups.len());
        let page = page(fields, groups.iter());
        if fields.flag("verbose") == Some(true) {
            data(Data {
                total_count,
                groups: page.map(|(name, group)| GroupView::for_answer(name, group)).collect(),
            })
        } else {
            data(Data { total_count, groups: page.map(|(name, _)| Value::from(&**name)).collect() })
        }
    }

    pub(super) fn set_anonymous_group(&mut self, fields: Fields<'_>) -> Result {
        let name = self.known_group(group_name(fields)?)?;
        self.log(format_args!("setAnonymousGroup | groupname={name}"));
        self.state.anonymous = Some(name);
        self.kick_anonymous();
        Ok(Outcome::Changed)
    }

    pub(super) fn get_anonymous_group(&mut self, _: Fields<'_>) -> Result {
        #[derive(Serialize)]
        struct Data<'a> {
            group: Name<'a>,
        }
        #[derive(Serialize)]
        struct Name<'a> {
            groupname: &'a str,
        }
        self.log("getAnonymousGroup");
        data(Data { group: Name { groupname: self.state.anonymous.as_deref().unwrap_or_default() } })
    }

    /// The name under which a group is known.
    fn known_group(&self, name: &str) -> Result<Arc<str>> {
        let found = self.state.groups.get_key_value(name);
        found.map(|(name, _)| Arc::clone(name)).ok_or(NOT_FOUND.into())
    }

    fn group(&mut self, name: &str) -> Result<&mut Group> {
        self.state.group_mut(name).ok_or(NOT_FOUND.into())
    }
}
