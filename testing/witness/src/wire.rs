//! The few MQTT bytes that tests of a whole broker need, 3.1.1 and 5.0, written down anew.
//!
//! The rule: no line is shared with the broker's codec, so that both cannot be wrong in the same way.

use anyhow::{Result, bail, ensure};

/// The versions spoken here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.0.
    V5,
}

/// Packet types, the first four bits of a packet.
#[expect(missing_docs, reason = "the specification's own names")]
pub mod kind {
    pub const CONNECT: u8 = 1;
    pub const CONNACK: u8 = 2;
    pub const PUBLISH: u8 = 3;
    pub const PUBACK: u8 = 4;
    pub const PUBREC: u8 = 5;
    pub const PUBREL: u8 = 6;
    pub const PUBCOMP: u8 = 7;
    pub const SUBSCRIBE: u8 = 8;
    pub const SUBACK: u8 = 9;
    pub const PINGRESP: u8 = 13;
    pub const DISCONNECT: u8 = 14;
}

/// A PINGREQ.
pub const PINGREQ: [u8; 2] = [0xc0, 0];
/// A DISCONNECT; in version 5.0 these bytes say Normal disconnection.
pub const DISCONNECT: [u8; 2] = [0xe0, 0];

/// A CONNECT.
pub struct Connect<'a> {
    /// The version asked for.
    pub version: Version,
    /// The Client Identifier.
    pub client_id: &'a str,
    /// The Keep Alive in seconds; 0: none.
    pub keep_alive: u16,
    /// Clean Session, in version 5.0 Clean Start.
    pub clean: bool,
    /// The Session Expiry Interval of version 5.0.
    pub session_expiry: Option<u32>,
    /// The Will Message, if there is one.
    pub will: Option<Will<'a>>,
}

/// The Will Message of a CONNECT.
pub struct Will<'a> {
    /// Its Topic Name.
    pub topic: &'a str,
    /// Its payload.
    pub payload: &'a [u8],
    /// Its QoS.
    pub qos: u8,
    /// The Will Delay Interval of version 5.0.
    pub delay: Option<u32>,
}

impl<'a> Connect<'a> {
    /// Version 3.1.1 with Clean Session, no Will, and the Keep Alive most libraries ask for.
    pub fn new(client_id: &'a str) -> Self {
        Self {
            version: Version::V311,
            client_id,
            keep_alive: 60,
            clean: true,
            session_expiry: None,
            will: None,
        }
    }

    /// A Session that is kept and a Connection that may be silent.
    pub fn persistent(version: Version, client_id: &'a str) -> Self {
        let session_expiry = (version == Version::V5).then_some(u32::MAX);
        Self { version, keep_alive: 0, clean: false, session_expiry, ..Self::new(client_id) }
    }

    /// The packet.
    pub fn bytes(&self) -> Vec<u8> {
        let will_flags = self.will.as_ref().map_or(0, |will| 0b0000_0100 | will.qos << 3);
        let mut body = text(b"MQTT");
        body.extend([self.level(), will_flags | u8::from(self.clean) << 1]);
        body.extend(self.keep_alive.to_be_bytes());
        body.extend(self.properties(0x11, self.session_expiry));
        body.extend(text(self.client_id.as_bytes()));
        if let Some(will) = &self.will {
            body.extend(self.properties(0x18, will.delay));
            body.extend(text(will.topic.as_bytes()));
            body.extend(text(will.payload));
        }
        packet(kind::CONNECT << 4, &body)
    }

    fn level(&self) -> u8 {
        match self.version {
            Version::V311 => 4,
            Version::V5 => 5,
        }
    }

    /// Properties with at most one Four Byte Integer; version 3.1.1 has none.
    fn properties(&self, identifier: u8, value: Option<u32>) -> Vec<u8> {
        match (self.version, value) {
            (Version::V311, _) => Vec::new(),
            (Version::V5, None) => vec![0],
            (Version::V5, Some(value)) => [&[5, identifier][..], &value.to_be_bytes()].concat(),
        }
    }
}

/// A SUBSCRIBE with one Topic Filter.
pub fn subscribe(version: Version, id: u16, filter: &str, qos: u8) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == Version::V5 {
        body.push(0);
    }
    body.extend(text(filter.as_bytes()));
    body.push(qos);
    packet(kind::SUBSCRIBE << 4 | 0b0010, &body)
}

/// A PUBLISH of version 3.1.1 with QoS 1 when it has a Packet Identifier, else with QoS 0.
pub fn publish(topic: &str, id: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let message = Outgoing { topic, payload, qos: id.map_or(0, |_| 1), retain: false, expiry: None };
    message.write(Version::V311, id.unwrap_or_default(), false, &mut bytes);
    bytes
}

/// A message of ours.
pub struct Outgoing<'a> {
    /// The Topic Name.
    pub topic: &'a str,
    /// The payload.
    pub payload: &'a [u8],
    /// The QoS.
    pub qos: u8,
    /// The RETAIN flag.
    pub retain: bool,
    /// The Message Expiry Interval of version 5.0.
    pub expiry: Option<u32>,
}

impl Outgoing<'_> {
    /// Appends the PUBLISH; without QoS its Packet Identifier is not written.
    pub fn write(&self, version: Version, id: u16, dup: bool, bytes: &mut Vec<u8>) {
        let Self { topic, payload, qos, retain, expiry } = self;
        let expiry = expiry.filter(|_| version == Version::V5);
        let properties = if version == Version::V5 { 1 + expiry.map_or(0, |_| 5) } else { 0 };
        let identifier = if *qos > 0 { 2 } else { 0 };
        bytes.push(kind::PUBLISH << 4 | u8::from(dup) << 3 | qos << 1 | u8::from(*retain));
        write_variable(2 + topic.len() + identifier + properties + payload.len(), bytes);
        write_text(topic.as_bytes(), bytes);
        if *qos > 0 {
            bytes.extend(id.to_be_bytes());
        }
        match (version, expiry) {
            (Version::V311, _) => {}
            (Version::V5, None) => bytes.push(0),
            (Version::V5, Some(seconds)) => {
                bytes.extend([5, 0x02]);
                bytes.extend(seconds.to_be_bytes());
            }
        }
        bytes.extend_from_slice(payload);
    }
}

/// A PUBACK; in version 5.0 these bytes say Success as well.
pub fn puback(id: u16) -> [u8; 4] {
    acknowledgement(kind::PUBACK, id)
}

/// A PUBACK, PUBREC, PUBREL or PUBCOMP without a Reason Code.
pub fn acknowledgement(kind: u8, id: u16) -> [u8; 4] {
    let flags = if kind == kind::PUBREL { 0b0010 } else { 0 };
    let [high, low] = id.to_be_bytes();
    [kind << 4 | flags, 2, high, low]
}

/// A fixed header before `body`.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    bytes.extend(variable(body.len()));
    bytes.extend(body);
    bytes
}

/// A Variable Byte Integer.
pub fn variable(value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_variable(value, &mut bytes);
    bytes
}

fn write_variable(mut value: usize, bytes: &mut Vec<u8>) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        bytes.push(if value > 0 { low | 0x80 } else { low & 0x7f });
        if value == 0 {
            return;
        }
    }
}

/// A string or binary datum with its length.
pub fn text(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(2 + bytes.len());
    write_text(bytes, &mut text);
    text
}

fn write_text(text: &[u8], bytes: &mut Vec<u8>) {
    let length = u16::try_from(text.len()).expect("no string above 65,535 bytes is written here");
    bytes.extend(length.to_be_bytes());
    bytes.extend_from_slice(text);
}

/// A packet a broker sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its type, see [`kind`].
    pub kind: u8,
    flags: u8,
    body: Vec<u8>,
}

/// A PUBLISH a broker sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// The Topic Name.
    pub topic: &'a [u8],
    /// The Packet Identifier, `None` with QoS 0.
    pub id: Option<u16>,
    /// The QoS.
    pub qos: u8,
    /// The DUP flag.
    pub dup: bool,
    /// The RETAIN flag.
    pub retain: bool,
    /// The payload.
    pub payload: &'a [u8],
}

impl Packet {
    /// Whether this CONNACK accepts the Client.
    pub fn is_welcome(&self) -> bool {
        self.kind == kind::CONNACK && self.body.get(1) == Some(&0)
    }

    /// Session Present of a CONNACK.
    pub fn session_present(&self) -> bool {
        self.kind == kind::CONNACK && self.body.first().is_some_and(|flags| flags & 1 == 1)
    }

    /// The Packet Identifier at the start of an acknowledgement.
    pub fn id(&self) -> Option<u16> {
        self.body.first_chunk().map(|id| u16::from_be_bytes(*id))
    }

    /// The Reason Code of a PUBACK, PUBREC, PUBREL or PUBCOMP; an absent one says Success.
    pub fn reason(&self) -> u8 {
        self.body.get(2).copied().unwrap_or(0)
    }

    /// The Reason Code, in version 3.1.1 Return Code, of a SUBACK for one Topic Filter.
    pub fn granted(&self) -> Option<u8> {
        if self.kind == kind::SUBACK { self.body.last().copied() } else { None }
    }

    /// The Reason Code of a DISCONNECT; an absent one says Normal disconnection.
    pub fn disconnect_reason(&self) -> Option<u8> {
        (self.kind == kind::DISCONNECT).then(|| self.body.first().copied().unwrap_or(0))
    }

    /// The parts of a PUBLISH, `None` if it is none or is cut short.
    pub fn publish(&self, version: Version) -> Option<Publish<'_>> {
        if self.kind != kind::PUBLISH {
            return None;
        }
        let (length, rest) = self.body.split_first_chunk()?;
        let (topic, mut rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let qos = self.flags >> 1 & 0b11;
        let mut id = None;
        if qos > 0 {
            let (bytes, after) = rest.split_first_chunk()?;
            (id, rest) = (Some(u16::from_be_bytes(*bytes)), after);
        }
        if version == Version::V5 {
            let (length, after) = read_variable(rest).ok()??;
            rest = after.get(length..)?;
        }
        let (dup, retain) = (self.flags & 0b1000 != 0, self.flags & 1 != 0);
        Some(Publish { topic, id, qos, dup, retain, payload: rest })
    }
}

/// Bytes from a broker on their way to become packets.
#[derive(Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    taken: usize,
}

impl Inbox {
    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken == self.bytes.len() {
            self.bytes.clear();
        } else {
            self.bytes.drain(..self.taken);
        }
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next complete packet.
    pub fn take(&mut self) -> Result<Option<Packet>> {
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

    fn a_publish<'a>(topic: &'a [u8], id: Option<u16>, payload: &'a [u8]) -> Publish<'a> {
        Publish { topic, id, qos: id.map_or(0, |_| 1), dup: false, retain: false, payload }
    }

    #[test]
    fn a_connect_is_as_in_the_specification() {
        let will = Will { topic: "w", payload: b"x", qos: 1, delay: None };
        let connect = Connect { keep_alive: 10, will: Some(will), ..Connect::new("a") };
        assert_eq!(connect.bytes(), b"\x10\x13\0\x04MQTT\x04\x0e\0\x0a\0\x01a\0\x01w\0\x01x");
        let connect = Connect { version: Version::V5, ..Connect::new("a") };
        assert_eq!(connect.bytes(), b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01a");
        let connect = Connect::persistent(Version::V5, "a");
        assert_eq!(connect.bytes(), b"\x10\x13\0\x04MQTT\x05\0\0\0\x05\x11\xff\xff\xff\xff\0\x01a");
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
            assert_eq!(first.publish(Version::V311), Some(a_publish(b"t", Some(7), &[1; 300])));
            assert_eq!(ping.kind, 12);
            assert_eq!(last.publish(Version::V311), Some(a_publish(b"u", None, b"")));
        }
    }

    #[test]
    fn a_publish_of_version_5_loses_its_properties() {
        let mut inbox = Inbox::default();
        inbox.push(b"\x32\x0a\0\x01t\0\x09\x02\x01\x01hi");
        let packet = inbox.take().expect("valid").expect("complete");
        assert_eq!(packet.publish(Version::V5), Some(a_publish(b"t", Some(9), b"hi")));
    }

    #[test]
    fn a_message_is_written_as_in_the_specification() {
        let message = Outgoing { topic: "t", payload: b"hi", qos: 2, retain: true, expiry: Some(7) };
        let mut bytes = Vec::new();
        message.write(Version::V5, 9, true, &mut bytes);
        assert_eq!(bytes, b"\x3d\x0d\0\x01t\0\x09\x05\x02\0\0\0\x07hi");
        bytes.clear();
        message.write(Version::V311, 9, false, &mut bytes);
        assert_eq!(bytes, b"\x35\x07\0\x01t\0\x09hi");
    }

    #[test]
    fn only_pubrel_has_flags() {
        assert_eq!(acknowledgement(kind::PUBREL, 258), [0x62, 2, 1, 2]);
        assert_eq!(acknowledgement(kind::PUBCOMP, 258), [0x70, 2, 1, 2]);
    }

    #[test]
    fn an_endless_length_is_an_error() {
        let mut inbox = Inbox::default();
        inbox.push(b"\x30\xff\xff\xff\xff");
        assert!(inbox.take().is_err());
    }
}
