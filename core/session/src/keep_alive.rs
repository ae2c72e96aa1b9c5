//! Keep Alive: how long a Client may be silent, and what its silence means.

use martlet_record::Time;

use crate::Outgoing;

/// The Keep Alive in force on a Network Connection, in seconds; zero turns it off [MQTT-3.1.2-22].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepAlive(pub u16);

/// What a Client's silence looks like from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// It may still be silent until this moment.
    Until(Time),
    /// It was silent for one and a half Keep Alives.
    TimedOut,
    /// So it was, but its socket took nothing for as long: it may be unable to read what would make it speak.
    Blocked {
        /// Bytes that wait for it.
        waiting: usize,
    },
}

impl KeepAlive {
    /// When a Client heard at `heard` must be heard again: after one and a half times the Keep Alive [MQTT-3.1.2-22].
    pub fn deadline(self, heard: Time) -> Option<Time> {
        (self.0 > 0).then(|| heard.after_millis(u64::from(self.0) * 1500))
    }

    /// What the silence since `heard` means; `None` when Keep Alive is off.
    pub fn silence(self, heard: Time, outgoing: &Outgoing, now: Time) -> Option<Silence> {
        let deadline = self.deadline(heard)?;
        if now < deadline {
            return Some(Silence::Until(deadline));
        }
        let blocked = outgoing.blocked_since().is_some_and(|since| self.deadline(since) <= Some(now));
        Some(if blocked { Silence::Blocked { waiting: outgoing.len() } } else { Silence::TimedOut })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Time = Time::from_millis(1_000);

    /// [MQTT-3.1.2-22]
    #[test]
    fn silence_ends_at_one_and_a_half_keep_alives() {
        let outgoing = Outgoing::default();
        let keep_alive = KeepAlive(10);
        let at = |millis| keep_alive.silence(T0, &outgoing, T0.after_millis(millis));
        assert_eq!(at(14_999), Some(Silence::Until(T0.after_millis(15_000))));
        assert_eq!(at(15_000), Some(Silence::TimedOut));
        assert_eq!(KeepAlive(0).silence(T0, &outgoing, T0.after_seconds(1_000_000)), None);
    }

    #[test]
    fn a_socket_blocked_as_long_is_the_stated_reason() {
        let mut outgoing = Outgoing::default();
        outgoing.append(b"waiting");
        outgoing.blocked(T0);
        let silence = KeepAlive(10).silence(T0, &outgoing, T0.after_seconds(15));
        assert_eq!(silence, Some(Silence::Blocked { waiting: 7 }));
        let mut late = Outgoing::default();
        late.append(b"waiting");
        late.blocked(T0.after_seconds(14));
        assert_eq!(KeepAlive(10).silence(T0, &late, T0.after_seconds(15)), Some(Silence::TimedOut));
    }
}
