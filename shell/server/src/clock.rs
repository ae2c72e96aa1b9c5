//! The two clocks of a node, read once a turn.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use martlet_record::{Now, Time, WallTime};

/// Milliseconds after which the wall clock is read again; in between it goes with the other.
const WALL_MILLIS: u64 = 500;
/// A wall clock that is so far from where the other would have it was set, not corrected.
const JUMP_MILLIS: u64 = 5_000;

/// Where the clock that never jumps begins: thirty years before the node, so that what happened before has a name.
const BASE_MILLIS: u64 = 1 << 40;

/// One runner's view of the clocks. All runners of a node count from the same start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    /// Both clocks, when the wall clock was read last.
    read: Option<Now>,
    jump: Option<Jump>,
}

/// The wall clock was set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Jump {
    /// When that was noticed.
    pub(crate) at: Time,
    /// By how many seconds; ahead, if positive.
    pub(crate) seconds: i64,
}

impl Clock {
    /// The moment the node started.
    pub(crate) const START: Time = Time::from_millis(BASE_MILLIS);

    pub(crate) fn new(start: Instant) -> Self {
        Self { start, read: None, jump: None }
    }

    pub(crate) fn read(&mut self) -> Now {
        let time = Self::START.after_millis(millis(self.start.elapsed()));
        match self.read {
            Some(read) if time < read.time.after_millis(WALL_MILLIS) => {
                Now { time, wall: read.to_wall(time) }
            }
            before => {
                let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let now = Now { time, wall: WallTime(millis(since_1970)) };
                self.jump = before.and_then(|before| jump(before.to_wall(time), now)).or(self.jump);
                self.read = Some(now);
                now
            }
        }
    }

    /// The last time the wall clock was set while this ran.
    pub(crate) fn jump(&self) -> Option<Jump> {
        self.jump
    }
}

fn jump(expected: WallTime, now: Now) -> Option<Jump> {
    let distance = now.wall.0.abs_diff(expected.0);
    let seconds = i64::try_from(distance / 1000).unwrap_or(i64::MAX);
    let seconds = if now.wall < expected { -seconds } else { seconds };
    (distance > JUMP_MILLIS).then_some(Jump { at: now.time, seconds })
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_is_told_from_one_that_drifts() {
        let now = |wall| Now { time: Time::from_millis(10), wall: WallTime(wall) };
        assert!(jump(WallTime(100_000), now(104_000)).is_none());
        assert_eq!(jump(WallTime(100_000), now(160_000)).map(|jump| jump.seconds), Some(60));
        assert_eq!(jump(WallTime(100_000), now(40_000)).map(|jump| jump.seconds), Some(-60));
    }
}
