//! What can only be said when all lines are read.

use super::{DEFAULT_LISTENER, Reader};
use crate::check;
use crate::config::{Config, Dialect, Listener, Security};
use crate::key::{Scope, keys};
use crate::report::{Report, Severity};

impl Reader<'_> {
    pub(super) fn finish(&mut self) {
        self.settle_listeners();
        // What a wrong line leaves behind would be wrong again.
        if self.reports.iter().all(|report| report.severity == Severity::Warning) {
            self.reports.extend(check::check(&self.config, &self.origins, &self.sources));
        }
    }

    /// What stands above the first `listener` is about a listener of its own, if Mosquitto makes one of it.
    fn settle_listeners(&mut self) {
        let untold = Listener::new(self.config.dialect, 1883);
        let asks = self.asks_for_listener(&untold);
        if self.config.dialect == Dialect::Mosquitto1 {
            self.config.local_only = false;
            if self.config.listeners.is_empty() || asks {
                self.add_default_listener();
            }
        } else if self.config.local_only {
            self.report_unheeded("no line `listener PORT` opens one: the broker is for this machine only");
            self.config.listeners = Config::new(self.config.dialect).listeners;
        } else if asks {
            self.warn_of_second_listener();
            self.add_default_listener();
        } else {
            self.report_unheeded("what stands above the first `listener` is not about it");
        }
    }

    fn add_default_listener(&mut self) {
        self.number_default_listener(self.config.listeners.len());
        self.config.listeners.push(self.default_listener.clone());
    }

    /// Does Mosquitto open a listener for what stands above the first one? Some settings do not count.
    fn asks_for_listener(&self, untold: &Listener) -> bool {
        let mut default = self.default_listener.clone();
        default.topic_alias_max = untold.topic_alias_max;
        default.tls.version_min = None;
        default.websocket.http_dir = None;
        let security = std::mem::take(&mut default.security);
        default.security = Security {
            password_file: security.password_file,
            psk_file: security.psk_file,
            plugins: security.plugins,
            allow_zero_length_clientid: security.allow_zero_length_clientid,
            ..Security::default()
        };
        default != *untold || self.origins.of(&format!("{DEFAULT_LISTENER}.port")).is_some()
    }

    fn report_unheeded(&mut self, why: &str) {
        let unheeded = keys().filter(|key| matches!(key.scope, Scope::Listener | Scope::Security));
        for key in unheeded {
            let table = if key.scope == Scope::Security { ".security" } else { "" };
            let path = format!("{DEFAULT_LISTENER}{table}.{}", key.path);
            let Some(origin) = self.origins.of(&path) else { continue };
            let title = format!("{} does nothing: it is about a listener", key.name);
            let report = Report::at(Severity::Warning, origin, &self.sources, title);
            self.reports.push(report.because(why).fix("put it below the `listener` it is for"));
        }
    }

    /// The trap: `max_connections 100` above `listener 8883` opens port 1883 to everybody.
    fn warn_of_second_listener(&mut self) {
        if self.config.listeners.is_empty() || self.origins.of(&format!("{DEFAULT_LISTENER}.port")).is_some()
        {
            return;
        }
        let Some((path, origin)) = self.origins.any_under(DEFAULT_LISTENER) else { return };
        let what = path.rsplit('.').next().unwrap_or(path);
        let title = format!("{what} opens a listener on port 1883 as well");
        let report = Report::at(Severity::Warning, origin, &self.sources, title);
        self.reports.push(
            report
                .because("as in Mosquitto, what stands above the first `listener` makes one of its own")
                .fix("put it below the `listener` it is for, or say listener 1883 if you mean it"),
        );
    }
}
