//! `plugin` and its options. Nothing is loaded: the name of the file says what is meant.

use super::line::Line;
use super::{Block, PluginPlace, Reader};
use crate::config::{Plugin, Secret};
use crate::key::Key;
use crate::report::Severity;
use crate::slot::Value;

impl Reader<'_> {
    pub(super) fn read_plugin(&mut self, line: &Line<'_>, block: &mut Block) {
        let path = line.value();
        if path.is_empty() {
            let why = "it names the file of a plug-in";
            return self.error(
                line,
                &format!("{} has no value", line.key),
                why,
                "write one behind it, or put # before the line",
            );
        }
        self.first_security.get_or_insert_with(|| line.origin());
        let plugin = Plugin::new(path.into());
        if let Some(substitute) = substitute(&plugin) {
            self.error(
                line,
                "this plug-in is not supported",
                "Martlet loads no plug-ins made of C",
                substitute,
            );
        }
        let global = !self.config.per_listener_settings || line.key == "global_plugin";
        let plugins = &mut self.security(global, block.listener).plugins;
        plugins.push(plugin);
        let index = plugins.len() - 1;
        let path = format!("{}.plugin[{index}].path", self.security_path(global, block.listener));
        self.origins.put(path, line.origin());
        block.plugin = Some(PluginPlace { listener: (!global).then_some(block.listener), index });
    }

    pub(super) fn read_plugin_option(&mut self, line: &Line<'_>, block: Block) {
        let Some(place) = block.plugin else { return self.without_plugin(line) };
        let name = line.key.trim_start_matches("plugin_opt_").trim_start_matches("auth_opt_").to_owned();
        let value = line.value();
        if value.is_empty() || name.is_empty() {
            let title = format!("{} is no option of a plug-in", line.key);
            return self.error(
                line,
                &title,
                "an option has a name and a value",
                "write plugin_opt_NAME VALUE",
            );
        }
        let security = self.security_path(place.listener.is_none(), place.listener.flatten());
        let path = format!("{security}.plugin[{}].options.{name}", place.index);
        let plugin = self.plugin(place);
        let meant = plugin.file_of_its_own(&name);
        plugin.options.push((name, Secret::new(value.to_owned())));
        self.origins.put(path, line.origin());
        if let Some(key) = meant.and_then(Key::named) {
            self.put(key, line, block, Value::Text(value.to_owned()));
        }
    }

    pub(super) fn read_deny_special_chars(&mut self, line: &Line<'_>, block: Block) {
        let Some(place) = block.plugin else { return self.without_plugin(line) };
        match line.word().map(|word| word.text) {
            Some("true" | "1") => self.plugin(place).deny_special_chars = true,
            Some("false" | "0") => self.plugin(place).deny_special_chars = false,
            _ => self.error(
                line,
                &format!("{} is either true or false", line.key),
                "this is neither",
                "write true or false",
            ),
        }
    }

    fn plugin(&mut self, place: PluginPlace) -> &mut Plugin {
        let security = self.security(place.listener.is_none(), place.listener.flatten());
        &mut security.plugins[place.index]
    }

    fn without_plugin(&mut self, line: &Line<'_>) {
        self.reports.push(
            line.about_key(Severity::Error, format!("{} belongs to a plug-in", line.key))
                .because("no line `plugin FILE` stands above it in this file")
                .fix("put it below the `plugin` it is for"),
        );
    }
}

impl Plugin {
    /// The key that an option of Mosquitto's own plug-ins for files stands for.
    fn file_of_its_own(&self, option: &str) -> Option<&'static str> {
        match (self.stem(), option) {
            ("mosquitto_password_file", "password_file") => Some("password_file"),
            ("mosquitto_acl_file", "acl_file") => Some("acl_file"),
            _ => None,
        }
    }

    fn stem(&self) -> &str {
        self.path.file_stem().and_then(|name| name.to_str()).unwrap_or_default()
    }
}

/// What does the work of a plug-in that Martlet has not built in.
fn substitute(plugin: &Plugin) -> Option<&'static str> {
    match plugin.stem() {
        _ if plugin.is_dynamic_security() => None,
        "mosquitto_password_file" | "mosquitto_acl_file" => None,
        "mosquitto_persist_sqlite" => {
            Some("persistence true keeps everything, and loses nothing in a power cut")
        }
        "mosquitto_sparkplug_aware" => Some(
            "take the line out: retained birth certificates are an ordinary rule of the broker's ACL file",
        ),
        _ => Some(
            "users and rights stand in password_file and acl_file, or in mosquitto_dynamic_security.so, which is built in",
        ),
    }
}
