//! What was sent, and how far it came, over the death of a node.

use martlet_broker::{Dialect, Settings};
use martlet_packet::{Disconnect, Packet, PropertiesBuf, Property, Publish, ReasonCode};
use martlet_session::Overflow;
use martlet_simulator::{
    Client, Connecting, MemoryLog, World, connect, puback, pubcomp, publish_qos, pubrec, pubrel, subscribe,
};

fn logged() -> World<MemoryLog> {
    World::logged(Settings::new(Dialect::NATIVE), 1)
}

fn kept(client_id: &str) -> Connecting {
    connect(client_id).kept(3600).keep_alive(0)
}

fn reader_and_writer(world: &mut World<MemoryLog>) -> (Client, Client) {
    let reader = world.join(kept("reader"));
    world.send(reader, subscribe(1, &[("t", 2)]));
    let writer = world.join(kept("writer"));
    world.hush();
    (reader, writer)
}

/// What the kept Client hears behind its CONNACK when it comes back.
fn back(world: &mut World<MemoryLog>, client_id: &str) -> (Client, Vec<String>) {
    let client = world.join(kept(client_id));
    let heard = world.hears(client);
    assert_eq!(heard[0], "CONNACK 00 present");
    (client, heard[1..].to_vec())
}

/// [MQTT-3.3.1-1] [MQTT-4.4.0-1]
#[test]
fn what_was_sent_is_sent_again_with_dup_and_what_was_not_without() {
    let mut world = logged();
    let (reader, writer) = reader_and_writer(&mut world);
    world.send(writer, publish_qos("t", b"sent", 1, 1));
    world.cut(reader);
    world.send(writer, publish_qos("t", b"waits", 1, 2));
    world.crash();
    let (_, heard) = back(&mut world, "reader");
    assert_eq!(heard, ["PUBLISH t q1 #1 dup 'sent'", "PUBLISH t q1 #2 'waits'"]);
    world.crash();
    let (_, heard) = back(&mut world, "reader");
    assert_eq!(heard, ["PUBLISH t q1 #1 dup 'sent'", "PUBLISH t q1 #2 dup 'waits'"]);
}

/// [MQTT-4.3.3-6]
#[test]
fn a_qos_2_message_goes_on_from_where_it_was() {
    let mut world = logged();
    let (reader, writer) = reader_and_writer(&mut world);
    world.send(writer, publish_qos("t", b"x", 2, 1));
    assert_eq!(world.hears(reader), ["PUBLISH t q2 #1 'x'"]);

    world.crash();
    let (reader, heard) = back(&mut world, "reader");
    assert_eq!(heard, ["PUBLISH t q2 #1 dup 'x'"]);
    // Its PUBREC is not in the log yet when the node dies: it never was.
    world.post(reader, pubrec(1));
    world.crash();
    assert_eq!(world.hears(reader), ["closed"], "and no PUBREL left");
    let (reader, heard) = back(&mut world, "reader");
    assert_eq!(heard, ["PUBLISH t q2 #1 dup 'x'"]);

    world.send(reader, pubrec(1));
    assert_eq!(world.hears(reader), ["PUBREL 1"]);
    world.crash();
    let (reader, heard) = back(&mut world, "reader");
    assert_eq!(heard, ["PUBREL 1"], "from here the Message is never sent again");

    // PUBCOMP rides along: if it is lost, PUBREL is sent again, and that is all.
    world.post(reader, pubcomp(1));
    world.crash();
    let (reader, heard) = back(&mut world, "reader");
    assert_eq!(heard, ["PUBREL 1"]);
    world.send(reader, pubcomp(1));
    world.crash();
    assert_eq!(back(&mut world, "reader").1, [""; 0]);
}

/// [MQTT-4.3.3-10] [MQTT-4.3.3-12]
#[test]
fn a_qos_2_message_that_was_taken_is_known_until_it_is_released() {
    let mut world = logged();
    let (_, writer) = reader_and_writer(&mut world);
    world.send(writer, publish_qos("t", b"x", 2, 1));
    assert_eq!(world.hears(writer), ["PUBREC 1"]);
    world.crash();
    let (writer, _) = back(&mut world, "writer");
    let Packet::Publish(again) = publish_qos("t", b"x", 2, 1) else { unreachable!("a PUBLISH") };
    world.send(writer, Packet::Publish(Publish { dup: true, ..again }));
    assert_eq!(world.hears(writer), ["PUBREC 1"]);
    assert_eq!(back(&mut world, "reader").1, ["PUBLISH t q2 #1 dup 'x'"], "once");

    world.send(writer, pubrel(1));
    assert_eq!(world.hears(writer), ["PUBCOMP 1"]);
    world.crash();
    let (writer, _) = back(&mut world, "writer");
    world.send(writer, pubrel(1));
    assert_eq!(world.hears(writer), ["PUBCOMP 1 92"], "it was released");
    world.send(writer, publish_qos("t", b"y", 2, 1));
    let (_, heard) = back(&mut world, "reader");
    assert_eq!(heard, ["PUBLISH t q2 #1 dup 'x'", "PUBLISH t q2 #2 'y'"]);
}

/// [MQTT-2.2.1-4]
#[test]
fn an_identifier_that_is_in_use_is_not_given_again_after_a_restart() {
    for with_checkpoint in [false, true] {
        let mut settings = Settings::new(Dialect::NATIVE);
        settings.queue.messages = 1;
        settings.queue.overflow = Overflow::DropOldest;
        let mut world = World::logged(settings, 1);
        let (reader, writer) = reader_and_writer(&mut world);
        world.send(writer, publish_qos("t", b"never answered", 1, 1));
        world.cut(reader);
        // Each takes the place of the one before, and uses up an identifier: the last has the first one's.
        for _ in 0..65_535 {
            world.post(writer, publish_qos("t", b"last", 1, 1));
            world.turn();
        }
        world.settle();
        if with_checkpoint {
            world.journal().begin_checkpoint();
            world.settle();
        }
        world.crash();
        let (reader, heard) = back(&mut world, "reader");
        assert_eq!(heard, ["PUBLISH t q1 #1 dup 'never answered'"]);
        world.send(reader, puback(1));
        assert_eq!(world.hears(reader), ["PUBLISH t q1 #1 'last'"]);
    }
}

/// How far a copy of a group's Message came with the member that was chosen, before its Session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// The Message was on its way to the log.
    Submitted,
    Queued,
    Sent,
    /// PUBREC came.
    Received,
    /// PUBACK or PUBCOMP came.
    Finished,
}

const GAPS: [Gap; 5] = [Gap::Submitted, Gap::Queued, Gap::Sent, Gap::Received, Gap::Finished];

/// When a checkpoint begins beside it, whose slices are written when all is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checkpoint {
    Never,
    BeforeTheMessage,
    BeforeTheEnd,
}

/// A Message for a group of two: its copy comes so far with the first, whose Session ends then. Also how long the log was
/// when the Message was in it.
fn ended_in(gap: Gap, qos: u8, backwards: bool, checkpoint: Checkpoint) -> (World<MemoryLog>, usize) {
    let mut world = logged();
    for client_id in ["chosen", "other"] {
        let member = world.join(kept(client_id));
        world.send(member, subscribe(1, &[("$share/g/t", 2)]));
        world.cut(member);
    }
    let writer = world.join(kept("writer"));
    let chosen = (gap != Gap::Queued).then(|| world.join(kept("chosen")));
    world.hush();
    if backwards {
        world.submit_backwards();
    }
    world.hold_slices(true);
    if checkpoint == Checkpoint::BeforeTheMessage {
        world.journal().begin_checkpoint();
    }
    world.post(writer, publish_qos("t", b"x", qos, 1));
    if gap == Gap::Submitted {
        world.dial(connect("chosen").keep_alive(0));
    }
    while world.hears(writer).is_empty() {
        world.turn();
    }
    let published = world.journal().len();
    world.settle();
    if checkpoint == Checkpoint::BeforeTheEnd {
        world.journal().begin_checkpoint();
    }
    if let Some(chosen) = chosen.filter(|_| gap != Gap::Submitted) {
        assert_eq!(world.hears(chosen), [format!("PUBLISH t q{qos} #1 'x'")]);
        let answers = match (gap, qos) {
            (Gap::Received, _) => vec![pubrec(1)],
            (Gap::Finished, 1) => vec![puback(1)],
            (Gap::Finished, _) => vec![pubrec(1), pubcomp(1)],
            _ => vec![],
        };
        answers.into_iter().for_each(|answer| world.send(chosen, answer));
    }
    world.join(connect("chosen").keep_alive(0));
    world.hold_slices(false);
    world.settle();
    (world, published)
}

/// How often the other member gets the Message, when nobody else can any more.
fn count_other(world: &mut World<MemoryLog>) -> usize {
    world.join(connect("chosen").keep_alive(0));
    let (_, heard) = back(world, "other");
    assert!(heard.iter().all(|line| line.ends_with("'x'")), "{heard:?}");
    heard.len()
}

/// May the log lose its end, what is left decides: a Client that was connected may have been sent what waited.
fn expected(gap: Gap, qos: u8, is_whole: bool) -> std::ops::RangeInclusive<usize> {
    match (gap, qos) {
        (Gap::Queued, _) | (Gap::Submitted | Gap::Sent, 1) => 1..=1,
        (Gap::Submitted, _) if is_whole => 1..=1,
        (Gap::Finished, 1) if is_whole => 0..=0,
        (Gap::Submitted, _) | (Gap::Finished, 1) => 0..=1,
        _ => 0..=0,
    }
}

/// [MQTT-4.8.2-5] [MQTT-4.8.2-6]
#[test]
fn a_copy_whose_session_ended_goes_to_another_member_once_over_restarts() {
    for gap in GAPS {
        let checkpoints = [Checkpoint::Never, Checkpoint::BeforeTheMessage, Checkpoint::BeforeTheEnd];
        let of_qos = |qos| checkpoints.into_iter().flat_map(move |at| [(qos, false, at), (qos, true, at)]);
        for (qos, backwards, checkpoint) in of_qos(1).chain(of_qos(2)) {
            if gap == Gap::Received && qos == 1 {
                continue;
            }
            let (mut world, _) = ended_in(gap, qos, backwards, checkpoint);
            world.crash();
            world.settle();
            let count = count_other(&mut world);
            let told = format!("{gap:?} QoS {qos} backwards {backwards} checkpoint {checkpoint:?}");
            assert!(expected(gap, qos, true).contains(&count), "{count} times: {told}");
            world.crash();
            assert_eq!(count_other(&mut world), count, "a life later: {told}");
        }
    }
}

#[test]
fn no_copy_of_a_group_is_lost_or_given_twice_whatever_end_the_log_loses() {
    for gap in GAPS {
        for (qos, backwards) in [(1, false), (1, true), (2, false), (2, true)] {
            if gap == Gap::Received && qos == 1 {
                continue;
            }
            let (mut world, published) = ended_in(gap, qos, backwards, Checkpoint::Never);
            for end in published..world.journal().len() {
                let (mut world, _) = ended_in(gap, qos, backwards, Checkpoint::Never);
                world.journal().cut_off(end);
                world.crash();
                world.settle();
                let count = count_other(&mut world);
                let told = format!("{gap:?} QoS {qos} backwards {backwards}, {end} of the log left");
                assert!(expected(gap, qos, false).contains(&count), "{count} times: {told}");
                world.crash();
                assert_eq!(count_other(&mut world), count, "a life later: {told}");
            }
        }
    }
}

#[test]
fn a_copy_whose_session_ended_goes_to_another_member_unless_the_first_may_have_it() {
    for gap in GAPS {
        for qos in [1, 2] {
            if gap != Gap::Received || qos == 2 {
                let (mut world, _) = ended_in(gap, qos, false, Checkpoint::Never);
                let count = count_other(&mut world);
                assert!(expected(gap, qos, true).contains(&count), "{count} times: {gap:?} QoS {qos}");
            }
        }
    }
}

/// It was booked as ended: whoever forms a group of that name later has nothing to do with it.
#[test]
fn a_copy_that_nobody_was_left_to_take_does_not_come_back() {
    let mut world = logged();
    let member = world.join(kept("member"));
    world.send(member, subscribe(1, &[("$share/g/t", 1)]));
    world.cut(member);
    let writer = world.join(kept("writer"));
    world.send(writer, publish_qos("t", b"x", 1, 1));
    world.join(connect("member"));
    assert_eq!(world.counters().ledger.ended, 1);
    let later = world.join(kept("later"));
    world.send(later, subscribe(1, &[("$share/g/t", 1)]));
    world.crash();
    world.settle();
    assert_eq!(back(&mut world, "later").1, [""; 0]);
}

/// CONNACK, the Message and DISCONNECT in one turn: nothing but the end of the Session reaches the log in it.
#[test]
fn a_qos_2_copy_that_was_sent_in_the_turn_its_session_ended_is_nobody_elses() {
    let mut world = logged();
    for client_id in ["chosen", "other"] {
        let member = world.join(kept(client_id));
        world.send(member, subscribe(1, &[("$share/g/t", 2)]));
        world.cut(member);
    }
    let writer = world.join(kept("writer"));
    world.send(writer, publish_qos("t", b"x", 2, 1));
    let chosen = world.dial(kept("chosen"));
    let mut for_good = PropertiesBuf::default();
    for_good.push(Property::SessionExpiryInterval(0));
    let properties = for_good.as_properties();
    let leave = Disconnect { reason: ReasonCode::NormalDisconnection, properties };
    world.post(chosen, Packet::Disconnect(leave));
    world.settle();
    assert_eq!(world.hears(chosen), ["CONNACK 00 present", "PUBLISH t q2 #1 'x'", "closed"]);
    world.crash();
    world.settle();
    assert_eq!(back(&mut world, "other").1, [""; 0]);
}
