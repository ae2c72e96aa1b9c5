//! What two settings together may mean, whichever file they stand in.
//!
//! The one rule: what starts Mosquitto is a warning here at most.

use std::collections::HashSet;
use std::path::Path;

use martlet_topic::{Limits, SubscriptionFilter, TopicFilter};

use crate::config::{Bridge, Config, IpFamily, Listener, LogDestination, Security};
use crate::mosquitto::bridge::check_topic;
use crate::origin::{Origin, Origins};
use crate::report::{Report, Severity, is_enough};
use crate::source::Sources;

/// Everything there is to say about a configuration as a whole.
pub(crate) fn check(config: &Config, origins: &Origins, sources: &Sources) -> Vec<Report> {
    let mut check = Check { config, origins, sources, reports: Vec::new(), places: HashSet::new() };
    for (index, listener) in config.listeners.iter().enumerate() {
        check.listener(&format!("listener[{index}]"), listener);
    }
    check.security("security", &config.security);
    check.filters();
    for (index, bridge) in config.bridges.iter().enumerate() {
        check.bridge(&format!("bridge[{index}]"), bridge);
    }
    check.local_clientids();
    if config.log.destinations.contains(&LogDestination::File) && config.log.file.is_none() {
        check.error(
            "log",
            &["destinations"],
            "there is no log file",
            "file is a destination",
            "set log.file",
        );
    }
    check.reports
}

struct Check<'a> {
    config: &'a Config,
    origins: &'a Origins,
    sources: &'a Sources,
    reports: Vec<Report>,
    /// Where listeners before this one listen.
    places: HashSet<Place<'a>>,
}

/// Two listeners with the same one are in each other's way.
type Place<'a> = (u16, Option<&'a str>, Option<&'a Path>, Option<IpFamily>, Option<&'a str>);

impl<'a> Check<'a> {
    fn listener(&mut self, table: &str, listener: &'a Listener) {
        self.listener_address(table, listener);
        let fields = ["port", "unix_socket"];
        let interface = listener.bind_interface.as_deref();
        let path = listener.unix_socket.as_deref();
        let place = (listener.port, listener.host.as_deref(), path, listener.family, interface);
        if !self.places.insert(place) {
            let why = "only one of them can have it";
            self.error(
                table,
                &fields,
                "two listeners have the same address",
                why,
                "give one of them another port",
            );
        }
        self.tls(table, listener);
        self.security(&format!("{table}.security"), &listener.security);
        if !self.somebody_can_enter(listener) {
            let why = "clients without a user name are refused, and nothing says which users there are";
            let fix = "set password_file (`martlet passwd` writes one), or allow_anonymous true if anybody may enter";
            self.warn(table, &fields, "nobody can enter by this listener", why, fix);
        }
    }

    fn listener_address(&mut self, table: &str, listener: &Listener) {
        let fields = ["unix_socket", "port", "host"];
        match (&listener.unix_socket, listener.port) {
            (Some(_), 1..) => {
                let why = "it is either a Unix socket or a port";
                self.error(table, &fields, "this listener has two addresses", why, "take one of them out");
            }
            (None, 0) => {
                let why = "0 stands for a Unix socket, and no path is set";
                self.error(table, &fields, "this listener has no address", why, "set a port or unix_socket");
            }
            _ => (),
        }
    }

    fn somebody_can_enter(&self, listener: &Listener) -> bool {
        let security = self.config.security_of(listener);
        let tls = &listener.tls;
        let by_tls = tls.use_identity_as_username || tls.use_subject_as_username || tls.psk_hint.is_some();
        let decides = security.password_file.is_some() || !security.plugins.is_empty();
        by_tls || decides || self.config.allows_anonymous(listener)
    }

    fn tls(&mut self, table: &str, listener: &Listener) {
        let tls = &listener.tls;
        let has_ca = tls.cafile.is_some() || tls.capath.is_some();
        match (&tls.certfile, &tls.keyfile) {
            (Some(_), None) => {
                let why = "a certificate is of no use without its private key";
                self.error(table, &["tls.certfile"], "the keyfile is missing", why, "set keyfile");
            }
            (None, Some(_)) => {
                let why = "a private key is of no use without its certificate";
                self.error(table, &["tls.keyfile"], "the certfile is missing", why, "set certfile");
            }
            (None, None) if has_ca && tls.psk_hint.is_none() => {
                let why =
                    "certfile and keyfile turn TLS on; cafile and capath are about certificates of clients";
                let fix = "set certfile and keyfile";
                self.warn(table, &["tls.cafile", "tls.capath"], "nothing is encrypted here", why, fix);
            }
            _ => (),
        }
        if tls.certfile.is_some() && tls.require_certificate && !has_ca {
            let why = "no certificate of a client can be vouched for";
            let fix = "set cafile to the certificate of who signs those of the clients";
            self.warn(table, &["tls.require_certificate"], "no client can enter", why, fix);
        }
        if tls.psk_hint.is_some() && self.config.security_of(listener).psk_file.is_none() {
            let why = "no key is known to anybody";
            self.warn(table, &["tls.psk_hint"], "no client can enter by TLS-PSK", why, "set psk_file");
        }
    }

    fn security(&mut self, table: &str, security: &Security) {
        for (index, plugin) in security.plugins.iter().enumerate() {
            if plugin.is_dynamic_security() && plugin.option("config_file").is_none() {
                let why = "users, groups and roles are kept in a file";
                let fix = "set plugin_opt_config_file (in martlet.toml: options.config_file); `martlet ctrl dynsec init` writes one";
                let table = format!("{table}.plugin[{index}]");
                self.error(&table, &["path"], "dynamic security has no file", why, fix);
            }
        }
    }

    fn filters(&mut self) {
        let security = &self.config.security;
        let limits = Limits::default();
        let wrong = |filter: &String| TopicFilter::parse(filter, &limits).is_err();
        let not_shared = |filter: &String| SubscriptionFilter::parse(filter, &limits).is_err();
        let topics: Vec<_> =
            self.config.persistence.topic_durability.iter().map(|topic| topic.filter.clone()).collect();
        let lists = [
            ("security", "deny_subscribe", security.deny_subscribe.iter().find(|it| not_shared(it))),
            ("security", "deny_publish", security.deny_publish.iter().find(|it| wrong(it))),
            ("persistence", "topic_durability", topics.iter().find(|it| wrong(it))),
        ];
        for (table, field, wrong) in lists {
            let Some(wrong) = wrong else { continue };
            let title = format!("{wrong:?} is no topic filter");
            let why = "+ fills a level and # stands at the end";
            self.error(
                table,
                &[field],
                &title,
                why,
                "write something like sensors/+/temperature or sensors/#",
            );
        }
    }

    fn bridge(&mut self, table: &str, bridge: &Bridge) {
        let name = ["name"];
        if bridge.addresses.is_empty() {
            let why = "it does not know where the other broker is";
            self.error(table, &name, "this bridge has no address", why, "add address HOST:PORT");
        }
        if bridge.topics.is_empty() {
            let why = "nothing would go over it";
            self.error(table, &name, "this bridge has no topic", why, "add topic PATTERN out 1");
        }
        match (&bridge.psk, &bridge.psk_identity) {
            (Some(_), None) => {
                let why = "TLS-PSK needs both";
                self.error(
                    table,
                    &["psk"],
                    "the identity of the key is missing",
                    why,
                    "set bridge_identity (in martlet.toml: psk_identity)",
                );
            }
            (None, Some(_)) => {
                let why = "TLS-PSK needs both";
                self.error(
                    table,
                    &["psk_identity"],
                    "the key of this identity is missing",
                    why,
                    "set bridge_psk (in martlet.toml: psk)",
                );
            }
            _ => (),
        }
        let files = [&bridge.tls_cafile, &bridge.tls_capath, &bridge.tls_certfile, &bridge.tls_keyfile];
        if bridge.psk.is_some() && files.iter().any(|file| file.is_some()) {
            let why = "a bridge uses either certificates or a key that both sides know";
            self.error(
                table,
                &["psk"],
                "this bridge has certificates and a PSK",
                why,
                "take one of them out",
            );
        }
        if bridge.tls_insecure {
            let why = "who is between the brokers can read and change everything";
            self.warn(
                table,
                &["tls_insecure"],
                "this bridge takes any certificate name",
                why,
                "name the broker in address as its certificate does",
            );
        }
        if bridge.restart_timeout_cap < bridge.restart_timeout_base {
            let why = "the longest time is shorter than the first one";
            self.error(
                table,
                &["restart_timeout_base", "restart_timeout_cap"],
                "these times make no sense",
                why,
                "write the smaller number first",
            );
        }
        for (index, topic) in bridge.topics.iter().enumerate() {
            if let Err((why, fix)) = check_topic(topic) {
                let table = format!("{table}.topic[{index}]");
                self.error(&table, &["pattern"], "these topics cannot go over a bridge", why, fix);
            }
        }
    }

    /// At this broker a bridge is a client, and two clients with one identifier take the session from each other.
    fn local_clientids(&mut self) {
        let local = |bridge: &Bridge| {
            let remote = bridge.remote_clientid.as_ref();
            bridge.local_clientid.clone().or_else(|| remote.map(|remote| format!("local.{remote}")))
        };
        let mut taken = HashSet::new();
        for (index, bridge) in self.config.bridges.iter().enumerate() {
            if local(bridge).is_some_and(|id| !taken.insert(id)) {
                let why = "they would take the session from each other";
                let table = format!("bridge[{index}]");
                let fields = ["local_clientid", "remote_clientid"];
                self.error(
                    &table,
                    &fields,
                    "two bridges have the same local_clientid",
                    why,
                    "set local_clientid for one of them",
                );
            }
        }
    }

    fn error(&mut self, table: &str, fields: &[&str], title: &str, why: &str, fix: &str) {
        self.report(Severity::Error, table, fields, title, why, fix);
    }

    fn warn(&mut self, table: &str, fields: &[&str], title: &str, why: &str, fix: &str) {
        self.report(Severity::Warning, table, fields, title, why, fix);
    }

    /// A report at the first of these fields that was written.
    fn report(
        &mut self,
        severity: Severity,
        table: &str,
        fields: &[&str],
        title: &str,
        why: &str,
        fix: &str,
    ) {
        if is_enough(&self.reports) {
            return;
        }
        let report = match self.origin(table, fields) {
            Some(origin) => Report::at(severity, origin, self.sources, title.to_owned()),
            None => {
                let file = self.sources.first().map(|source| source.name().clone());
                Report::about_file(severity, file.unwrap_or_default(), title.to_owned())
            }
        };
        self.reports.push(report.because(why).fix(fix));
    }

    fn origin(&self, table: &str, fields: &[&str]) -> Option<&Origin> {
        let mut written = fields.iter().filter_map(|field| self.origins.of(&format!("{table}.{field}")));
        written.next().or_else(|| self.origins.any_under(table).map(|(_, origin)| origin))
    }
}
