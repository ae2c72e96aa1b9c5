//! One Network Connection as its Client sees it.

use std::sync::Arc;

use martlet_access::Permit;
use martlet_packet::{Packet, Version, decode, frame};
use martlet_record::ShardId;
use martlet_session::{Handshake, Terms};

use crate::packets::Connecting;

/// The Client's side of a Network Connection, and how far the node's side of it got.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) version: Version,
    /// The terms of its listener.
    pub(crate) terms: Arc<Terms>,
    /// What it may do.
    pub(crate) permit: Permit,
    pub(crate) phase: Phase,
    /// It reads nothing.
    pub(crate) is_deaf: bool,
    /// What it read and was not asked about yet.
    pub(crate) heard: Vec<u8>,
}

/// How far a Network Connection got.
#[derive(Debug)]
pub(crate) enum Phase {
    /// CONNECT is awaited, or AUTH packets go to and fro.
    Opening(Handshake),
    /// Its CONNACK waits for a commit: packets sent meanwhile wait here.
    Connecting { place: Place, early: Vec<Vec<u8>> },
    /// Packets are read.
    Open(Place),
    /// It ended.
    Closed,
}

/// Where its Session lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) home: ShardId,
    pub(crate) slot: u32,
}

impl Peer {
    pub(crate) fn new(connecting: &Connecting) -> Self {
        Self {
            version: connecting.version,
            terms: Arc::clone(&connecting.terms),
            permit: connecting.permit.clone(),
            phase: Phase::Opening(Handshake::default()),
            is_deaf: false,
            heard: Vec::new(),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    pub(crate) fn place(&self) -> Option<Place> {
        match self.phase {
            Phase::Connecting { place, .. } | Phase::Open(place) => Some(place),
            Phase::Opening(_) | Phase::Closed => None,
        }
    }

    /// What it heard since it was last asked, a line a packet; "closed" at the end of its connection.
    pub(crate) fn take_lines(&mut self, tell: impl Fn(&Packet<'_>) -> String) -> Vec<String> {
        let heard = std::mem::take(&mut self.heard);
        let mut lines = Vec::new();
        let mut rest = &heard[..];
        while let Some(frame) = frame(rest, u32::MAX).expect("the node sends legal packets") {
            lines.push(tell(&decode(self.version, frame).expect("the node sends legal packets")));
            rest = &rest[frame.len..];
        }
        assert!(rest.is_empty(), "half a packet was sent");
        if self.is_closed() {
            lines.push("closed".into());
        }
        lines
    }
}
