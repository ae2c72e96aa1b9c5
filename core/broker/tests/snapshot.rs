//! What a node writes down of itself is the same as what it did: whatever happens between the slices.

use std::sync::Arc;

use martlet_broker::{Dialect, Outbox, Recovery, Settings};
use martlet_record::{Batch, Position, Room, ShardId};
use martlet_session::Overflow;
use martlet_simulator::{Client, MemoryLog, World, connect, publish_qos, retain, subscribe, two_homes};
use proptest::prelude::*;

use play::{
    CLIENTS, Play, Step, difference, durable_state, everything, everything_of, narrow, retained, step,
};

mod play;

/// A reader of "t" that went, with ten Messages waiting, and their writer.
fn ten_wait(world: &mut World<MemoryLog>) -> Client {
    let reader = world.join(connect("reader").kept(3600));
    world.send(reader, subscribe(1, &[("t", 2)]));
    world.cut(reader);
    let writer = world.join(connect("writer").keep_alive(0));
    (1..=10_u16).for_each(|id| world.send(writer, publish_qos("t", b"x", 1, id)));
    writer
}

/// Of how many Messages does the reader hear when it comes back?
fn count_waiting(world: &mut World<MemoryLog>) -> usize {
    let reader = world.join(connect("reader").kept(3600));
    world.hears(reader).iter().filter(|line| line.starts_with("PUBLISH")).count()
}

#[test]
fn a_second_checkpoint_that_was_not_finished_changes_nothing() {
    let mut world = World::logged(Settings::new(Dialect::NATIVE), 1);
    ten_wait(&mut world);
    world.journal().begin_checkpoint();
    world.settle();
    assert!(world.journal().checkpointed().is_some());
    world.journal().begin_checkpoint();
    world.turns(6);
    world.crash();
    assert_eq!(count_waiting(&mut world), 10);
}

#[test]
fn messages_that_came_before_and_between_the_slices_are_not_lost_and_come_once() {
    let mut world = World::logged(Settings::new(Dialect::NATIVE), 3);
    let writer = ten_wait(&mut world);
    world.journal().begin_checkpoint();
    world.hold_slices(true);
    (11..=20_u16).for_each(|id| world.send(writer, publish_qos("t", b"x", 1, id)));
    world.hold_slices(false);
    for id in 21..=40_u16 {
        world.turn();
        world.post(writer, publish_qos("t", b"x", 1, id));
    }
    world.settle();
    let began = world.journal().checkpointed();
    assert!(began.is_some_and(|began| began > 0), "the fold does not begin at the beginning");
    world.crash();
    assert_eq!(count_waiting(&mut world), 40);
}

/// Its number is not in any snapshot, and its slot is another's.
#[test]
fn a_session_that_ended_between_its_slices_stays_ended() {
    let mut world = World::logged(Settings::new(Dialect::NATIVE), 1);
    ten_wait(&mut world);
    world.journal().begin_checkpoint();
    world.turns(6);
    let begun_anew = world.join(connect("reader"));
    world.cut(begun_anew);
    world.settle();
    world.crash();
    assert_eq!(count_waiting(&mut world), 0);
    assert_eq!(durable_state(world.shards()).len(), 1, "the one that came back just now");
}

#[test]
fn a_deletion_before_the_checkpoint_beats_an_older_change_behind_it() {
    let mut world = World::logged(Settings::new(Dialect::NATIVE), 1);
    let (first, second) = two_homes();
    let (first, second) = (world.join(connect(&first)), world.join(connect(&second)));
    world.submit_backwards();
    world.journal().set_pace(1);
    world.post(first, retain("t", b"older"));
    world.post(second, retain("t", b""));
    world.turns(2);
    assert_eq!(world.journal().len(), 1, "only the deletion is in the log");
    world.journal().begin_checkpoint();
    world.settle();
    assert_eq!(world.journal().checkpointed(), Some(1), "the older change is behind its beginning");
    world.crash();
    assert_eq!(retained(&world.node), []);
}

#[test]
fn no_number_of_a_session_returns() {
    let mut world = World::logged(Settings::new(Dialect::NATIVE), 1);
    let number = |world: &mut World<MemoryLog>| {
        let line = durable_state(world.shards()).pop().expect("one Session");
        line.split(' ').next().and_then(|number| number.parse::<u64>().ok()).expect("a number")
    };
    world.join(connect("reader").kept(3600));
    let first = number(&mut world);
    // The second Session of this home is over when the checkpoint begins: no record names it any more.
    let again = world.join(connect("reader"));
    world.cut(again);
    world.journal().begin_checkpoint();
    world.settle();
    world.crash();
    world.join(connect("reader").kept(3600));
    assert!(number(&mut world) > first + ShardId::COUNT as u64);
}

#[test]
fn no_version_of_a_retained_message_returns() {
    let mut world = World::logged(Settings::new(Dialect::NATIVE), 1);
    let writer = world.join(connect("writer"));
    world.send(writer, retain("t", b"first"));
    world.send(writer, retain("t", b""));
    world.journal().begin_checkpoint();
    world.settle();
    world.crash();
    let writer = world.join(connect("writer"));
    world.send(writer, retain("t", b"third"));
    assert_eq!(retained(&world.node), [("t".to_owned(), b"third".to_vec(), 3)]);
}

/// All merges of two lists that keep the order of each.
fn merges(one: &[Batch], other: &[Batch]) -> Vec<Vec<Batch>> {
    let ([first, rest @ ..], [other_first, other_rest @ ..]) = (one, other) else {
        return vec![[one, other].concat()];
    };
    let with = |first: &Batch, rests: Vec<Vec<Batch>>| {
        let first = first.clone();
        rests.into_iter().map(move |rest| [vec![first.clone()], rest].concat())
    };
    with(first, merges(rest, other)).chain(with(other_first, merges(one, other_rest))).collect()
}

#[test]
fn slices_of_two_shards_may_come_in_any_order() {
    let mut world = World::logged(Settings::new(Dialect::NATIVE), 1);
    let (one, other) = two_homes();
    for client_id in [&one, &other] {
        let client = world.join(connect(client_id).kept(3600));
        world.send(client, subscribe(1, &[("t", 2), ("$share/g/t", 1)]));
        world.cut(client);
    }
    let writer = world.join(connect("writer"));
    (1..=6_u16).for_each(|id| world.send(writer, publish_qos("t", b"x", 1, id)));
    world.journal().begin_checkpoint();
    world.settle();
    let live = durable_state(world.shards());

    let all = world.journal().len();
    let began = world.journal().checkpointed().expect("it is complete");
    let batches = world.journal().batches(began..all).into_iter().map(|(batch, _)| batch);
    let (one, other) = (ShardId::home_of(&one), ShardId::home_of(&other));
    let (mine, others): (Vec<_>, Vec<_>) = batches.partition(|batch| [one, other].contains(&batch.shard));
    let (mine, yours): (Vec<_>, Vec<_>) = mine.into_iter().partition(|batch| batch.shard == one);
    assert!(mine.len() > 2 && yours.len() > 2, "there is something to be merged");
    for order in merges(&mine, &yours) {
        let mut recovery = Recovery::from_checkpoint(world.empty_node());
        for (index, batch) in others.iter().chain(&order).enumerate() {
            recovery.fold(batch, Position((began + index) as u64 + 1));
        }
        assert_eq!(durable_state(recovery.shards()), live);
    }
}

/// What happens beside what Clients do.
#[derive(Debug, Clone)]
enum Event {
    Client(Step),
    /// Several Messages at once.
    Burst {
        client: usize,
        topic: usize,
        qos: u8,
        count: usize,
    },
    Checkpoint,
    /// Steps wait for the log so many turns, and no longer.
    Hurry {
        turns: usize,
    },
    Turns {
        count: usize,
    },
    /// The log takes so many batches a turn.
    Pace {
        batches: usize,
    },
    /// Shards reach the log in the other order.
    Backwards,
    /// The disk is full, or has space.
    Room {
        room: Room,
    },
    /// The node says good-bye, and starts again.
    Restart,
    Crash,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        20 => step().prop_map(Event::Client),
        5 => (0..CLIENTS.len(), 0..3_usize, 1..=2_u8, 1..6_usize)
            .prop_map(|(client, topic, qos, count)| Event::Burst { client, topic, qos, count }),
        2 => Just(Event::Checkpoint),
        3 => (1..6_usize).prop_map(|turns| Event::Hurry { turns }),
        3 => (1..10_usize).prop_map(|count| Event::Turns { count }),
        1 => (1..10_usize).prop_map(|batches| Event::Pace { batches }),
        1 => Just(Event::Backwards),
        1 => prop_oneof![Just(Room::Open), Just(Room::DrainOnly)].prop_map(|room| Event::Room { room }),
        1 => Just(Event::Restart),
        1 => Just(Event::Crash),
    ]
}

fn dialect() -> impl Strategy<Value = Dialect> {
    prop_oneof![3 => Just(Dialect::NATIVE), 1 => Just(Dialect::MOSQUITTO)]
}

fn overflow() -> impl Strategy<Value = Overflow> {
    prop_oneof![
        3 => Just(Overflow::Spill),
        1 => Just(Overflow::DropNewest),
        1 => Just(Overflow::DropOldest),
        1 => Just(Overflow::RejectPublisher),
        1 => Just(Overflow::Disconnect),
    ]
}

fn happen(play: &mut Play<MemoryLog>, event: &Event) {
    match *event {
        Event::Client(ref step) => return play.take(step),
        Event::Burst { client, topic, qos, count } => {
            let publish = Step::Publish { client, topic, qos, retain: false, expiry: None, empty: false };
            (0..count).for_each(|_| play.take(&publish));
        }
        Event::Checkpoint => play.world.journal().begin_checkpoint(),
        Event::Hurry { turns } => play.world.be_impatient(turns),
        Event::Turns { count } => play.world.turns(count),
        Event::Pace { batches } => play.world.journal().set_pace(batches),
        Event::Backwards => play.world.submit_backwards(),
        Event::Room { room } => play.world.set_room(room),
        Event::Restart => {
            play.world.shut_down();
            start_again(play);
        }
        Event::Crash => start_again(play),
    }
    play.look_around();
}

fn start_again(play: &mut Play<MemoryLog>) {
    play.world.crash();
    play.look_around();
    come_back(play);
}

fn come_back(play: &mut Play<MemoryLog>) {
    for client in 0..CLIENTS.len() {
        play.take(&Step::Connect { client, clean: false, expiry: u32::MAX, will: false });
    }
}

/// A node on which everything that is random in [`Event`] has happened, and that is at rest now: nobody is connected.
fn lived(events: &[Event], dialect: Dialect, overflow: Overflow, delay: u64) -> World<MemoryLog> {
    let mut settings = narrow(dialect);
    settings.queue.overflow = overflow;
    settings.keeps_qos0 = delay == 1;
    let mut play = Play::new(World::logged(settings, delay));
    come_back(&mut play);
    for (client, filter) in (0..CLIENTS.len()).zip([1, 2, 3, 3]) {
        play.take(&Step::Subscribe { client, filter, qos: 2 });
    }
    events.iter().for_each(|event| happen(&mut play, event));
    play.world.be_impatient(usize::MAX);
    play.online.into_iter().flatten().for_each(|client| play.world.cut(client));
    play.world.settle();
    play.world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_log_gives_back_the_live_state_from_its_newest_checkpoint(
        events in prop::collection::vec(event(), 1..150),
        dialect in dialect(),
        overflow in overflow(),
        delay in 1..5_u64,
    ) {
        let mut world = lived(&events, dialect, overflow, delay);
        let (now, node) = (world.now(), world.empty_node());
        let recovery = world.journal().recover(Arc::clone(&node), now);
        prop_assert_eq!(durable_state(recovery.shards()), durable_state(world.shards()));
        let shards = recovery.finish(now, &mut Outbox::default());
        prop_assert_eq!(retained(&node), retained(&world.node));
        let live = Arc::clone(&world.node);
        prop_assert_eq!(difference(&everything_of((node, shards)), &everything(&live, world.shards())), [""; 0]);
    }

    #[test]
    fn and_from_its_beginning_whatever_checkpoints_it_holds(
        events in prop::collection::vec(event(), 1..150),
        dialect in dialect(),
        overflow in overflow(),
        delay in 1..5_u64,
    ) {
        let mut world = lived(&events, dialect, overflow, delay);
        let (now, node, all) = (world.now(), world.empty_node(), world.journal().len());
        let recovery = world.journal().recover_all(Arc::clone(&node), all, now);
        prop_assert_eq!(durable_state(recovery.shards()), durable_state(world.shards()));
        let shards = recovery.finish(now, &mut Outbox::default());
        prop_assert_eq!(retained(&node), retained(&world.node));
        let live = Arc::clone(&world.node);
        prop_assert_eq!(difference(&everything_of((node, shards)), &everything(&live, world.shards())), [""; 0]);
    }

    /// Starting changes nothing that the next start would see.
    #[test]
    fn a_node_that_dies_again_before_anybody_came_is_the_same(
        events in prop::collection::vec(event(), 1..100),
        dialect in dialect(),
        overflow in overflow(),
        delay in 1..5_u64,
    ) {
        let mut world = lived(&events, dialect, overflow, delay);
        world.crash();
        world.settle();
        let (once, kept) = (durable_state(world.shards()), retained(&world.node));
        world.crash();
        world.settle();
        prop_assert_eq!(durable_state(world.shards()), once);
        prop_assert_eq!(retained(&world.node), kept);
    }
}
