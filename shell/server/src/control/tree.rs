//! SIGUSR2: who subscribed to what, printed for whoever started the broker.

use std::collections::BTreeMap;

use martlet_packet::QoS;
use martlet_topic::SubscriptionFilter;

use super::written;

/// What the shards of one runner are subscribed to: filter, Client Identifier, QoS.
#[derive(Debug, Default)]
pub(crate) struct Subscribed(Vec<(String, Box<str>, QoS)>);

/// What all of them are subscribed to, as far as they have answered.
#[derive(Debug, Default)]
pub(super) struct Tree {
    awaited: usize,
    filters: BTreeMap<String, Vec<(Box<str>, QoS)>>,
}

impl Subscribed {
    pub(crate) fn push(&mut self, client_id: &str, filter: &SubscriptionFilter, qos: QoS) {
        self.0.push((written(filter), client_id.into(), qos));
    }
}

impl Tree {
    /// So many runners were asked.
    pub(super) fn ask(&mut self, runners: usize) {
        *self = Self { awaited: runners, filters: BTreeMap::new() };
    }

    /// One of them answered; the last answer has all printed.
    pub(super) fn take(&mut self, subscribed: Subscribed) {
        for (filter, client_id, qos) in subscribed.0 {
            self.filters.entry(filter).or_default().push((client_id, qos));
        }
        self.awaited = self.awaited.saturating_sub(1);
        if self.awaited == 0 {
            #[expect(
                clippy::print_stdout,
                reason = "the operator asked for it, and Mosquitto prints it there"
            )]
            {
                print!("{}", self.text());
            }
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (filter, clients) in &self.filters {
            text.push_str(filter);
            let clients =
                clients.iter().map(|(client_id, qos)| format!(" ({client_id}, {})", u8::from(*qos)));
            text.extend(clients);
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_names_each_filter_once_with_all_its_clients() {
        let mut tree = Tree::default();
        tree.ask(3);
        let of = |filter: &str, client_id: &str| {
            Subscribed(vec![(filter.to_owned(), client_id.into(), QoS::AtLeastOnce)])
        };
        tree.take(of("b/#", "two"));
        tree.take(of("b/#", "three"));
        tree.filters.entry("a".to_owned()).or_default().push(("one".into(), QoS::AtMostOnce));
        assert_eq!(tree.text(), "a (one, 0)\nb/# (two, 1) (three, 1)\n");
    }
}
