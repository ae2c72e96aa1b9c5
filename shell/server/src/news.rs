//! What the core wants people to know, as lines of the log, in the words Mosquitto's users look for.

use std::collections::HashMap;

use martlet_broker::Notice;
use martlet_net::{PeerAddress, PeerInfo};
use martlet_packet::ReasonCode;
use martlet_record::Time;
use martlet_session::Violation;

use crate::log_target::{CONNECTION, NOTICE, SUBSCRIBE, UNSUBSCRIBE};
use crate::receive::CLOSED;
use crate::runner::Runner;

/// Client Identifiers whose take-overs are told once a minute; beyond so many, the memory of them starts anew.
const TAKEOVERS_MAX: usize = 1024;
/// A Client Identifier is named in a take-over warning once in so many seconds.
const TAKEOVER_SECONDS: u64 = 60;

/// What was said lately, so that it is not said again at once.
#[derive(Debug, Default)]
pub(crate) struct News {
    takeovers: HashMap<Box<str>, Takeovers>,
    /// Where Clients come from whose CONNACK is awaited, by the places of their connections.
    peers: HashMap<u32, Box<str>>,
}

#[derive(Debug)]
struct Takeovers {
    told: Time,
    untold: u64,
}

impl Runner {
    /// Logs the notices of this turn.
    pub(crate) fn tell_news(&mut self) {
        if self.out.notices.is_empty() {
            return;
        }
        for notice in std::mem::take(&mut self.out.notices) {
            match notice {
                Notice::Connected { client_id, username, connection, version, clean_start, keep_alive } => {
                    let peer = self.news.peers.remove(&connection.slot);
                    let peer = peer.as_deref().unwrap_or("a peer that is gone");
                    let (p, c) = (protocol(version), u8::from(clean_start));
                    let user = username.map(|name| format!(", u'{name}'")).unwrap_or_default();
                    tracing::info!(
                        target: CONNECTION,
                        "New client connected from {peer} as {client_id} (p{p}, c{c}, k{keep_alive}{user})."
                    );
                }
                Notice::Disconnected { client_id, why } => {
                    tracing::info!(target: CONNECTION, "Client {client_id} {}", ending(&why));
                }
                Notice::Subscribed { client_id, qos, filter } => {
                    tracing::info!(target: SUBSCRIBE, "{client_id} {} {filter}", u8::from(qos));
                }
                Notice::Unsubscribed { client_id, filter } => {
                    tracing::info!(target: UNSUBSCRIBE, "{client_id} {filter}");
                }
                Notice::FirstRefusal { client_id, text } => {
                    tracing::info!(target: NOTICE, "Client {client_id} is refused what it publishes: {text}.");
                }
                Notice::TakenOver { client_id } => self.news.take_over(client_id, self.now.time),
                Notice::WillRefused { client_id, text } => {
                    tracing::warn!("The Will of client {client_id} was not published: {text}.");
                }
                Notice::Damaged { client_id, stored } => {
                    let place = stored.place;
                    tracing::error!(
                        "A message for client {client_id} is lost: segment {} of the store is damaged at byte {}. Run `martlet store check`.",
                        place.segment(),
                        place.offset(),
                    );
                }
                Notice::FirstDrop { client_id, text } => {
                    tracing::warn!("Client {client_id} lost a message: {text}.");
                }
            }
        }
    }
}

impl News {
    /// A Client from there is on its way to its Session.
    pub(crate) fn introduce(&mut self, slot: u32, peer: &PeerInfo) {
        if tracing::enabled!(target: CONNECTION, tracing::Level::INFO) {
            self.peers.insert(slot, written(&peer.client_address()).into());
        }
    }

    /// Its connection is gone.
    pub(crate) fn forget(&mut self, slot: u32) {
        self.peers.remove(&slot);
    }

    /// Two Clients with one identifier throw each other out for ever: worth a warning, not one for each time.
    fn take_over(&mut self, client_id: Box<str>, now: Time) {
        if self.takeovers.len() >= TAKEOVERS_MAX && !self.takeovers.contains_key(&client_id) {
            self.takeovers.clear();
        }
        match self.takeovers.get_mut(&client_id) {
            Some(seen) if seen.told.after_seconds(TAKEOVER_SECONDS) > now => seen.untold += 1,
            Some(seen) => {
                let more = seen.untold;
                *seen = Takeovers { told: now, untold: 0 };
                warn_of_takeover(&client_id, more);
            }
            None => {
                warn_of_takeover(&client_id, 0);
                self.takeovers.insert(client_id, Takeovers { told: now, untold: 0 });
            }
        }
    }
}

fn warn_of_takeover(client_id: &str, untold: u64) {
    let before = if untold == 0 { String::new() } else { format!(" ({untold} more since the last warning)") };
    tracing::warn!(
        "take-over: another connection with Client Identifier {client_id} took the place of the one that was there; \
         each client needs its own{before}."
    );
}

/// An address as Mosquitto writes it: without brackets.
pub(crate) fn written(peer: &PeerAddress) -> String {
    match peer {
        PeerAddress::Inet(address) => format!("{}:{}", address.ip(), address.port()),
        PeerAddress::Unix => "a Unix socket".to_owned(),
    }
}

/// The number Mosquitto has for a version.
fn protocol(version: &str) -> u8 {
    match version {
        "3.1" => 1,
        "3.1.1" => 2,
        _ => 5,
    }
}

/// How a Client left.
fn ending(why: &Violation) -> String {
    let text = &why.text;
    match why.reason {
        ReasonCode::NormalDisconnection | ReasonCode::DisconnectWithWillMessage => "disconnected.".to_owned(),
        _ if *text == CLOSED => "closed its connection.".to_owned(),
        ReasonCode::KeepAliveTimeout => "has exceeded timeout, disconnecting.".to_owned(),
        ReasonCode::MalformedPacket => format!("disconnected due to malformed packet: {text}."),
        ReasonCode::ProtocolError => format!("disconnected due to protocol error: {text}."),
        ReasonCode::PacketTooLarge => format!("disconnected due to oversize packet: {text}."),
        ReasonCode::NotAuthorized => format!("disconnected, not authorised: {text}."),
        ReasonCode::AdministrativeAction => "been disconnected by administrative action.".to_owned(),
        _ => format!("disconnected: {text}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_of_takeovers_is_bounded() {
        let mut news = News::default();
        for client in 0..3 * TAKEOVERS_MAX {
            news.take_over(format!("client-{client}").into(), Time::START);
            assert!(news.takeovers.len() <= TAKEOVERS_MAX);
        }
    }

    #[test]
    fn a_client_is_warned_of_once_a_minute() {
        let mut news = News::default();
        let mut take_over = |seconds| {
            news.take_over("twin".into(), Time::START.after_seconds(seconds));
            news.takeovers["twin"].untold
        };
        assert_eq!(take_over(0), 0);
        assert_eq!(take_over(1), 1);
        assert_eq!(take_over(59), 2);
        assert_eq!(take_over(60), 0, "it was told again");
    }
}
