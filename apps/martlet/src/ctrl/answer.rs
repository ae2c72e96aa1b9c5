//! The broker's answer, as `mosquitto_ctrl` prints it.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::connect_options::complain;

/// Prints the answer to one command. Says whether the command was carried out.
pub(super) fn print(payload: &[u8]) -> Result<bool> {
    match render(payload)? {
        Ok(text) => {
            std::io::stdout().write_all(text.as_bytes()).context("cannot print the answer").map(|()| true)
        }
        Err(refusal) => {
            complain(format_args!("{refusal}"));
            Ok(false)
        }
    }
}

/// The text of the answer; the inner error is the broker's refusal.
fn render(payload: &[u8]) -> Result<Result<String, String>> {
    let tree: Value = serde_json::from_slice(payload).context("Payload not JSON")?;
    let response = &tree["responses"][0];
    let Some(command) = response["command"].as_str() else { bail!("Payload missing data.") };
    if let Some(error) = response["error"].as_str() {
        return Ok(Err(format!("{command}: Error: {error}")));
    }
    let data = &response["data"];
    let text = match command.to_ascii_lowercase().as_str() {
        "listclients" => list(&data["clients"], "username"),
        "listgroups" => list(&data["groups"], "groupname"),
        "listroles" => list(&data["roles"], "rolename"),
        "getclient" => client(&data["client"]),
        "getgroup" => group(&data["group"]),
        "getrole" => role(&data["role"]),
        "getdefaultaclaccess" => default_access(&data["acls"]),
        "getanonymousgroup" => data["group"]["groupname"].as_str().map(|name| format!("{name}\n")),
        _ => Some(String::new()),
    };
    text.map(Ok).context("Invalid response from server.")
}

/// A name in each line; the broker gives names or whole objects.
fn list(elements: &Value, key: &str) -> Option<String> {
    let names = elements.as_array()?.iter().filter_map(|element| element.as_str().or(element[key].as_str()));
    Some(names.map(|name| format!("{name}\n")).collect())
}

fn client(client: &Value) -> Option<String> {
    let mut text = format!("Username: {}\n", client["username"].as_str()?);
    line(&mut text, "Clientid:", client["clientid"].as_str());
    if let Some(is_disabled) = client["disabled"].as_bool() {
        text.push_str(&format!("Disabled: {is_disabled}\n"));
    }
    members(&mut text, "Roles:", "Username:".len(), &client["roles"], "rolename");
    members(&mut text, "Groups:", "Username:".len(), &client["groups"], "groupname");
    Some(text)
}

fn group(group: &Value) -> Option<String> {
    let mut text = format!("Groupname: {}\n", group["groupname"].as_str()?);
    members(&mut text, "Roles:", "Groupname:".len(), &group["roles"], "rolename");
    let clients = group["clients"].as_array().into_iter().flatten();
    for (at, name) in clients.filter_map(|client| client["username"].as_str()).enumerate() {
        put(&mut text, if at == 0 { "Clients:" } else { "" }, "Groupname:".len(), name);
        text.push('\n');
    }
    Some(text)
}

fn role(role: &Value) -> Option<String> {
    let mut text = format!("Rolename: {}\n", role["rolename"].as_str()?);
    let acls = role["acls"].as_array().into_iter().flatten();
    for (at, acl) in acls.filter(|acl| acl["acltype"].is_string()).enumerate() {
        let kind = format!("{:<20}", acl["acltype"].as_str().unwrap_or_default());
        put(&mut text, if at == 0 { "ACLs:" } else { "" }, "Rolename:".len(), &kind);
        if let Some(is_allowed) = acl["allow"].as_bool() {
            text.push_str(if is_allowed { " : allow" } else { " : deny " });
        }
        if let Some(topic) = acl["topic"].as_str() {
            text.push_str(&format!(" : {topic}"));
        }
        priority(&mut text, acl);
    }
    Some(text)
}

fn default_access(acls: &Value) -> Option<String> {
    let mut text = String::new();
    for acl in acls.as_array()? {
        let word = if acl["allow"].as_bool()? { "allow" } else { "deny" };
        text.push_str(&format!("{:<20} : {word}\n", acl["acltype"].as_str()?));
    }
    Some(text)
}

/// Names with their priorities, the first behind the heading. Where the broker gives no list only the heading stands.
fn members(text: &mut String, heading: &str, width: usize, elements: &Value, key: &str) {
    let Some(elements) = elements.as_array() else { return line(text, heading, None) };
    let named = elements.iter().filter_map(|element| Some((element, element[key].as_str()?)));
    for (at, (element, name)) in named.enumerate() {
        put(text, if at == 0 { heading } else { "" }, width, name);
        priority(text, element);
    }
}

fn put(text: &mut String, heading: &str, width: usize, value: &str) {
    write!(text, "{heading:<width$} {value}").expect("a String takes everything");
}

fn line(text: &mut String, heading: &str, value: Option<&str>) {
    text.push_str(heading);
    value.into_iter().for_each(|value| text.push_str(&format!(" {value}")));
    text.push('\n');
}

fn priority(text: &mut String, element: &Value) {
    let rank = element["priority"].as_i64().unwrap_or(-1);
    text.push_str(&format!(" (priority: {rank})\n"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn show(command: &str, data: &Value) -> String {
        let payload = json!({"responses": [{"command": command, "data": data}]}).to_string();
        render(payload.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn answers_are_tables() {
        let data = json!({"client": {"username": "bob", "clientid": "cid", "disabled": true,
            "roles": [{"rolename": "r", "priority": 3}, {"rolename": "s"}], "groups": []}});
        assert_eq!(
            show("getClient", &data),
            "Username: bob\nClientid: cid\nDisabled: true\nRoles:    r (priority: 3)\n          s (priority: -1)\n"
        );
        let data = json!({"group": {"groupname": "g", "roles": [], "clients": [{"username": "a"}, {"username": "b"}]}});
        assert_eq!(show("getGroup", &data), "Groupname: g\nClients:   a\n           b\n");
        let data = json!({"role": {"rolename": "r", "acls": [
            {"acltype": "publishClientSend", "topic": "a/#", "allow": false, "priority": 0}]}});
        assert_eq!(
            show("getRole", &data),
            "Rolename: r\nACLs:     publishClientSend    : deny  : a/# (priority: 0)\n"
        );
    }

    #[test]
    fn lists_are_names() {
        assert_eq!(show("listRoles", &json!({"roles": ["a", "b"]})), "a\nb\n");
        assert_eq!(show("listClients", &json!({"clients": [{"username": "a"}]})), "a\n");
        let data = json!({"acls": [{"acltype": "subscribe", "allow": true}]});
        assert_eq!(show("getDefaultACLAccess", &data), "subscribe            : allow\n");
        assert_eq!(show("createClient", &Value::Null), "");
    }

    #[test]
    fn refusals_and_nonsense_are_told() {
        let refusal = br#"{"responses":[{"command":"createRole","error":"Role already exists"}]}"#;
        assert_eq!(render(refusal).unwrap(), Err("createRole: Error: Role already exists".to_owned()));
        for payload in
            [&b"x"[..], b"{}", br#"{"responses":[]}"#, br#"{"responses":[{"command":"getClient"}]}"#]
        {
            assert!(render(payload).is_err());
        }
    }
}
