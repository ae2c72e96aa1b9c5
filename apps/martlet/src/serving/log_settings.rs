//! What a configuration says about the log, and what the command line makes of it.

use martlet_config::{Config, Dialect, LogDestination, LogType};

use crate::log::{Destination, Facility, Kind, Kinds, LogSettings, Stamp};

/// How much is said, whatever the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Volume {
    /// What the file says.
    #[default]
    Written,
    /// Everything (`-v`).
    Everything,
    /// Nothing (`-q`).
    Nothing,
}

pub(super) fn of(config: &Config, volume: Volume) -> LogSettings {
    let log = &config.log;
    let kinds = log.types.iter().filter_map(|kind| kind_of(*kind)).fold(Kinds::NONE, Kinds::with);
    let destination = |destination: &LogDestination| match destination {
        LogDestination::Stdout => Some(Destination::Stdout),
        LogDestination::Stderr => Some(Destination::Stderr),
        LogDestination::Syslog => {
            Some(Destination::Syslog(log.facility.and_then(Facility::local).unwrap_or(Facility::DAEMON)))
        }
        LogDestination::Topic => Some(Destination::Topic),
        LogDestination::File => log.file.clone().map(Destination::File),
    };
    LogSettings {
        destinations: log.destinations.iter().filter_map(destination).collect(),
        kinds: match volume {
            Volume::Written => kinds,
            Volume::Everything => Kinds::ALL,
            Volume::Nothing => Kinds::NONE,
        },
        tells_connections: log.connection_messages,
        stamp: match &log.timestamp_format {
            _ if !log.timestamp => Stamp::None,
            Some(format) => Stamp::Format(format.as_str().into()),
            None if config.dialect == Dialect::Native => Stamp::Level,
            None => Stamp::Seconds,
        },
    }
}

fn kind_of(kind: LogType) -> Option<Kind> {
    Some(match kind {
        LogType::Error => Kind::Error,
        LogType::Warning => Kind::Warning,
        LogType::Notice => Kind::Notice,
        LogType::Information => Kind::Information,
        LogType::Debug => Kind::Debug,
        LogType::Subscribe => Kind::Subscribe,
        LogType::Unsubscribe => Kind::Unsubscribe,
        LogType::Websockets => Kind::Websockets,
        // There is no such line.
        LogType::Internal => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_says_how_much_and_the_file_what() {
        let mut config = Config::new(Dialect::Mosquitto);
        config.log.types = vec![LogType::Error, LogType::Subscribe];
        config.log.timestamp_format = Some("%H".to_owned());
        let settings = of(&config, Volume::Written);
        assert!(settings.kinds.has(Kind::Subscribe) && !settings.kinds.has(Kind::Notice));
        assert_eq!(settings.stamp, Stamp::Format("%H".into()));
        assert_eq!(of(&config, Volume::Everything).kinds, Kinds::ALL);
        assert_eq!(of(&config, Volume::Nothing).kinds, Kinds::NONE);
    }

    #[test]
    fn no_destination_is_a_destination_too() {
        let mut config = Config::new(Dialect::Mosquitto);
        config.log.destinations.clear();
        assert!(of(&config, Volume::Written).destinations.is_empty());
    }
}
