//! Time as the core sees it: a number it is given.

use std::num::NonZeroU64;
use std::time::Duration;

/// Milliseconds on a clock that never jumps. Where it begins is up to whoever owns it: early enough that moments before the
/// node started have names.
// One more than there are, so that a moment that may be missing takes no more room in a Session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(NonZeroU64);

/// Milliseconds since 1970, as the machine believes: only for what must outlast a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime(pub u64);

/// The moment a step happens: both clocks, read once a turn by whoever owns them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// For deadlines.
    pub time: Time,
    /// For what a record must say.
    pub wall: WallTime,
}

impl Time {
    /// Where the clock begins.
    pub const START: Self = Self(NonZeroU64::MIN);

    /// So many milliseconds after the start.
    pub const fn from_millis(millis: u64) -> Self {
        Self::START.after_millis(millis)
    }

    /// Milliseconds since the start.
    pub const fn as_millis(self) -> u64 {
        self.0.get() - 1
    }

    /// This moment and `seconds` more; the end of time if that is beyond it.
    pub const fn after_seconds(self, seconds: u64) -> Self {
        self.after_millis(seconds.saturating_mul(1000))
    }

    /// This moment and `millis` more; the end of time if that is beyond it.
    pub const fn after_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// This moment and `millis` less; the start of the clock if that lies before it.
    pub const fn before_millis(self, millis: u64) -> Self {
        Self::from_millis(self.as_millis().saturating_sub(millis))
    }

    /// How long ago `earlier` was; nothing if it lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Default for Time {
    fn default() -> Self {
        Self::START
    }
}

impl Now {
    /// What a moment on the clock that never jumps is called on the other one.
    pub const fn to_wall(self, at: Time) -> WallTime {
        let (now, at) = (self.time.as_millis(), at.as_millis());
        WallTime(self.wall.0.saturating_add(at.saturating_sub(now)).saturating_sub(now.saturating_sub(at)))
    }

    /// The moment that had this name; the start of the node if it lies before that.
    pub const fn from_wall(self, at: WallTime) -> Time {
        let ahead = at.0.saturating_sub(self.wall.0);
        let behind = self.wall.0.saturating_sub(at.0);
        self.time.after_millis(ahead).before_millis(behind)
    }

    /// A moment of both clocks, as tests and simulations write it.
    pub const fn at_millis(millis: u64) -> Self {
        Self { time: Time::from_millis(millis), wall: WallTime(millis) }
    }
}
