//! The two clocks of a node, read once a turn.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use martlet_record::{Now, Time, WallTime};

/// Milliseconds after which the wall clock is read again: records need seconds only.
const WALL_MILLIS: u64 = 500;

/// One runner's view of the clocks. All runners of a node count from the same start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    wall: WallTime,
    wall_read: Option<Time>,
}

impl Clock {
    pub(crate) fn new(start: Instant) -> Self {
        Self { start, wall: WallTime(0), wall_read: None }
    }

    pub(crate) fn read(&mut self) -> Now {
        let millis = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let time = Time::from_millis(millis);
        if self.wall_read.is_none_or(|read| time >= read.after_millis(WALL_MILLIS)) {
            self.wall_read = Some(time);
            let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
            self.wall =
                WallTime(since_1970.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)));
        }
        Now { time, wall: self.wall }
    }
}
