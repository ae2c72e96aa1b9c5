//! `log_dest` and `log_type`, which add up over lines.

use super::Reader;
use super::line::Line;
use crate::config::{LogDestination, LogType};
use crate::key::Key;
use crate::names::{named, names};
use crate::nearest::nearest;
use crate::report::Severity;

impl Reader<'_> {
    pub(super) fn read_log_destination(&mut self, line: &Line<'_>) {
        let Some(word) = line.word() else {
            let why = "it says where log lines go";
            return self.error(
                line,
                "log_dest has no value",
                why,
                "write stdout, stderr, syslog, topic, none or file FILE",
            );
        };
        if matches!(word.text, "dlt" | "android") {
            let why = "Martlet does not write to this log";
            return self.error(
                line,
                "this log_dest is not supported",
                why,
                "write log_dest syslog, or log_dest stdout where a supervisor reads it",
            );
        }
        let destination = named::<LogDestination>(word.text);
        if destination.is_none() && word.text != "none" {
            return self.unknown_name(line, word.text, "log_dest", &names::<LogDestination>());
        }
        if !std::mem::replace(&mut self.names_destinations, true) {
            self.config.log.destinations.clear();
        }
        self.origins.put("log.destinations".to_owned(), line.origin());
        let Some(destination) = destination else { return self.config.log.destinations.clear() };
        if destination == LogDestination::File && !self.read_log_file(line) {
            return;
        }
        let destinations = &mut self.config.log.destinations;
        destinations.push(destination);
        destinations.sort_unstable();
        destinations.dedup();
    }

    fn read_log_file(&mut self, line: &Line<'_>) -> bool {
        let file = line.value().strip_prefix("file").unwrap_or_default().trim();
        if file.is_empty() {
            let fix = "write log_dest file /var/log/mosquitto/mosquitto.log";
            self.error(line, "log_dest file names no file", "the file stands behind it", fix);
            return false;
        }
        if let Some(before) = self.origins.put("log.file".to_owned(), line.origin()) {
            let why = format!("the first one is in {before}");
            self.error(
                line,
                "log_dest file stands twice",
                &why,
                "there is one log file; keep the one that is meant",
            );
            return false;
        }
        self.config.log.file = Some(file.into());
        true
    }

    pub(super) fn read_log_type(&mut self, line: &Line<'_>) {
        let Some(word) = line.word() else {
            let key = Key::named("log_type").expect("it is in the table");
            return self.reports.push(super::value::empty(key, line));
        };
        let kind = named::<LogType>(word.text);
        if kind.is_none() && !["none", "all"].contains(&word.text) {
            return self.unknown_name(line, word.text, "log_type", &names::<LogType>());
        }
        if !std::mem::replace(&mut self.names_types, true) {
            self.config.log.types.clear();
        }
        self.origins.put("log.types".to_owned(), line.origin());
        let types = &mut self.config.log.types;
        match kind {
            Some(kind) => types.push(kind),
            None if word.text == "all" => *types = LogType::ALL.to_vec(),
            None => types.clear(),
        }
        types.sort_unstable();
        types.dedup();
    }

    fn unknown_name(&mut self, line: &Line<'_>, written: &str, key: &str, names: &[&'static str]) {
        let report = line.about_value(Severity::Error, format!("{key} does not know this"));
        let report = report.because(format!("it must be one of {}, none", names.join(", ")));
        let fix = match nearest(written, names.iter().copied().chain(["none", "all"])) {
            Some(name) => format!("did you mean {name}?"),
            None => "write one of them, or put # before the line".to_owned(),
        };
        self.reports.push(report.fix(fix));
    }
}
