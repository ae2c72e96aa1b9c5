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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReasonCode::{MalformedPacket, ProtocolError};
    use crate::written::{bytes, is, read, refused};
    use crate::{Packet, PropertiesBuf, Property};

    const V3_1: &str = "0006 'MQIsdp' 03";
    const V3_1_1: &str = "0004 'MQTT' 04";
    const V5: &str = "0004 'MQTT' 05";

    /// A CONNECT of these parts, with its fixed header.
    fn packet(name_and_level: &str, rest: &str) -> String {
        let remaining = bytes(name_and_level).len() + bytes(rest).len();
        format!("10 {remaining:02X} {name_and_level} {rest}")
    }

    fn connect(name_and_level: &str, rest: &str) -> Result<Connect<'static>, Error> {
        // The version in the packet counts, whatever the Connection was thought to speak.
        match read(Version::V3_1, &packet(name_and_level, rest))? {
            Packet::Connect(connect) => Ok(connect),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn is_refused(name_and_level: &str, rest: &str, named: &str) {
        refused(Version::V5, &packet(name_and_level, rest), MalformedPacket, named);
    }

    /// [MQTT-3.1.3-3]
    #[test]
    fn the_smallest_of_each_version() {
        let connect = |version| Packet::Connect(Connect { keep_alive: 10, ..Connect::new(version, "p") });
        is(Version::V5, &packet(V3_1, "02 000A 0001'p'"), &connect(Version::V3_1));
        is(Version::V5, &packet(V3_1_1, "02 000A 0001'p'"), &connect(Version::V3_1_1));
        is(Version::V3_1, &packet(V5, "02 000A 00 0001'p'"), &connect(Version::V5));
    }

    /// Everything at once, in the order of the specification. [MQTT-3.1.3-1], [MQTT-3.1.2-9], [MQTT-3.1.2-17],
    /// [MQTT-3.1.2-19]
    #[test]
    fn payload_fields_stand_in_their_order() {
        let (mut properties, mut will_properties) = (PropertiesBuf::default(), PropertiesBuf::default());
        properties.push(Property::SessionExpiryInterval(10)).push(Property::ReceiveMaximum(5));
        will_properties.push(Property::UserProperty("b", "1")).push(Property::UserProperty("a", "2"));
        let will = Will {
            qos: QoS::ExactlyOnce,
            retain: true,
            delay: 3,
            message_expiry: Some(4),
            properties: will_properties.as_properties(),
            ..Will::new("w/t", b"bye")
        };
        let connect = Connect {
            clean_start: false,
            keep_alive: 60,
            will: Some(will),
            user_name: Some("u"),
            password: Some(&[0, 1]),
            properties: properties.as_properties(),
            ..Connect::new(Version::V5, "id")
        };
        let written = packet(
            V5,
            "F4 003C 08 110000000A 210005 0002'id' \
             18 1800000003 260001'b'0001'1' 260001'a'0001'2' 0200000004 0003'w/t' 0003'bye' 0001'u' 0002 0001",
        );
        is(Version::V5, &written, &Packet::Connect(connect));
    }

    #[test]
    fn mosquittos_bridges_are_known_by_their_level() {
        for (name_and_level, version) in [
            ("0006 'MQIsdp' 83", Version::V3_1),
            ("0004 'MQTT' 84", Version::V3_1_1),
            ("0004 'MQTT' 85", Version::V5),
        ] {
            let properties = if version.is_v5() { "00" } else { "" };
            let bridge = Connect { bridge: true, ..Connect::new(version, "b") };
            is(
                version,
                &packet(name_and_level, &format!("02 0000 {properties} 0001'b'")),
                &Packet::Connect(bridge),
            );
        }
    }

    /// [MQTT-3.1.2-1]
    #[test]
    fn another_protocol_name_is_refused() {
        for name in ["0004 'MQTU' 04", "0003 'MQT' 04", "0000 04", "0005 'MQTTT' 04", "0004 'mqtt' 04"] {
            is_refused(name, "02 000A 0001'p'", "Protocol Name");
        }
    }

    /// Nothing behind the level is read. [MQTT-3.1.2-2], [3.1.1 MQTT-3.1.2-2]
    #[test]
    fn another_level_is_unsupported() {
        for (name_and_level, level) in [
            ("0004 'MQTT' 02", 2),
            ("0004 'MQTT' 03", 3),
            ("0004 'MQTT' 06", 6),
            ("0006 'MQIsdp' 04", 4),
            ("0006 'MQIsdp' 05", 5),
            ("0004 'MQTT' FF", 0xFF),
        ] {
            assert_eq!(connect(name_and_level, "").unwrap_err(), Error::UnsupportedVersion { level });
        }
    }

    /// [MQTT-3.1.2-3], [MQTT-2.1.3-1]
    #[test]
    fn reserved_bits_matter_but_in_mqtt_3_1() {
        is_refused(V3_1_1, "03 000A 0001'p'", "reserved bit");
        is_refused(V5, "03 000A 00 0001'p'", "reserved bit");
        assert!(connect(V3_1, "03 000A 0001'p'").is_ok());
        assert!(read(Version::V5, "14 0F 0006 'MQIsdp' 03 01 000A 0001 'p'").is_ok());
        refused(Version::V5, "14 0D 0004 'MQTT' 04 02 000A 0001 'p'", MalformedPacket, "fixed header flags");
    }

    /// [MQTT-3.1.2-11], [MQTT-3.1.2-13]
    #[test]
    fn flags_of_a_will_need_a_will() {
        for flags in ["0A", "12", "1A", "22"] {
            is_refused(V3_1_1, &format!("{flags} 000A 0001'p'"), "Will");
            is_refused(V5, &format!("{flags} 000A 00 0001'p'"), "Will");
            assert_eq!(connect(V3_1, &format!("{flags} 000A 0001'p'")).map(|connect| connect.will), Ok(None));
        }
    }

    /// [MQTT-3.1.2-12]
    #[test]
    fn a_will_has_no_qos_3() {
        is_refused(V3_1_1, "1E 000A 0001'p' 0001't' 0001'm'", "Will QoS");
        is_refused(V5, "1E 000A 00 0001'p' 00 0001't' 0001'm'", "Will QoS");
        is_refused(V3_1, "1E 000A 0001'p' 0001't' 0001'm'", "Will QoS");
    }

    /// [MQTT-3.1.2-9], [MQTT-3.1.3-11]
    #[test]
    fn a_will_has_a_topic_name_and_a_payload() {
        is_refused(V3_1_1, "06 000A 0001'p'", "Will Topic");
        is_refused(V3_1_1, "06 000A 0001'p' 0001't'", "Will Payload");
        is_refused(V3_1_1, "06 000A 0001'p' 0000 0001'm'", "Will Topic is empty");
        is_refused(V3_1_1, "06 000A 0001'p' 0003'a/#' 0001'm'", "Will Topic contains a wildcard");
        is_refused(V3_1_1, "06 000A 0001'p' 0002'a' FF 0001'm'", "Will Topic is not valid UTF-8");
        is_refused(V5, "06 000A 00 0001'p'", "Property Length");
    }

    /// [MQTT-3.1.2-16], [MQTT-3.1.2-17], [MQTT-3.1.2-18], [MQTT-3.1.2-19]
    #[test]
    fn user_name_and_password_are_there_as_their_flags_say() {
        is_refused(V3_1_1, "02 000A 0001'p' 0001'u'", "behind its last field");
        is_refused(V3_1_1, "82 000A 0001'p'", "User Name");
        is_refused(V3_1_1, "C2 000A 0001'p' 0001'u'", "Password");
        is_refused(V5, "82 000A 00 0001'p' 0001'u' 0001'p'", "behind its last field");
        let empty = connect(V3_1_1, "82 000A 0001'p' 0000").expect("right");
        assert_eq!((empty.user_name, empty.password), (Some(""), None));
    }

    /// [3.1.1 MQTT-3.1.2-22]
    #[test]
    fn only_mqtt_5_has_a_password_without_a_user_name() {
        is_refused(V3_1, "42 000A 0001'p' 0001's'", "Password without a User Name");
        is_refused(V3_1_1, "42 000A 0001'p' 0001's'", "Password without a User Name");
        let connect = connect(V5, "42 000A 00 0001'p' 0001's'").expect("right");
        assert_eq!((connect.user_name, connect.password), (None, Some(&b"s"[..])));
    }

    #[test]
    fn clients_of_mqtt_3_1_may_forget_user_name_and_password() {
        let forgetful = connect(V3_1, "C2 000A 0001'p'").expect("right");
        assert_eq!((forgetful.user_name, forgetful.password), (None, None));
        let half = connect(V3_1, "C2 000A 0001'p' 0001'u'").expect("right");
        assert_eq!((half.user_name, half.password), (Some("u"), None));
    }

    /// [MQTT-3.1.3-4], [MQTT-3.1.3-12], [MQTT-3.1.4-1], [3.1.1 MQTT-3.1.4-1]
    #[test]
    fn names_are_utf_8() {
        is_refused(V3_1_1, "02 000A 0002'p' FF", "Client Identifier is not valid UTF-8");
        is_refused(V5, "02 000A 00 0002'p' 07", "Client Identifier contains a control character");
        is_refused(V3_1_1, "82 000A 0001'p' 0003 EDA080", "User Name is not valid UTF-8");
        is_refused(V3_1_1, "02 000A", "Client Identifier");
        assert!(connect(V3_1_1, "C2 000A 0001'p' 0001'u' 0003 00FF00").is_ok(), "a Password is Binary Data");
    }

    #[test]
    fn authentication_data_needs_a_method() {
        refused(
            Version::V5,
            &packet(V5, "02 000A 04 160001'd' 0001'p'"),
            ProtocolError,
            "Authentication Data",
        );
        assert!(connect(V5, "02 000A 08 160001'd' 150001'm' 0001'p'").is_ok());
    }
}
