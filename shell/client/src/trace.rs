//! Every packet as a line of the log, at the level DEBUG. Payloads and passwords are left out.

use std::fmt::{self, Display, Formatter};

use martlet_packet::{Ack, Connect, Packet, Publish};
use tracing::debug;

pub(crate) fn sending_connect(connect: &Connect<'_>) {
    debug!(
        "sending CONNECT (version {}, Client Identifier {:?}, Clean Start {}, Keep Alive {} s)",
        connect.version, connect.client_id, connect.clean_start, connect.keep_alive
    );
}

pub(crate) fn sending(packet: &Packet<'_>) {
    debug!("sending {}{}", packet.packet_type(), Details(packet));
}

pub(crate) fn received(packet: &Packet<'_>) {
    debug!("received {}{}", packet.packet_type(), Details(packet));
}

/// What distinguishes a packet from others of its type.
struct Details<'a>(&'a Packet<'a>);

impl Display for Details<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Packet::ConnAck(connack) => {
                write!(f, " ({}, Session Present {})", connack.reason, connack.session_present)
            }
            Packet::Publish(publish) => fmt_publish(publish, f),
            Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
                fmt_ack(ack, f)
            }
            Packet::Subscribe(subscribe) => {
                write!(f, " (packet {}", subscribe.packet_id)?;
                for (filter, options) in &subscribe.filters {
                    write!(f, ", {filter:?} at QoS {}", u8::from(options.qos))?;
                }
                f.write_str(")")
            }
            Packet::SubAck(suback) => write!(f, " (packet {}: {:?})", suback.packet_id, suback.reasons),
            Packet::Unsubscribe(unsubscribe) => {
                write!(f, " (packet {}: {:?})", unsubscribe.packet_id, unsubscribe.filters)
            }
            Packet::UnsubAck(unsuback) => {
                write!(f, " (packet {}: {:?})", unsuback.packet_id, unsuback.reasons)
            }
            Packet::Disconnect(disconnect) => write!(f, " ({})", disconnect.reason),
            Packet::Connect(_) | Packet::PingReq | Packet::PingResp | Packet::Auth(_) => Ok(()),
        }
    }
}

fn fmt_publish(publish: &Publish<'_>, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, " ({:?}, QoS {}", publish.topic, u8::from(publish.qos.qos()))?;
    if let Some(packet_id) = publish.qos.packet_id() {
        write!(f, ", packet {packet_id}")?;
    }
    if publish.dup {
        f.write_str(", DUP")?;
    }
    if publish.retain {
        f.write_str(", RETAIN")?;
    }
    write!(f, ", {} bytes)", publish.payload.len())
}

fn fmt_ack(ack: &Ack<'_>, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, " (packet {}: {})", ack.packet_id, ack.reason)
}
