//! The system's log: one datagram for each line.

use std::os::unix::net::UnixDatagram;

use super::Line;

/// Where the system's log listens.
const SOCKET: &str = "/dev/log";
/// Who we are there. Whoever filters for Mosquitto's name says so with a link of that name.
const NAME: &str = "martlet";

/// What part of the system a line is from, as syslog counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facility(u8);

impl Facility {
    /// Programs in the background.
    pub(crate) const DAEMON: Self = Self(3);

    /// `log_facility`: 0 to 7 are those left to the machine's owner.
    pub(crate) fn local(number: u8) -> Option<Self> {
        (number < 8).then_some(Self(16 + number))
    }

    fn priority(self, severity: u8) -> u16 {
        u16::from(self.0) * 8 + u16::from(severity)
    }
}

/// A connection to the system's log, made when there is something to say.
#[derive(Debug)]
pub(super) struct Syslog {
    facility: Facility,
    socket: Option<UnixDatagram>,
}

impl Syslog {
    pub(super) fn open(facility: Facility) -> Self {
        Self { facility, socket: connect() }
    }

    /// Sends a line; one that the system's log does not take is lost, as everywhere else.
    pub(super) fn send(&mut self, line: &Line) {
        let datagram = self.datagram(line);
        let is_sent = |socket: &UnixDatagram| socket.send(datagram.as_bytes()).is_ok();
        if !self.socket.as_ref().is_some_and(is_sent) {
            // It may have been started again meanwhile.
            self.socket = connect();
            self.socket.as_ref().map(is_sent);
        }
    }

    fn datagram(&self, line: &Line) -> String {
        let priority = self.facility.priority(line.kind.severity());
        format!("<{priority}>{NAME}[{}]: {}", std::process::id(), line.text)
    }
}

fn connect() -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.connect(SOCKET).ok()?;
    Some(socket)
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn a_line_carries_facility_severity_and_process() {
        let line = Line { kind: Kind::Error, at: SystemTime::now(), text: "it failed".to_owned() };
        let syslog = Syslog { facility: Facility::local(5).unwrap(), socket: None };
        let expected = format!("<171>martlet[{}]: it failed", std::process::id());
        assert_eq!(syslog.datagram(&line), expected);
        assert!(Facility::local(8).is_none());
        assert_eq!(Facility::DAEMON.priority(7), 31);
    }
}
