//! The commands about clients.

use std::sync::Arc;

use martlet_access::Ranked;
use serde::Serialize;
use serde_json::Value;

use super::fields::Fields;
use super::file::priority_of;
use super::request::{
    BadRoles, Outcome, Result, Work, change_texts, data, is_legal, page, paging, role_name, roles, text,
    texts, username,
};
use super::state::Client;
use super::views::ClientView;
use crate::{PasswordHash, Scheme};

const NOT_FOUND: &str = "Client not found";

impl Work<'_> {
    pub(super) fn create_client(&mut self, fields: Fields<'_>) -> Result {
        let username = username(fields)?;
        let password = text(fields, "password", "Invalid/missing password")?;
        let client_id = text(fields, "clientid", "Invalid/missing client id")?;
        if !client_id.is_none_or(is_legal) {
            return Err("Client ID not valid UTF-8".into());
        }
        let texts = texts(fields)?;
        if self.state.clients.contains_key(username) {
            return Err("Client already exists".into());
        }
        let roles = roles(fields, self.state).map_err(roles_refused)?.unwrap_or_default();
        let groups = self.groups_to_join(fields)?;
        let client = Client {
            texts,
            client_id: client_id.filter(|id| !id.is_empty()).map(Into::into),
            password: password.map(hashed).transpose()?,
            roles,
            ..Client::default()
        };
        self.state.clients.insert(username.into(), Arc::new(client));
        for (group, priority) in groups.iter() {
            self.state.join(username, group, priority);
        }
        let shown = if password.is_some() { "*****" } else { "no password" };
        self.log(format_args!("createClient | username={username} | password={shown}"));
        Ok(Outcome::Changed)
    }

    /// The groups that a new client is to be in.
    fn groups_to_join(&self, fields: Fields<'_>) -> Result<Ranked> {
        let mut groups = Ranked::default();
        for group in fields.objects("groups").into_iter().flatten() {
            let Some(name) = group.text("groupname") else { continue };
            let (name, _) = self.state.groups.get_key_value(name).ok_or("Group not found")?;
            if !groups.insert(Arc::clone(name), priority_of(group)) {
                return Err("Internal error".into());
            }
        }
        Ok(groups)
    }

    pub(super) fn delete_client(&mut self, fields: Fields<'_>) -> Result {
        // Whatever it is called, it can be deleted.
        let username = fields.text("username").ok_or("Invalid/missing username")?;
        let username = self.known_client(username)?;
        self.state.leave_all(&username);
        self.state.clients.remove(&username);
        self.log(format_args!("deleteClient | username={username}"));
        self.changed(&username)
    }

    pub(super) fn enable_client(&mut self, fields: Fields<'_>) -> Result {
        let username = self.known_client(username(fields)?)?;
        self.client(&username)?.is_disabled = false;
        self.log(format_args!("enableClient | username={username}"));
        Ok(Outcome::Changed)
    }

    pub(super) fn disable_client(&mut self, fields: Fields<'_>) -> Result {
        let username = self.known_client(username(fields)?)?;
        self.client(&username)?.is_disabled = true;
        self.log(format_args!("disableClient | username={username}"));
        self.changed(&username)
    }

    pub(super) fn set_client_id(&mut self, fields: Fields<'_>) -> Result {
        let username = username(fields)?;
        let client_id = text(fields, "clientid", "Invalid/missing client ID")?;
        if !client_id.is_none_or(is_legal) {
            return Err("Client ID not valid UTF-8".into());
        }
        let username = self.known_client(username)?;
        let client_id = client_id.filter(|id| !id.is_empty());
        self.client(&username)?.client_id = client_id.map(Into::into);
        let shown = client_id.unwrap_or("(null)");
        self.log(format_args!("setClientId | username={username} | clientid={shown}"));
        self.changed(&username)
    }

    pub(super) fn set_client_password(&mut self, fields: Fields<'_>) -> Result {
        let username = username(fields)?;
        let password = fields.text("password").ok_or("Invalid/missing password")?;
        if password.is_empty() {
            return Err("Empty password is not allowed".into());
        }
        let username = self.known_client(username)?;
        self.client(&username)?.password = Some(hashed(password)?);
        self.log(format_args!("setClientPassword | username={username} | password=******"));
        self.changed(&username)
    }

    pub(super) fn add_client_role(&mut self, fields: Fields<'_>) -> Result {
        let (username, role) = (username(fields)?, role_name(fields)?);
        let priority = priority_of(fields);
        let username = self.known_client(username)?;
        let role = self.known_role(role)?;
        if !self.client(&username)?.roles.insert(Arc::clone(&role), priority) {
            return Err("Internal error".into());
        }
        self.log(format_args!("addClientRole | username={username} | rolename={role} | priority={priority}"));
        self.changed(&username)
    }

    pub(super) fn remove_client_role(&mut self, fields: Fields<'_>) -> Result {
        let (username, role) = (username(fields)?, role_name(fields)?);
        let username = self.known_client(username)?;
        let role = self.known_role(role)?;
        self.client(&username)?.roles.remove(&role);
        self.log(format_args!("removeClientRole | username={username} | rolename={role}"));
        self.changed(&username)
    }

    pub(super) fn modify_client(&mut self, fields: Fields<'_>) -> Result {
        let username = self.known_client(username(fields)?)?;
        let roles = roles(fields, self.state).map_err(roles_refused)?;
        let groups = self.groups_to_change_to(fields)?;
        let password = fields.text("password").filter(|text| !text.is_empty()).map(hashed).transpose()?;
        if let Some(groups) = groups {
            self.state.leave_all(&username);
            for (group, priority) in groups.iter() {
                self.state.join(&username, group, priority);
            }
        }
        let client = self.client(&username)?;
        if let Some(client_id) = fields.text("clientid") {
            client.client_id = Some(client_id).filter(|id| !id.is_empty()).map(Into::into);
        }
        client.password = password.or(client.password.take());
        client.roles = roles.unwrap_or(std::mem::take(&mut client.roles));
        change_texts(&mut client.texts, fields);
        self.log(format_args!("modifyClient | username={username}"));
        self.changed(&username)
    }

    /// The groups that a client is to be in instead of those it is in, if the command names any.
    fn groups_to_change_to(&self, fields: Fields<'_>) -> Result<Option<Ranked>> {
        const UNNAMED: &str = "'groups' contains an object with an invalid 'groupname'";
        const UNKNOWN: &str = "'groups' contains an object with a 'groupname' that does not exist";
        let Some(objects) = fields.objects("groups") else { return Ok(None) };
        let mut groups = Ranked::default();
        for group in objects {
            let name = group.text("groupname").ok_or(UNNAMED)?;
            let (name, _) = self.state.groups.get_key_value(name).ok_or(UNKNOWN)?;
            groups.insert(Arc::clone(name), priority_of(group));
        }
        Ok(Some(groups))
    }

    pub(super) fn get_client(&mut self, fields: Fields<'_>) -> Result {
        #[derive(Serialize)]
        struct Data<'a> {
            client: ClientView<'a>,
        }
        let username = self.known_client(username(fields)?)?;
        self.log(format_args!("getClient | username={username}"));
        let client = self.state.clients.get(&username).ok_or(NOT_FOUND)?;
        data(Data { client: ClientView::for_answer(&username, client) })
    }

    pub(super) fn list_clients(&mut self, fields: Fields<'_>) -> Result {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Data<T> {
            total_count: usize,
            clients: Vec<T>,
        }
        self.log(format_args!("listClients | {}", paging(fields)));
        let (clients, total_count) = (&self.state.clients, self.state.clients.len());
        let page = page(fields, clients.iter());
        if fields.flag("verbose") == Some(true) {
            data(Data {
                total_count,
                clients: page.map(|(name, client)| ClientView::for_answer(name, client)).collect(),
            })
        } else {
            data(Data { total_count, clients: page.map(|(name, _)| Value::from(&**name)).collect() })
        }
    }

    /// The name under which a client is known.
    pub(super) fn known_client(&self, username: &str) -> Result<Arc<str>> {
        let found = self.state.clients.get_key_value(username);
        found.map(|(name, _)| Arc::clone(name)).ok_or(NOT_FOUND.into())
    }

    fn client(&mut self, username: &str) -> Result<&mut Client> {
        self.state.client_mut(username).ok_or(NOT_FOUND.into())
    }

    /// What a client may do was changed: it comes back by the new rules.
    pub(super) fn changed(&mut self, username: &Arc<str>) -> Result {
        self.kick(username);
        Ok(Outcome::Changed)
    }
}

fn hashed(password: &str) -> Result<PasswordHash> {
    PasswordHash::new(&password.into(), Scheme::DEFAULT).map_err(|_| "Internal error".into())
}

pub(super) fn roles_refused(why: BadRoles) -> super::request::Refusal {
    match why {
        BadRoles::Malformed => "'roles' not an array or missing/invalid rolename".into(),
        BadRoles::Unknown => "Role not found".into(),
    }
}
