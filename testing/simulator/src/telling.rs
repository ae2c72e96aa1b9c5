//! A packet in one short line.

use std::fmt::Write;

use martlet_packet::{Ack, Packet, Properties, Property, Publish, ReasonCode, SubAck, UnsubAck};

/// What a packet says: its name, what identifies it, and its properties in braces if it has any. Left out are the limits
/// that every CONNACK announces, and Reason Strings.
pub fn tell(packet: &Packet<'_>) -> String {
    Teller { in_full: false }.tell(packet)
}

/// As [`tell`], and nothing is left out.
pub fn tell_in_full(packet: &Packet<'_>) -> String {
    Teller { in_full: true }.tell(packet)
}

#[derive(Debug, Clone, Copy)]
struct Teller {
    in_full: bool,
}

impl Teller {
    fn tell(self, packet: &Packet<'_>) -> String {
        match packet {
            Packet::ConnAck(connack) => {
                let present = if connack.session_present { " present" } else { "" };
                format!("CONNACK {}{present}{}", code(connack.reason), self.braces(connack.properties))
            }
            Packet::Publish(publish) => self.tell_publish(publish),
            Packet::PubAck(ack) => self.tell_ack("PUBACK", ack),
            Packet::PubRec(ack) => self.tell_ack("PUBREC", ack),
            Packet::PubRel(ack) => self.tell_ack("PUBREL", ack),
            Packet::PubComp(ack) => self.tell_ack("PUBCOMP", ack),
            Packet::SubAck(SubAck { packet_id, reasons, properties }) => {
                format!("SUBACK {} {}{}", packet_id.get(), codes(reasons), self.braces(*properties))
            }
            Packet::UnsubAck(UnsubAck { packet_id, reasons, properties }) => {
                format!("UNSUBACK {} {}{}", packet_id.get(), codes(reasons), self.braces(*properties))
            }
            Packet::PingResp => "PINGRESP".into(),
            Packet::Disconnect(disconnect) => {
                format!("DISCONNECT {}{}", code(disconnect.reason), self.braces(disconnect.properties))
            }
            Packet::Auth(auth) => format!("AUTH {}{}", code(auth.reason), self.braces(auth.properties)),
            other => format!("{other:?}"),
        }
    }

    fn tell_publish(self, publish: &Publish<'_>) -> String {
        let mut line = format!("PUBLISH {} q{}", publish.topic, u8::from(publish.qos.qos()));
        if let Some(id) = publish.qos.packet_id() {
            let _ = write!(line, " #{}", id.get());
        }
        line += if publish.dup { " dup" } else { "" };
        line += if publish.retain { " retain" } else { "" };
        for id in &*publish.subscription_ids {
            let _ = write!(line, " sub={id}");
        }
        if let Some(alias) = publish.topic_alias {
            let _ = write!(line, " alias={alias}");
        }
        if let Some(expiry) = publish.message_expiry {
            let _ = write!(line, " expiry={expiry}");
        }
        let _ = write!(line, " '{}'", String::from_utf8_lossy(publish.payload));
        line + &self.braces(publish.properties)
    }

    fn tell_ack(self, name: &str, ack: &Ack<'_>) -> String {
        let reason =
            if ack.reason == ReasonCode::Success { String::new() } else { format!(" {}", code(ack.reason)) };
        format!("{name} {}{reason}{}", ack.packet_id.get(), self.braces(ack.properties))
    }

    fn braces(self, properties: Properties<'_>) -> String {
        let told = properties.iter().filter(|property| self.in_full || !is_left_out(property));
        let told: Vec<_> = told.map(|property| format!("{property:?}")).collect();
        if told.is_empty() { String::new() } else { format!(" {{{}}}", told.join(", ")) }
    }
}

fn is_left_out(property: &Property<'_>) -> bool {
    matches!(
        property,
        Property::TopicAliasMaximum(_)
            | Property::ReceiveMaximum(_)
            | Property::MaximumPacketSize(_)
            | Property::ReasonString(_)
    )
}

fn code(reason: ReasonCode) -> String {
    format!("{:02x}", reason as u8)
}

fn codes(reasons: &[ReasonCode]) -> String {
    format!("[{}]", reasons.iter().map(|reason| code(*reason)).collect::<Vec<_>>().join(" "))
}
