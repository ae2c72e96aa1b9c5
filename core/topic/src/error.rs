//! Why a Topic Name or Topic Filter was refused. Each text says what is wrong and how to put it right, for it
//! may reach the Client as a Reason String.

/// Why a Topic Name or Topic Filter was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not one character. [MQTT-4.7.3-1]
    #[error("the topic is empty; it needs at least one character")]
    Empty,
    /// More bytes than allowed. [MQTT-4.7.3-3]
    #[error("the topic has {bytes} bytes but {limit} are allowed; use a shorter one")]
    TooLong {
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },
    /// More levels than allowed.
    #[error("the topic has {levels} levels but {limit} are allowed; use fewer '/'")]
    TooManyLevels {
        /// How many there are.
        levels: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Holds U+0000. [MQTT-4.7.3-2]
    #[error("the topic contains the null character U+0000; remove it")]
    Nul,
    /// A wildcard where only a Topic Name may stand. [MQTT-4.7.0-1]
    #[error("a Topic Name cannot contain '{0}'; wildcards belong in Topic Filters")]
    WildcardInName(char),
    /// `#` or `+` shares its level, or `#` is not last. [MQTT-4.7.1-1] [MQTT-4.7.1-2]
    #[error("'{0}' is misplaced: '+' must fill a whole level, '#' the whole last one")]
    MisplacedWildcard(char),
    /// An empty ShareName, or one with a character it must not have. [MQTT-4.8.2-1] [MQTT-4.8.2-2]
    #[error(
        "the ShareName is empty or has '/', '+', '#' or U+0000; write $share/NAME/FILTER, NAME without them"
    )]
    BadShareName,
    /// `$share/NAME` or `$queue` with no Topic Filter after it. [MQTT-4.8.2-2]
    #[error("the Shared Subscription names no Topic Filter; write $share/NAME/FILTER or $queue/FILTER")]
    SharedWithoutFilter,
}
