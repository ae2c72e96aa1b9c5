//! Who may enter and do what.

use std::path::PathBuf;

use super::Secret;

/// Who may enter and do what: for the node, or for one listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Security {
    /// May a Client without a user name enter? `None`: nobody said, see
    /// [`Config::allows_anonymous`](super::Config::allows_anonymous).
    pub allow_anonymous: Option<bool>,
    /// User names and hashes of passwords.
    pub password_file: Option<PathBuf>,
    /// Who may publish and subscribe where.
    pub acl_file: Option<PathBuf>,
    /// Identities and keys for TLS-PSK.
    pub psk_file: Option<PathBuf>,
    /// A Client that sends no Client Identifier is given one; else it is refused.
    pub allow_zero_length_clientid: bool,
    /// What generated Client Identifiers begin with.
    pub auto_id_prefix: String,
    /// What Client Identifiers must begin with to be let in; empty: anything. Only the global one counts.
    pub clientid_prefixes: String,
    /// Topic Filters nobody may subscribe to, as Clients write them. Only the global ones count.
    pub deny_subscribe: Vec<String>,
    /// Topic Filters of the topics nobody may publish to. Only the global ones count.
    pub deny_publish: Vec<String>,
    /// Clients are not told which rule denies what they ask for. Only the global one counts.
    pub conceal_denials: bool,
    /// Plug-ins, in the order in which they are asked.
    pub plugins: Vec<Plugin>,
}

/// A plug-in of Mosquitto, known by the name of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    /// The file, which is not loaded: its name says what is meant (`mosquitto_dynamic_security.so`).
    pub path: PathBuf,
    /// What `plugin_opt_NAME VALUE` says, in order. Some plug-ins are told passwords.
    pub options: Vec<(String, Secret)>,
    /// Clients with `+`, `#` or `/` in Client Identifier or User Name are denied everything this plug-in decides.
    pub deny_special_chars: bool,
}

impl Security {
    pub(super) fn says_who_may_enter(&self) -> bool {
        self.password_file.is_some() || self.psk_file.is_some() || !self.plugins.is_empty()
    }
}

impl Plugin {
    /// A plug-in without options.
    pub const fn new(path: PathBuf) -> Self {
        Self { path, options: Vec::new(), deny_special_chars: true }
    }

    /// The plug-in that Martlet has built in, if it is one.
    pub fn is_dynamic_security(&self) -> bool {
        self.path.file_stem().is_some_and(|name| name == "mosquitto_dynamic_security")
    }

    /// What was said for an option; the last line counts.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.reveal())
    }
}

impl Default for Security {
    fn default() -> Self {
        Self {
            allow_anonymous: None,
            password_file: None,
            acl_file: None,
            psk_file: None,
            allow_zero_length_clientid: true,
            auto_id_prefix: "auto-".to_owned(),
            clientid_prefixes: String::new(),
            deny_subscribe: Vec::new(),
            deny_publish: Vec::new(),
            conceal_denials: false,
            plugins: Vec::new(),
        }
    }
}
