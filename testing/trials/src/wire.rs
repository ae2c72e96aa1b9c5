//! The few MQTT bytes the trials need, 3.1.1 and 5.0, written down anew.
//!
//! The rule: no line is shared with the broker's codec, so that both cannot be wrong in the same way.

use anyhow::{Result, bail, ensure};

/// The versions the trials speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    V311,
    V5,
}

/// Packet types, the first four bits of a packet.
pub(crate) mod kind {
    pub(crate) const CONNECT: u8 = 1;
    pub(crate) const CONNACK: u8 = 2;
    pub(crate) const PUBLISH: u8 = 3;
    pub(crate) const PUBACK: u8 = 4;
    pub(crate) const SUBSCRIBE: u8 = 8;
    pub(crate) const SUBACK: u8 = 9;
    pub(crate) const PINGRESP: u8 = 13;
    pub(crate) const DISCONNECT: u8 = 14;
}

pub(crate) const PINGREQ: [u8; 2] = [0xc0, 0];

/// A CONNECT with Clean Session (Clean Start) set.
pub(crate) struct Connect<'a> {
    pub(crate) version: Version,
    pub(crate) client_id: &'a str,
    pub(crate) keep_alive: u16,
    /// Topic Name and payload of a Will Message with QoS 1.
    pub(crate) will: Option<(&'a str, &'a str)>,
}

impl<'a> Connect<'a> {
    /// Version 3.1.1, no Will, and the Keep Alive most libraries ask for.
    pub(crate) fn new(client_id: &'a str) -> Self {
        Self { version: Version::V311, client_id, keep_alive: 60, will: None }
    }

    /// The packet.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let (level, properties): (u8, &[u8]) = match self.version {
            Version::V311 => (4, &[]),
            Version::V5 => (5, &[0]),
        };
        let flags = if self.will.is_some() { 0b0000_1110 } else { 0b0000_0010 };
        let mut body = text(b"MQTT");
        body.extend([level, flags]);
        body.extend(self.keep_alive.to_be_bytes());
        body.extend(properties);
        body.extend(text(self.client_id.as_bytes()));
        if let Some((topic, payload)) = self.will {
            body.extend(properties);
            body.extend(text(topic.as_bytes()));
            body.extend(text(payload.as_bytes()));
        }
        packet(kind::CONNECT << 4, &body)
    }
}

/// A SUBSCRIBE with one Topic Filter.
pub(crate) fn subscribe(version: Version, id: u16, filter: &str, qos: u8) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == Version::V5 {
        body.push(0);
    }
    body.extend(text(filter.as_bytes()));
    body.push(qos);
    packet(kind::SUBSCRIBE << 4 | 0b0010, &body)
}

/// A PUBLISH of version 3.1.1 with QoS 1 when it has a Packet Identifier, else with QoS 0.
pub(crate) fn publish(topic: &str, id: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let mut body = text(topic.as_bytes());
    let mut first = kind::PUBLISH << 4;
    if let Some(id) = id {
        body.extend(id.to_be_bytes());
        first |= 0b0010;
    }
    body.extend(payload);
    packet(first, &body)
}

/// A PUBACK; in version 5.0 these bytes say Success as well.
pub(crate) fn puback(id: u16) -> Vec<u8> {
    packet(kind::PUBACK << 4, &id.to_be_bytes())
}

/// A fixed header before `body`.
pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    bytes.extend(variable(body.len()));
    bytes.extend(body);
    bytes
}

/// A Variable Byte Integer.
pub(crate) fn variable(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        bytes.push(if value > 0 { low | 0x80 } else { low & 0x7f });
        if value == 0 {
            return bytes;
        }
    }
}

/// A string or binary datum with its length.
pub(crate) fn text(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("the trials write no string above 65,535 bytes");
    [&length.to_be_bytes(), bytes].concat()
}

/// A packet a broker sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) kind: u8,
    flags: u8,
    body: Vec<u8>,
}

/// A PUBLISH a broker sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Publish<'a> {
    pub(crate) topic: &'a [u8],
    pub(crate) id: Option<u16>,
    pub(crate) payload: &'a [u8],
}

impl Packet {
    /// Whether this CONNACK accepts the Client.
    pub(crate) fn is_welcome(&self) -> bool {
        self.kind == kind::CONNACK && self.body.get(1) == Some(&0)
    }

    /// The Packet Identifier at the start of an acknowledgement.
    pub(crate) fn id(&self) -> Option<u16> {
        self.body.first_chunk().map(|id| u16::from_be_bytes(*id))
    }

    /// The Reason Code of a DISCONNECT; an absent one says Normal disconnection.
    pub(crate) fn disconnect_reason(&self) -> Option<u8> {
        (self.kind == kind::DISCONNECT).then(|| self.body.first().copied().unwrap_or(0))
    }

    /// The parts of a PUBLISH, `None` if it is none or is cut short.
    pub(crate) fn publish(&self, version: Version) -> Option<Publish<'_>> {
        if self.kind != kind::PUBLISH {
            return None;
        }
        let (length, rest) = self.body.split_first_chunk()?;
        let (topic, mut rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let mut id = None;
        if self.flags & 0b0110 != 0 {
            let (bytes, after) = rest.split_first_chunk()?;
            (id, rest) = (Some(u16::from_be_bytes(*bytes)), after);
        }
        if version == Version::V5 {
            let (length, after) = read_variable(rest).ok()??;
            rest = after.get(length..)?;
        }
        Some(Publish { topic, id, payload: rest })
    }
}

/// Bytes from a broker on their way to become packets.
#[derive(Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    taken: usize,
}

impl Inbox {
    /// Adds what was read.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.taken == self.bytes.len() {
            self.bytes.clear();
        } else {
            self.bytes.drain(..self.taken);
        }
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next complete packet.
    pub(crate) fn take(&mut self) -> Result<Option<Packet>> {
        let Some((&first, rest)) = self.bytes[self.taken..].split_first() else {
            return Ok(None);
        };
        ensure!(first >> 4 != 0, "the broker sent a packet of the forbidden type 0");
        let Some((length, rest)) = read_variable(rest)? else {
            return Ok(None);
        };
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let packet = Packet { kind: first >> 4, flags: first & 0x0f, body: body.to_vec() };
        self.taken = self.bytes.len() - rest.len() + length;
        if self.taken == self.bytes.len() {
            // Ten thousand idle connections keep no buffer each.
            *self = Self::default();
        }
        Ok(Some(packet))
    }
}

/// A Variable Byte Integer and what follows it, `None` while it is incomplete.
fn read_variable(bytes: &[u8]) -> Result<Option<(usize, &[u8])>> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((value, &bytes[index + 1..])));
        }
    }
    if bytes.len() >= 4 {
        bail!("the broker sent a length of more than four bytes");
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connect_is_as_in_the_specification() {
        let connect = Connect { keep_alive: 10, will: Some(("w", "x")), ..Connect::new("a") };
        assert_eq!(connect.bytes(), b"\x10\x13\0\x04MQTT\x04\x0e\0\x0a\0\x01a\0\x01w\0\x01x");
        let connect = Connect { version: Version::V5, ..Connect::new("a") };
        assert_eq!(connect.bytes(), b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01a");
    }

    #[test]
    fn lengths_are_those_of_the_table_of_remaining_lengths() {
        for (value, bytes) in
            [(0, vec![0]), (127, vec![0x7f]), (128, vec![0x80, 1]), (2_097_151, vec![0xff, 0xff, 0x7f])]
        {
            assert_eq!(variable(value), bytes);
            assert_eq!(read_variable(&bytes).expect("valid"), Some((value, &[][..])));
        }
    }

    #[test]
    fn packets_are_found_however_they_are_cut() {
        let stream = [publish("t", Some(7), &[1; 300]), PINGREQ.to_vec(), publish("u", None, b"")].concat();
        for cut in 0..stream.len() {
            let (mut inbox, mut packets) = (Inbox::default(), Vec::new());
            for part in [&stream[..cut], &stream[cut..]] {
                inbox.push(part);
                packets.extend(std::iter::from_fn(|| inbox.take().expect("valid")));
            }
            let [first, ping, last] = packets.as_slice() else { panic!("{cut}: {packets:?}") };
            let expected = Publish { topic: b"t", id: Some(7), payload: &[1; 300] };
            assert_eq!(first.publish(Version::V311), Some(expected));
            assert_eq!(ping.kind, 12);
            assert_eq!(last.publish(Version::V311), Some(Publish { topic: b"u", id: None, payload: b"" }));
        }
    }

    #[test]
    fn a_publish_of_version_5_loses_its_properties() {
        let mut inbox = Inbox::default();
        inbox.push(b"\x32\x0a\0\x01t\0\x09\x02\x01\x01hi");
        let packet = inbox.take().expect("valid").expect("complete");
        assert_eq!(packet.publish(Version::V5), Some(Publish { topic: b"t", id: Some(9), payload: b"hi" }));
    }

    #[test]
    fn an_endless_length_is_an_error() {
        let mut inbox = Inbox::default();
        inbox.push(b"\x30\xff\xff\xff\xff");
        assert!(inbox.take().is_err());
    }
}
