//! What the core wants people to know, as lines of the log.

use std::collections::HashMap;
use std::net::SocketAddr;

use martlet_broker::Notice;
use martlet_record::Time;

use crate::runner::Runner;

/// Client Identifiers whose take-overs are told once a minute; beyond so many, the memory of them starts anew.
const TAKEOVERS_MAX: usize = 1024;
/// A Client Identifier is named in a take-over warning once in so many seconds.
const TAKEOVER_SECONDS: u64 = 60;

/// What was said lately, so that it is not said again at once.
#[derive(Debug, Default)]
pub(crate) struct News {
    takeovers: HashMap<Box<str>, Takeovers>,
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
                Notice::Connected { client_id, connection, version, clean_start, keep_alive } => {
                    if tracing::enabled!(tracing::Level::INFO) {
                        let peer =
                            self.connections.get(connection).and_then(|it| it.socket().peer_addr().ok());
                        let (peer, c) = (peer_name(peer), u8::from(clean_start));
                        tracing::info!(
                            "New client connected from {peer} as {client_id} (v{version}, c{c}, k{keep_alive})."
                        );
                    }
                }
                Notice::Disconnected { client_id, why } => {
                    tracing::info!("Client {client_id} disconnected: {}.", why.text);
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

fn peer_name(peer: Option<SocketAddr>) -> String {
    peer.map_or_else(|| "a peer that is gone".to_owned(), |peer| peer.to_string())
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
