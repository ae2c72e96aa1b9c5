//! A packet in one short line.

use std::fmt::Write;

use martlet_packet::{Ack, Packet, Properties, Property, ReasonCode};

/// What a packet says: its name, what identifies it, and its properties in braces if it has any.
pub fn tell(packet: &Packet<'_>) -> String {
    match packet {
        Packet::ConnAck(connack) => {
            let present = if connack.session_present { " present" } else { "" };
            format!("CONNACK {}{present}{}", code(connack.reason), braces(connack.properties))
        }
        Packet::Publish(publish) => {
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
            line + &braces(publish.properties)
        }
        Packet::PubAck(ack) => acknowledgement("PUBACK", ack),
        Packet::PubRec(ack) => acknowledgement("PUBREC", ack),
        Packet::PubRel(ack) => acknowledgement("PUBREL", ack),
        Packet::PubComp(ack) => acknowledgement("PUBCOMP", ack),
        Packet::SubAck(suback) => {
            format!("SUBACK {} {}", suback.packet_id.get(), codes(&suback.reasons))
        }
        Packet::UnsubAck(unsuback) => {
            format!("UNSUBACK {} {}", unsuback.packet_id.get(), codes(&unsuback.reasons))
        }
        Packet::PingResp => "PINGRESP".into(),
        Packet::Disconnect(disconnect) => format!("DISCONNECT {}", code(disconnect.reason)),
        Packet::Auth(auth) => format!("AUTH {}{}", code(auth.reason), braces(auth.properties)),
        other => format!("{other:?}"),
    }
}

fn acknowledgement(name: &str, ack: &Ack<'_>) -> String {
    let reason =
        if ack.reason == ReasonCode::Success { String::new() } else { format!(" {}", code(ack.reason)) };
    format!("{name} {}{reason}", ack.packet_id.get())
}

fn code(reason: ReasonCode) -> String {
    format!("{:02x}", reason as u8)
}

fn codes(reasons: &[ReasonCode]) -> String {
    format!("[{}]", reasons.iter().map(|reason| code(*reason)).collect::<Vec<_>>().join(" "))
}

/// Properties a test may care about; limits that every CONNACK announces are left out.
fn braces(properties: Properties<'_>) -> String {
    let told: Vec<String> = properties
        .iter()
        .filter(|property| {
            !matches!(
                property,
                Property::TopicAliasMaximum(_)
                    | Property::ReceiveMaximum(_)
                    | Property::MaximumPacketSize(_)
                    | Property::ReasonString(_)
            )
        })
        .map(|property| format!("{property:?}"))
        .collect();
    if told.is_empty() { String::new() } else { format!(" {{{}}}", told.join(", ")) }
}
