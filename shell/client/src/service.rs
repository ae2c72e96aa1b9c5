//! Where a domain has its MQTT Servers: SRV records of DNS (RFC 2782), asked of the name servers of this machine.
//!
//! The rule: an answer is somebody else's bytes. Whatever it says, reading it ends, and costs no more than it is long.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// A Server of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The name of the machine.
    pub host: String,
    /// The port it listens on.
    pub port: u16,
    priority: u16,
    weight: u16,
}

/// How long one name server has to answer before the next is asked.
const PATIENCE: Duration = Duration::from_secs(2);
/// As long as an answer over UDP may be.
const ANSWER_BYTES_MAX: usize = 4096;
const DNS_PORT: u16 = 53;

/// The MQTT Servers of a domain, those it prefers first. None is an error.
pub fn services_of(domain: &str, is_tls: bool) -> io::Result<Vec<Service>> {
    let service = if is_tls { "_secure-mqtt" } else { "_mqtt" };
    let name = format!("{service}._tcp.{domain}");
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "this machine knows no name server");
    for server in name_servers(&fs::read_to_string("/etc/resolv.conf").unwrap_or_default()) {
        match ask(server, &name) {
            Ok(services) if services.is_empty() => {
                failure = io::Error::new(io::ErrorKind::NotFound, format!("{name} has no SRV record"));
            }
            Ok(services) => return Ok(services),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The addresses of a `resolv.conf`; without any, this machine.
fn name_servers(text: &str) -> Vec<SocketAddr> {
    let addresses =
        text.lines().filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok());
    let mut servers: Vec<IpAddr> = addresses.collect();
    if servers.is_empty() {
        servers.push(Ipv4Addr::LOCALHOST.into());
    }
    servers.into_iter().map(|address| (address, DNS_PORT).into()).collect()
}

fn ask(server: SocketAddr, name: &str) -> io::Result<Vec<Service>> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    // Only its datagrams are taken.
    socket.connect(server)?;
    // By chance, so that nobody answers who did not see the question.
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    let id = u16::from_be_bytes(id);
    socket.send(&question(id, name)?)?;
    let until = Instant::now() + PATIENCE;
    let mut answer = [0; ANSWER_BYTES_MAX];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("the name server {server} does not answer"),
            ));
        }
        socket.set_read_timeout(Some(left))?;
        let bytes = socket.recv(&mut answer)?;
        // What does not answer this question is somebody else's.
        if let Some(services) = parse_answer(&answer[..bytes], id) {
            return Ok(services);
        }
    }
}

const SRV: u16 = 33;
const INTERNET: u16 = 1;
const HEADER_BYTES: usize = 12;

fn question(id: u16, name: &str) -> io::Result<Vec<u8>> {
    // One question, and the name server is to ask others for the answer.
    let mut bytes = [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    for label in name.trim_end_matches('.').split('.') {
        let len = u8::try_from(label.len()).ok().filter(|len| (1..=63).contains(len));
        let wrong = || io::Error::new(io::ErrorKind::InvalidInput, format!("{name} is no name of a domain"));
        bytes.push(len.ok_or_else(wrong)?);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend_from_slice(&SRV.to_be_bytes());
    bytes.extend_from_slice(&INTERNET.to_be_bytes());
    Ok(bytes)
}

/// The Servers an answer names, those it prefers first; none when it is no answer to the question of this number.
pub fn parse_answer(bytes: &[u8], id: u16) -> Option<Vec<Service>> {
    const IS_ANSWER: u16 = 0x8000;
    let mut reader = Reader { bytes, at: 0 };
    let (answered, flags) = (reader.u16()?, reader.u16()?);
    let (questions, answers) = (reader.u16()?, reader.u16()?);
    if answered != id || flags & IS_ANSWER == 0 {
        return None;
    }
    reader.at = HEADER_BYTES;
    for _ in 0..questions {
        reader.name()?;
        reader.take(4)?;
    }
    let mut services = Vec::new();
    for _ in 0..answers {
        // A record that is cut off was not meant to be read; those before it were.
        let Some(record) = reader.record() else { break };
        services.extend(record);
    }
    // Of those equally dear, the one that is to have more comes first.
    services.sort_by_key(|service: &Service| (service.priority, u16::MAX - service.weight));
    Some(services)
}

/// What is left of an answer.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// One record; the inner one is none where it says something else.
    fn record(&mut self) -> Option<Option<Service>> {
        self.name()?;
        let (kind, class) = (self.u16()?, self.u16()?);
        // How long it may be remembered.
        self.take(4)?;
        let len = self.u16()?.into();
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len())?;
        let service = if (kind, class) == (SRV, INTERNET) { self.service() } else { None };
        self.at = end;
        Some(service)
    }

    fn service(&mut self) -> Option<Service> {
        let (priority, weight, port) = (self.u16()?, self.u16()?, self.u16()?);
        let host = self.name()?;
        // A single dot says that there is decidedly none.
        (!host.is_empty()).then_some(Service { host, port, priority, weight })
    }

    /// A name, which may end with a pointer to the rest of it.
    fn name(&mut self) -> Option<String> {
        const POINTER: u8 = 0xC0;
        const NAME_BYTES_MAX: usize = 255;
        let mut name = String::new();
        let mut after = None;
        let mut from = self.at;
        loop {
            let len = self.u8()?;
            if len & POINTER == POINTER {
                let to = usize::from(u16::from_be_bytes([len & !POINTER, self.u8()?]));
                after.get_or_insert(self.at);
                // Pointers lead backwards only, so that following them ends.
                if to >= from {
                    return None;
                }
                (self.at, from) = (to, to);
            } else if len == 0 {
                self.at = after.unwrap_or(self.at);
                return Some(name);
            } else {
                let label = std::str::from_utf8(self.take(len.into())?).ok()?;
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(label);
                if name.len() > NAME_BYTES_MAX {
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer to question 7 about `_mqtt._tcp.x` with these records: priority, weight, port, target.
    fn answer(records: &[(u16, u16, u16, &[u8])]) -> Vec<u8> {
        let mut bytes = question(7, "_mqtt._tcp.x").unwrap();
        bytes[2] = 0x81;
        bytes[7] = u8::try_from(records.len()).unwrap();
        for (priority, weight, port, target) in records {
            // The name is that of the question.
            bytes.extend_from_slice(&[0xC0, 12, 0, 33, 0, 1, 0, 0, 0, 60]);
            bytes.extend_from_slice(&u16::try_from(6 + target.len()).unwrap().to_be_bytes());
            [priority, weight, port].iter().for_each(|number| bytes.extend_from_slice(&number.to_be_bytes()));
            bytes.extend_from_slice(target);
        }
        bytes
    }

    fn names(bytes: &[u8]) -> Option<Vec<(String, u16)>> {
        let services = parse_answer(bytes, 7)?;
        Some(services.into_iter().map(|service| (service.host, service.port)).collect())
    }

    #[test]
    fn the_preferred_come_first() {
        let bytes = answer(&[(20, 0, 1, b"\x01c\0"), (10, 1, 2, b"\x01b\xC0\x17"), (10, 9, 3, b"\x01a\0")]);
        let expected = [("a", 3), ("b.x", 2), ("c", 1)].map(|(host, port)| (host.to_owned(), port));
        assert_eq!(names(&bytes).unwrap(), expected);
    }

    #[test]
    fn what_is_no_answer_is_none() {
        let mut other = answer(&[]);
        other[1] = 8;
        assert_eq!(names(&other), None);
        assert_eq!(names(&question(7, "x").unwrap()), None);
        assert_eq!(names(&answer(&[(0, 0, 0, b"\0")])), Some(Vec::new()));
    }

    #[test]
    fn pointers_that_run_in_circles_end() {
        let bytes = answer(&[(1, 1, 1, b"\xC0\x2B"), (1, 1, 9, b"\x01a\0")]);
        assert_eq!(names(&bytes).unwrap(), [("a".to_owned(), 9)]);
    }

    #[test]
    fn whatever_is_cut_off_or_changed_is_read_to_an_end() {
        let bytes = answer(&[(10, 1, 2, b"\x01b\xC0\x17"), (10, 9, 3, b"\x01a\0")]);
        for at in 0..bytes.len() {
            drop(names(&bytes[..at]));
            for value in [0, 1, 0x3F, 0xC0, 0xFF] {
                let mut changed = bytes.clone();
                changed[at] = value;
                drop(names(&changed));
            }
        }
    }

    #[test]
    fn name_servers_are_those_of_the_file() {
        let text = "# mine\nsearch x\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n";
        let expected = ["192.0.2.1:53", "[2001:db8::1]:53"].map(|text| text.parse().unwrap());
        assert_eq!(name_servers(text), expected);
        assert_eq!(name_servers(""), ["127.0.0.1:53".parse().unwrap()]);
    }
}
