//! Every packet as a line of the log, at the level DEBUG, in the words that users of `mosquitto_sub -d` know. Payloads and
//! passwords are left out.

use std::fmt::{self, Display, Formatter};

use martlet_packet::{Ack, Packet, Publish, SubscriptionOptions};
use tracing::debug;

pub(crate) fn sending_connect(client_id: &str) {
    debug!("Client {} sending CONNECT", Name(client_id));
}

pub(crate) fn sending(client_id: &str, packet: &Packet<'_>) {
    let name = Name(client_id);
    match packet {
        // A line for each Topic Filter.
        Packet::Subscribe(subscribe) => {
            for (filter, options) in &subscribe.filters {
                let (qos, bits) = (u8::from(options.qos), bits(*options));
                let id = subscribe.packet_id;
                debug!(
                    "Client {name} sending SUBSCRIBE (Mid: {id}, Topic: {filter}, QoS: {qos}, Options: 0x{bits:02x})"
                );
            }
        }
        Packet::Unsubscribe(unsubscribe) => {
            for filter in &unsubscribe.filters {
                let id = unsubscribe.packet_id;
                debug!("Client {name} sending UNSUBSCRIBE (Mid: {id}, Topic: {filter})");
            }
        }
        _ => debug!("Client {name} sending {}{}", packet.packet_type(), Sent(packet)),
    }
}

pub(crate) fn received(client_id: &str, packet: &Packet<'_>) {
    debug!("Client {} received {}{}", Name(client_id), packet.packet_type(), Received(packet));
}

/// The Subscription Options without the QoS. (§3.8.3.1)
const fn bits(options: SubscriptionOptions) -> u8 {
    (options.no_local as u8) << 2
        | (options.retain_as_published as u8) << 3
        | (options.retain_handling as u8) << 4
}

/// The Client Identifier; where the Server is to choose one there is none.
struct Name<'a>(&'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(null)" } else { self.0 })
    }
}

/// What distinguishes a packet of ours from others of its type.
struct Sent<'a>(&'a Packet<'a>);

/// What distinguishes a packet of the Server's.
struct Received<'a>(&'a Packet<'a>);

impl Display for Sent<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Packet::Publish(publish) => fmt_publish(publish, f),
            Packet::PubRel(Ack { packet_id, .. }) => write!(f, " (m{packet_id})"),
            Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubComp(ack) => {
                write!(f, " (m{}, rc{})", ack.packet_id, u8::from(ack.reason))
            }
            _ => Ok(()),
        }
    }
}

impl Display for Received<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Packet::ConnAck(connack) => write!(f, " ({})", u8::from(connack.reason)),
            Packet::Publish(publish) => fmt_publish(publish, f),
            Packet::PubRec(Ack { packet_id, .. }) | Packet::PubRel(Ack { packet_id, .. }) => {
                write!(f, " (Mid: {packet_id})")
            }
            Packet::PubAck(ack) | Packet::PubComp(ack) => {
                write!(f, " (Mid: {}, RC:{})", ack.packet_id, u8::from(ack.reason))
            }
            Packet::Disconnect(disconnect) => write!(f, " ({})", u8::from(disconnect.reason)),
            _ => Ok(()),
        }
    }
}

fn fmt_publish(publish: &Publish<'_>, f: &mut Formatter<'_>) -> fmt::Result {
    let (dup, qos, retain) = (u8::from(publish.dup), u8::from(publish.qos.qos()), u8::from(publish.retain));
    let id = publish.qos.packet_id().map_or(0, |id| id.get());
    let (topic, bytes) = (publish.topic, publish.payload.len());
    write!(f, " (d{dup}, q{qos}, r{retain}, m{id}, '{topic}', ... ({bytes} bytes))")
}
