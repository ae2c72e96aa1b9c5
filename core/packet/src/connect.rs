//! CONNECT (MQTT 5.0, §3.1): the packet that tells its own version.

use crate::cursor::Cursor;
use crate::error::{Error, malformed};
use crate::frame::Frame;
use crate::packet::check_shortest;
use crate::place::Place;
use crate::{Properties, QoS, Version, Will, put};

/// A CONNECT packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connect<'a> {
    /// The version the Client speaks from here on.
    pub version: Version,
    /// Whether the Client is a bridge: Mosquitto and its kin set the high bit of the Protocol Level.
    pub bridge: bool,
    /// Whether an older Session ends here. MQTT 3.x: Clean Session.
    pub clean_start: bool,
    /// The Keep Alive in seconds; 0 turns it off.
    pub keep_alive: u16,
    /// The Client Identifier; may be empty.
    pub client_id: &'a str,
    /// The Will Message.
    pub will: Option<Will<'a>>,
    /// The User Name.
    pub user_name: Option<&'a str>,
    /// The Password.
    pub password: Option<&'a [u8]>,
    /// The properties.
    pub properties: Properties<'a>,
}

const FIRST: u8 = 0x10;
const BRIDGE: u8 = 0x80;

impl<'a> Connect<'a> {
    /// A CONNECT with Clean Start, without Keep Alive and without anything optional.
    pub const fn new(version: Version, client_id: &'a str) -> Self {
        Self {
            version,
            bridge: false,
            clean_start: true,
            keep_alive: 0,
            client_id,
            will: None,
            user_name: None,
            password: None,
            properties: Properties::from_checked(&[]),
        }
    }

    pub(crate) fn decode(frame: Frame<'a>) -> Result<Self, Error> {
        let mut cursor = Cursor::new(frame.body);
        let (version, bridge) = decode_version(&mut cursor)?;
        // MQTT 3.1 does not use these flags.
        if version != Version::V3_1 && frame.flags() != 0 {
            return Err(malformed("fixed header flags", "are not those of the packet type [MQTT-2.1.3-1]"));
        }
        check_shortest(version, &frame)?;
        let flags = Flags::decode(version, cursor.u8("Connect Flags")?)?;
        let keep_alive = cursor.u16("Keep Alive")?;
        let mut connect =
            Self { bridge, clean_start: flags.clean_start, keep_alive, ..Self::new(version, "") };
        if version.is_v5() {
            (connect.properties, _) = Properties::decode(Place::Connect, &mut cursor)?;
        }
        connect.client_id = cursor.name("Client Identifier")?;
        if let Some((qos, retain)) = flags.will {
            connect.will = Some(Will::decode(version, qos, retain, &mut cursor)?);
        }
        // "The Remaining Length takes precedence over the User Name flag" (MQTT 3.1, §3.1, for Clients of its time).
        let is_there = |cursor: &Cursor<'_>| version != Version::V3_1 || !cursor.is_empty();
        if flags.user_name && is_there(&cursor) {
            connect.user_name = Some(cursor.name("User Name")?);
        }
        if flags.password && is_there(&cursor) {
            connect.password = Some(cursor.binary("Password")?);
        }
        cursor.end("CONNECT")?;
        Ok(connect)
    }

    /// Appends the packet as its own version writes it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let version = self.version;
        put::fixed_header(FIRST, self.remaining_len(), out);
        put::binary(version.protocol_name().as_bytes(), out);
        out.push(version.level() | if self.bridge { BRIDGE } else { 0 });
        out.push(Flags::of(self).encode());
        put::u16(self.keep_alive, out);
        put::properties(version, self.properties, out);
        put::binary(self.client_id.as_bytes(), out);
        if let Some(will) = &self.will {
            will.encode(version, out);
        }
        if let Some(user_name) = self.user_name {
            put::binary(user_name.as_bytes(), out);
        }
        if let Some(password) = self.password {
            put::binary(password, out);
        }
    }

    /// How many bytes [`encode`](Self::encode) appends.
    pub fn encoded_len(&self) -> usize {
        put::packet_len(self.remaining_len())
    }

    fn remaining_len(&self) -> usize {
        const LEVEL_FLAGS_AND_KEEP_ALIVE: usize = 4;
        2 + self.version.protocol_name().len()
            + LEVEL_FLAGS_AND_KEEP_ALIVE
            + put::properties_len(self.version, self.properties)
            + 2
            + self.client_id.len()
            + self.will.map_or(0, |will| will.len(self.version))
            + self.user_name.map_or(0, |user_name| 2 + user_name.len())
            + self.password.map_or(0, |password| 2 + password.len())
    }
}

/// Protocol Name and Protocol Level. [MQTT-3.1.2-1], [MQTT-3.1.2-2]
fn decode_version(cursor: &mut Cursor<'_>) -> Result<(Version, bool), Error> {
    let name = cursor.binary("Protocol Name")?;
    if !matches!(name, b"MQTT" | b"MQIsdp") {
        return Err(malformed("Protocol Name", "is neither MQTT nor MQIsdp [MQTT-3.1.2-1]"));
    }
    let level = cursor.u8("Protocol Version")?;
    let version = match (name, level & !BRIDGE) {
        (b"MQIsdp", 3) => Version::V3_1,
        (b"MQTT", 4) => Version::V3_1_1,
        (b"MQTT", 5) => Version::V5,
        _ => return Err(Error::UnsupportedVersion { level }),
    };
    Ok((version, level & BRIDGE != 0))
}

/// The Connect Flags, read.
struct Flags {
    clean_start: bool,
    will: Option<(QoS, bool)>,
    user_name: bool,
    password: bool,
}

impl Flags {
    const RESERVED: u8 = 0x01;
    const CLEAN_START: u8 = 0x02;
    const WILL: u8 = 0x04;
    const WILL_QOS: u8 = 0x18;
    const WILL_RETAIN: u8 = 0x20;
    const PASSWORD: u8 = 0x40;
    const USER_NAME: u8 = 0x80;

    fn decode(version: Version, flags: u8) -> Result<Self, Error> {
        const FIELD: &str = "Connect Flags";
        // MQTT 3.1 leaves the lowest bit unused, and disregards QoS and RETAIN of a Will that is not there.
        let is_strict = version != Version::V3_1;
        let is_set = |bit| flags & bit != 0;
        if is_strict && is_set(Self::RESERVED) {
            return Err(malformed(FIELD, "have the reserved bit set [MQTT-3.1.2-3]"));
        }
        if is_strict && !is_set(Self::WILL) && is_set(Self::WILL_QOS | Self::WILL_RETAIN) {
            return Err(malformed(FIELD, "describe a Will that is not there [MQTT-3.1.2-11]"));
        }
        if !version.is_v5() && is_set(Self::PASSWORD) && !is_set(Self::USER_NAME) {
            return Err(malformed(FIELD, "have a Password without a User Name [3.1.1 MQTT-3.1.2-22]"));
        }
        let will = if is_set(Self::WILL) {
            let qos = QoS::try_from((flags & Self::WILL_QOS) >> 3)
                .map_err(|_| malformed("Will QoS", "is 3 [MQTT-3.1.2-12]"))?;
            Some((qos, is_set(Self::WILL_RETAIN)))
        } else {
            None
        };
        Ok(Self {
            clean_start: is_set(Self::CLEAN_START),
            will,
            user_name: is_set(Self::USER_NAME),
            password: is_set(Self::PASSWORD),
        })
    }

    fn of(connect: &Connect<'_>) -> Self {
        Self {
            clean_start: connect.clean_start,
            will: connect.will.map(|will| (will.qos, will.retain)),
            user_name: connect.user_name.is_some(),
            password: connect.password.is_some(),
        }
    }

    fn encode(&self) -> u8 {
        let bit = |bit, is_set| if is_set { bit } else { 0 };
        let will = self
            .will
            .map_or(0, |(qos, retain)| Self::WILL | u8::from(qos) << 3 | bit(Self::WILL_RETAIN, retain));
        will | bit(Self::CLEAN_START, self.clean_start)
            | bit(Self::PASSWORD, self.password)
            | bit(Self::USER_NAME, self.user_name)
    }
}
