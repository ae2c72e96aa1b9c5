//! What is said to the operator, and where.

use std::path::PathBuf;

/// What is said to the operator, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Where it goes, in the order of [`LogDestination`], each once; empty: nowhere.
    pub destinations: Vec<LogDestination>,
    /// The file of [`LogDestination::File`].
    pub file: Option<PathBuf>,
    /// What is said, in the order of [`LogType`], each once; empty: nothing.
    pub types: Vec<LogType>,
    /// Each line begins with the time.
    pub timestamp: bool,
    /// How the time is written, in the language of `strftime`; `None`: seconds since 1970.
    pub timestamp_format: Option<String>,
    /// Clients that come and go are logged.
    pub connection_messages: bool,
    /// For syslog: 0 to 7 for `local0` to `local7`; `None`: `daemon`.
    pub facility: Option<u8>,
    /// What is said of WebSocket connections, as bits of libwebsockets.
    pub websockets_level: u32,
}

/// Where log lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogDestination {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The system's log.
    Syslog,
    /// Topics under `$SYS/broker/log/`.
    Topic,
    /// [`Log::file`].
    File,
}

/// What log lines are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogType {
    /// What went wrong.
    Error,
    /// What may go wrong.
    Warning,
    /// What the operator may want to know.
    Notice,
    /// What happens in normal work.
    Information,
    /// Each packet.
    Debug,
    /// Each Subscription that is made.
    Subscribe,
    /// Each Subscription that is ended.
    Unsubscribe,
    /// What WebSocket connections do.
    Websockets,
    /// What only developers ask for.
    Internal,
}

impl LogType {
    /// All there are; what `all` stands for.
    pub const ALL: [Self; 9] = [
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Information,
        Self::Debug,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::Websockets,
        Self::Internal,
    ];
}

impl Default for Log {
    fn default() -> Self {
        Self {
            destinations: vec![LogDestination::Stderr],
            file: None,
            types: vec![LogType::Error, LogType::Warning, LogType::Notice, LogType::Information],
            timestamp: true,
            timestamp_format: None,
            connection_messages: true,
            facility: None,
            websockets_level: 0,
        }
    }
}
