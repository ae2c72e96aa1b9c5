//! The kinds of lines, as `log_type` names them, and what kind an event of ours is.

use martlet_server::log_target;
use tracing::{Level, Metadata, level_filters::LevelFilter};

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Kind {
    /// Something failed.
    Error = 1,
    /// Something should be looked at.
    Warning = 2,
    /// Somebody came or went.
    Notice = 4,
    /// The broker says what it does.
    Information = 8,
    /// Everything else.
    Debug = 16,
    /// A Client subscribed.
    Subscribe = 32,
    /// A Client unsubscribed.
    Unsubscribe = 64,
    /// Of WebSocket connections.
    Websockets = 128,
}

/// Some kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kinds(u16);

impl Kind {
    /// The kind of an event.
    pub(super) fn of(event: &Metadata<'_>) -> Self {
        match event.target() {
            log_target::NOTICE | log_target::CONNECTION => Self::Notice,
            log_target::SUBSCRIBE => Self::Subscribe,
            log_target::UNSUBSCRIBE => Self::Unsubscribe,
            log_target::WEBSOCKETS => Self::Websockets,
            _ => match *event.level() {
                Level::ERROR => Self::Error,
                Level::WARN => Self::Warning,
                Level::INFO => Self::Information,
                _ => Self::Debug,
            },
        }
    }

    /// Where lines of the kind are published; not those of debugging, of which publishing would make more.
    pub(super) fn topic(self) -> Option<&'static str> {
        Some(match self {
            Self::Error => "$SYS/broker/log/E",
            Self::Warning => "$SYS/broker/log/W",
            Self::Notice => "$SYS/broker/log/N",
            Self::Information => "$SYS/broker/log/I",
            Self::Subscribe => "$SYS/broker/log/M/subscribe",
            Self::Unsubscribe => "$SYS/broker/log/M/unsubscribe",
            Self::Websockets => "$SYS/broker/log/WS",
            Self::Debug => return None,
        })
    }

    /// The severity, as syslog counts it.
    pub(super) fn severity(self) -> u8 {
        match self {
            Self::Error => 3,
            Self::Warning => 4,
            Self::Notice | Self::Subscribe | Self::Unsubscribe => 5,
            Self::Information => 6,
            Self::Debug | Self::Websockets => 7,
        }
    }

    /// The level, as the native log writes it.
    pub(super) fn level(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warning => " WARN",
            Self::Debug => "DEBUG",
            _ => " INFO",
        }
    }
}

impl Kinds {
    /// None.
    pub(crate) const NONE: Self = Self(0);
    /// Errors, warnings, notices and information.
    pub(crate) const USUAL: Self = Self(15);
    /// All of them.
    pub(crate) const ALL: Self = Self(255);

    /// These and one more.
    pub(crate) fn with(self, kind: Kind) -> Self {
        Self(self.0 | kind as u16)
    }

    /// Is it one of them?
    pub(crate) fn has(self, kind: Kind) -> bool {
        self.0 & kind as u16 != 0
    }

    /// Down to the level of this name.
    pub(super) fn up_to(level: &str) -> Option<Self> {
        Some(match level.to_ascii_lowercase().as_str() {
            "off" => Self::NONE,
            "error" => Self::NONE.with(Kind::Error),
            "warn" => Self::NONE.with(Kind::Error).with(Kind::Warning),
            "info" => Self::USUAL,
            "debug" | "trace" => Self::ALL,
            _ => return None,
        })
    }

    pub(super) fn bits(self) -> u16 {
        self.0
    }

    pub(super) fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// No event below this level is among them.
    pub(super) fn level(self) -> LevelFilter {
        let is_any = |kinds: &[Kind]| kinds.iter().any(|kind| self.has(*kind));
        if is_any(&[Kind::Debug, Kind::Websockets]) {
            LevelFilter::DEBUG
        } else if is_any(&[Kind::Notice, Kind::Information, Kind::Subscribe, Kind::Unsubscribe]) {
            LevelFilter::INFO
        } else if self.has(Kind::Warning) {
            LevelFilter::WARN
        } else if self.has(Kind::Error) {
            LevelFilter::ERROR
        } else {
            LevelFilter::OFF
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_lets_through_every_kind_it_must() {
        assert_eq!(Kinds::USUAL.level(), LevelFilter::INFO);
        assert_eq!(Kinds::NONE.with(Kind::Subscribe).level(), LevelFilter::INFO);
        assert_eq!(Kinds::NONE.with(Kind::Error).level(), LevelFilter::ERROR);
        assert_eq!(Kinds::NONE.level(), LevelFilter::OFF);
        assert_eq!(Kinds::ALL.level(), LevelFilter::DEBUG);
    }

    #[test]
    fn levels_have_the_names_people_give_them() {
        assert_eq!(Kinds::up_to("INFO"), Some(Kinds::USUAL));
        assert_eq!(Kinds::up_to("off"), Some(Kinds::NONE));
        assert_eq!(Kinds::up_to("loud"), None);
    }
}
