//! Packets from a Client: the side that sends decides which types there may be.

use martlet_packet::{Error, Frame, Packet, Version, decode};

/// Decodes a packet from a Client. One that only Servers send is refused before anything else in it is looked at.
pub fn decode_from_client(version: Version, frame: Frame<'_>) -> Result<Packet<'_>, Error> {
    match frame.packet_type() {
        Some(kind) if !kind.is_sent_by_client() => {
            Err(Error::Protocol { field: "packet type", rule: "is for Servers only" })
        }
        _ => decode(version, frame),
    }
}
