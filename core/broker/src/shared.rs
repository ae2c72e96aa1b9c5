//! Shared Subscriptions: groups of Sessions of which one gets each Message (§4.8.2).
//!
//! The member is chosen where the Message is published, once, and named in its record: no home chooses again.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use martlet_record::{SessionNumber, stable_hash};
use martlet_topic::SubscriptionFilter;

use crate::Destinations;
use crate::routes::Subscriber;

/// How a member is chosen. Members that are connected come before those that are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SharedStrategy {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// Any.
    Random,
    /// The same one until it is gone.
    Sticky,
    /// All Messages of a Client to the same one.
    HashClient,
    /// All Messages of a Topic Name to the same one.
    HashTopic,
}

/// What a choice may depend on.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// The publisher.
    pub client_id: &'a str,
    /// The Topic Name.
    pub topic: &'a str,
    /// A number nobody can foresee.
    pub random: u64,
}

/// The members of one Shared Subscription. Immutable but for its cursor: a change makes a new one.
#[derive(Debug)]
pub struct Group {
    /// Its filter with its ShareName.
    pub filter: Arc<SubscriptionFilter>,
    members: Vec<Member>,
    cursor: Arc<Cursor>,
}

/// Where a group stands; it goes on when members come and go.
#[derive(Debug, Default)]
struct Cursor {
    turn: AtomicUsize,
    sticky: AtomicU64,
}

/// One Session of a group.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its Subscription.
    pub subscriber: Subscriber,
    /// It alone, as a set of destinations.
    pub alone: Arc<Destinations>,
    online: Arc<AtomicBool>,
    /// Its queue may grow.
    open: Arc<AtomicBool>,
}

impl Group {
    /// A group without members.
    pub fn new(filter: Arc<SubscriptionFilter>) -> Self {
        Self { filter, members: Vec::new(), cursor: Arc::default() }
    }

    /// The same with one member more, or with the Subscription of a member replaced.
    #[must_use]
    pub fn with(&self, subscriber: Subscriber) -> Self {
        let mut members = self.members.clone();
        let alone = Arc::new(subscriber.alone(Some(Arc::clone(&self.filter))));
        let [online, open] = [(); 2].map(|()| Arc::new(AtomicBool::new(true)));
        let member = Member { subscriber, alone, online, open };
        match members.iter_mut().find(|other| other.subscriber.session == subscriber.session) {
            Some(replaced) => *replaced = member,
            None => members.push(member),
        }
        Self { filter: Arc::clone(&self.filter), members, cursor: Arc::clone(&self.cursor) }
    }

    /// The same without a member.
    #[must_use]
    pub fn without(&self, session: SessionNumber) -> Self {
        let others = self.members.iter().filter(|member| member.subscriber.session != session);
        Self {
            filter: Arc::clone(&self.filter),
            members: others.cloned().collect(),
            cursor: Arc::clone(&self.cursor),
        }
    }

    /// Nobody is left.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Its members, in the order they came.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// A member's Client came or went.
    pub fn set_online(&self, session: SessionNumber, online: bool) {
        if let Some(member) = self.member(session) {
            member.online.store(online, Ordering::Relaxed);
        }
    }

    /// A member's queue may grow, or must not.
    pub fn set_open(&self, session: SessionNumber, open: bool) {
        if let Some(member) = self.member(session) {
            member.open.store(open, Ordering::Relaxed);
        }
    }

    fn member(&self, session: SessionNumber) -> Option<&Member> {
        self.members.iter().find(|member| member.subscriber.session == session)
    }

    /// Chooses who gets a Message; `None` when there is no member that `may` have it.
    pub fn choose(
        &self,
        strategy: SharedStrategy,
        choice: &Choice<'_>,
        may: impl Fn(&Member) -> bool,
    ) -> Option<&Member> {
        let start = match strategy {
            SharedStrategy::RoundRobin => self.cursor.turn.fetch_add(1, Ordering::Relaxed),
            SharedStrategy::Random => index(choice.random),
            SharedStrategy::Sticky => return self.choose_sticky(&may),
            SharedStrategy::HashClient => index(stable_hash(choice.client_id)),
            SharedStrategy::HashTopic => index(stable_hash(choice.topic)),
        };
        self.from(start, &may)
    }

    fn choose_sticky(&self, may: &impl Fn(&Member) -> bool) -> Option<&Member> {
        let stuck = SessionNumber(self.cursor.sticky.load(Ordering::Relaxed));
        let is_it = |member: &&Member| member.subscriber.session == stuck && member.is_ready() && may(member);
        let member = self.members.iter().find(is_it).or_else(|| self.from(0, may))?;
        self.cursor.sticky.store(member.subscriber.session.0, Ordering::Relaxed);
        Some(member)
    }

    /// The member a place falls on: of those that are connected and have room if there are any, else of those that have
    /// room, else of all.
    fn from(&self, place: usize, may: &impl Fn(&Member) -> bool) -> Option<&Member> {
        let among = |wanted: fn(&Member) -> bool| {
            let all = || self.members.iter().filter(|member| wanted(member) && may(member));
            let count = all().count();
            all().nth(place.checked_rem(count)?)
        };
        among(Member::is_ready).or_else(|| among(Member::is_open)).or_else(|| among(|_| true))
    }
}

impl Member {
    fn is_ready(&self) -> bool {
        self.online.load(Ordering::Relaxed) && self.is_open()
    }

    /// May its queue grow?
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }
}

// A group is itself: two with the same members are not the same destination.
impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Group {}

impl Hash for Group {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.filter.hash(state);
    }
}

fn index(hash: u64) -> usize {
    usize::try_from(hash % (1 << 31)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use martlet_packet::QoS;
    use martlet_record::ShardId;
    use martlet_topic::Limits;

    fn group(members: u64) -> Group {
        let filter = SubscriptionFilter::parse("$share/g/a", &Limits::default()).expect("a legal filter");
        (1..=members).fold(Group::new(Arc::new(filter)), |group, number| {
            group.with(Subscriber {
                session: SessionNumber(number),
                shard: ShardId::new(0),
                slot: 0,
                qos: QoS::AtLeastOnce,
                no_local: false,
                retain_as_published: false,
                persistent: false,
                upgrades: false,
                merges: false,
                id: None,
            })
        })
    }

    fn chosen(group: &Group, strategy: SharedStrategy, topic: &str, random: u64) -> u64 {
        let choice = Choice { client_id: "publisher", topic, random };
        group.choose(strategy, &choice, |_| true).expect("there are members").subscriber.session.0
    }

    #[test]
    fn round_robin_gives_each_in_turn_and_goes_on_when_one_leaves() {
        let group = group(3);
        let turns: Vec<_> = (0..6).map(|_| chosen(&group, SharedStrategy::RoundRobin, "a", 0)).collect();
        assert_eq!(turns, [1, 2, 3, 1, 2, 3]);
        let left = group.without(SessionNumber(2));
        let turns: Vec<_> = (0..4).map(|_| chosen(&left, SharedStrategy::RoundRobin, "a", 0)).collect();
        assert_eq!(turns, [1, 3, 1, 3]);
    }

    #[test]
    fn sticky_stays_until_its_member_is_offline() {
        let group = group(3);
        let first = chosen(&group, SharedStrategy::Sticky, "a", 0);
        assert_eq!(chosen(&group, SharedStrategy::Sticky, "b", 9), first);
        group.set_online(SessionNumber(first), false);
        assert_ne!(chosen(&group, SharedStrategy::Sticky, "a", 0), first);
    }

    #[test]
    fn hashing_depends_on_its_key_alone() {
        let group = group(5);
        let by_topic: std::collections::BTreeSet<_> =
            (0..50).map(|n| chosen(&group, SharedStrategy::HashTopic, &format!("t{n}"), n)).collect();
        assert!(by_topic.len() > 1);
        let same = (0..50).map(|n| chosen(&group, SharedStrategy::HashTopic, "t", n));
        assert_eq!(same.collect::<std::collections::BTreeSet<_>>().len(), 1);
        let client = (0..50).map(|n| chosen(&group, SharedStrategy::HashClient, &format!("t{n}"), n));
        assert_eq!(client.collect::<std::collections::BTreeSet<_>>().len(), 1);
    }

    #[test]
    fn who_is_connected_comes_first_and_nobody_is_better_than_none() {
        let group = group(2);
        group.set_online(SessionNumber(1), false);
        assert_eq!(chosen(&group, SharedStrategy::Random, "a", 0), 2);
        group.set_online(SessionNumber(2), false);
        assert!([1, 2].contains(&chosen(&group, SharedStrategy::Random, "a", 0)));
    }
}
