//! Shared Subscriptions: one member gets each Message, and what a member leaves undone another does.

use std::collections::BTreeSet;

use martlet_broker::{Dialect, Settings, SharedStrategy};
use martlet_packet::{Property, ReasonCode};
use martlet_record::MemoryJournal;
use martlet_simulator::{
    Client, World, connect, options, puback, puback_of, pubcomp, publish, publish_qos, pubrec, pubrec_of,
    pubrel, subscribe, subscribe_with, unsubscribe,
};

const GROUP: &str = "$share/workers/jobs/#";

/// A world with this strategy, members with these Session Expiry Intervals, and a publisher.
fn world_with_members(strategy: SharedStrategy, expiries: &[u32]) -> (World, Vec<Client>, Client) {
    let settings = Settings { shared_strategy: strategy, ..Settings::new(Dialect::NATIVE) };
    let mut world = World::with(settings);
    let members = expiries.iter().zip(0..).map(|(expiry, number)| {
        let member = world.join(connect(&format!("member-{number}")).kept(*expiry));
        world.send(member, subscribe(1, &[(GROUP, 2)]));
        member
    });
    let members = members.collect();
    let publisher = world.join(connect("publisher"));
    world.hush();
    (world, members, publisher)
}

/// Publishes numbers, each once.
fn publish_numbers(world: &mut World, publisher: Client, qos: u8, count: u16) {
    for number in 1..=count {
        world.send(publisher, publish_qos("jobs/x", number.to_string().as_bytes(), qos, number));
        if qos == 2 {
            world.send(publisher, pubrel(number));
        }
    }
}

/// The payloads a Client heard since it was last asked.
fn payloads(world: &mut World, client: Client) -> Vec<String> {
    let heard = world.hears(client);
    let published = heard.iter().filter(|line| line.starts_with("PUBLISH"));
    published.map(|line| line.split('\'').nth(1).expect("a payload").to_owned()).collect()
}

/// §4.8.2
#[test]
fn each_message_goes_to_one_member_and_to_everybody_with_a_subscription_of_its_own() {
    for expiry in [0, 3600] {
        let (mut world, members, publisher) = world_with_members(SharedStrategy::RoundRobin, &[expiry; 3]);
        let alone = world.join(connect("alone"));
        world.send(alone, subscribe(1, &[("jobs/#", 0)]));
        let other_group = world.join(connect("other group"));
        world.send(other_group, subscribe(1, &[("$share/others/jobs/#", 0)]));
        publish_numbers(&mut world, publisher, 1, 30);
        let shares: Vec<_> = members.iter().map(|member| payloads(&mut world, *member)).collect();
        assert_eq!(shares.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 10], "each in turn");
        let all: BTreeSet<_> = shares.into_iter().flatten().collect();
        assert_eq!(all.len(), 30);
        assert_eq!(payloads(&mut world, alone).len(), 30);
        assert_eq!(payloads(&mut world, other_group).len(), 30);
    }
}

#[test]
fn a_member_with_a_subscription_of_its_own_has_both() {
    let mut world = World::new();
    let member = world.join(connect("member"));
    world.send(member, subscribe(1, &[(GROUP, 0), ("jobs/x", 0)]));
    world.hush();
    world.send(member, publish("jobs/x", b"1"));
    assert_eq!(payloads(&mut world, member), ["1", "1"]);
}

/// [MQTT-4.8.2-3]
#[test]
fn a_member_gets_it_with_the_qos_it_was_granted() {
    let mut world = World::new();
    let members = [0, 1, 2].map(|qos| {
        let member = world.join(connect(&format!("member-{qos}")));
        world.send(member, subscribe_with(1, &[(GROUP, options(qos))], Some(u32::from(qos) + 7)));
        member
    });
    let publisher = world.join(connect("publisher"));
    world.hush();
    publish_numbers(&mut world, publisher, 2, 3);
    let heads = members.map(|member| world.hears(member).concat().split(" '").next().map(str::to_owned));
    let expected = ["PUBLISH jobs/x q0 sub=7", "PUBLISH jobs/x q1 #1 sub=8", "PUBLISH jobs/x q2 #1 sub=9"];
    assert_eq!(heads, expected.map(|head| Some(head.to_owned())));
}

#[test]
fn whoever_leaves_the_group_gets_no_more() {
    let (mut world, members, publisher) = world_with_members(SharedStrategy::RoundRobin, &[0; 2]);
    world.send(members[0], unsubscribe(2, &[GROUP]));
    world.hush();
    publish_numbers(&mut world, publisher, 0, 10);
    assert_eq!(payloads(&mut world, members[0]).len(), 0);
    assert_eq!(payloads(&mut world, members[1]).len(), 10);
}

#[test]
fn an_absent_members_turns_are_shared_by_all_the_others() {
    let (mut world, members, publisher) = world_with_members(SharedStrategy::RoundRobin, &[3600; 3]);
    world.cut(members[0]);
    publish_numbers(&mut world, publisher, 1, 10);
    assert_eq!(payloads(&mut world, members[1]).len(), 5);
    assert_eq!(payloads(&mut world, members[2]).len(), 5);
}

#[test]
fn a_member_that_comes_back_has_its_turns_again() {
    let (mut world, members, publisher) = world_with_members(SharedStrategy::RoundRobin, &[3600; 2]);
    world.cut(members[0]);
    let back = world.join(connect("member-0").kept(3600));
    publish_numbers(&mut world, publisher, 1, 10);
    assert_eq!(payloads(&mut world, back).len(), 5);
    assert_eq!(payloads(&mut world, members[1]).len(), 5);
}

#[test]
fn while_all_are_absent_their_sessions_keep_what_comes() {
    let (mut world, members, publisher) = world_with_members(SharedStrategy::RoundRobin, &[3600; 2]);
    members.iter().for_each(|member| world.cut(*member));
    publish_numbers(&mut world, publisher, 1, 10);
    let back = ["member-0", "member-1"].map(|id| world.join(connect(id).kept(3600)));
    let all: BTreeSet<_> = back.iter().flat_map(|member| payloads(&mut world, *member)).collect();
    assert_eq!(all.len(), 10);
}

/// Whom each of the Messages of these publishers, under these topics, goes to.
fn chosen(strategy: SharedStrategy, sent: &[(&str, &str)]) -> Vec<usize> {
    let (mut world, members, _) = world_with_members(strategy, &[0; 4]);
    sent.iter()
        .map(|(publisher, topic)| {
            let publisher = world.join(connect(publisher));
            world.send(publisher, publish(topic, b"x"));
            let heard: Vec<_> = members.iter().map(|member| payloads(&mut world, *member).len()).collect();
            assert_eq!(heard.iter().sum::<usize>(), 1);
            heard.iter().position(|count| *count == 1).expect("one of them")
        })
        .collect()
}

fn distinct(places: &[usize]) -> usize {
    places.iter().collect::<BTreeSet<_>>().len()
}

#[test]
fn the_strategy_says_who_is_chosen() {
    let names: Vec<_> = (0..40).map(|number| (format!("p{number}"), format!("jobs/{number}"))).collect();
    let by_client: Vec<_> = names.iter().map(|(client, _)| (&**client, "jobs/x")).collect();
    let by_topic: Vec<_> = names.iter().map(|(_, topic)| ("p", &**topic)).collect();
    let twice = |sent: &[(&'static str, &'static str)]| [sent, sent].concat();
    assert_eq!(distinct(&chosen(SharedStrategy::Sticky, &by_client)), 1);
    assert_eq!(distinct(&chosen(SharedStrategy::HashTopic, &by_client)), 1);
    assert_eq!(distinct(&chosen(SharedStrategy::HashTopic, &by_topic)), 4);
    assert_eq!(distinct(&chosen(SharedStrategy::HashClient, &by_topic)), 1);
    assert_eq!(distinct(&chosen(SharedStrategy::HashClient, &by_client)), 4);
    assert_eq!(distinct(&chosen(SharedStrategy::Random, &by_client)), 4);
    let in_turn = chosen(SharedStrategy::RoundRobin, &twice(&[("a", "jobs/a"), ("b", "jobs/b")]));
    assert_eq!(distinct(&in_turn), 4);
}

#[test]
fn sticky_moves_on_when_its_member_goes() {
    let (mut world, members, publisher) = world_with_members(SharedStrategy::Sticky, &[0; 3]);
    publish_numbers(&mut world, publisher, 0, 5);
    let first = members.iter().position(|member| payloads(&mut world, *member).len() == 5);
    let first = first.expect("one of them has all");
    world.cut(members[first]);
    publish_numbers(&mut world, publisher, 0, 5);
    let heard: Vec<_> = members.iter().map(|member| payloads(&mut world, *member).len()).collect();
    assert_eq!((heard[first], heard.iter().max()), (0, Some(&5)));
}

/// §4.8.2: what a member that ends has not acknowledged goes to the others, and not while it holds it.
#[test]
fn a_member_killed_with_a_hundred_messages_unacknowledged_leaves_them_to_the_others() {
    for expiry in [0, 5] {
        let (mut world, members, publisher) = world_with_members(SharedStrategy::RoundRobin, &[expiry, 0, 5]);
        publish_numbers(&mut world, publisher, 1, 300);
        let held: BTreeSet<_> = payloads(&mut world, members[0]).into_iter().collect();
        let others = &members[1..];
        let before: Vec<_> = others.iter().flat_map(|member| acknowledge(&mut world, *member)).collect();
        assert_eq!((held.len(), before.len()), (100, 200));
        world.cut(members[0]);
        if expiry > 0 {
            world.pass(expiry.into());
        }
        let after: Vec<_> = others.iter().flat_map(|member| acknowledge(&mut world, *member)).collect();
        assert_eq!(after.len(), 100, "none comes twice");
        assert_eq!(after.into_iter().collect::<BTreeSet<_>>(), held, "all come, and no other");
        let ledger = world.counters().ledger;
        assert_eq!((ledger.accepted, ledger.delivered, ledger.ended), (400, 300, 100));
    }
}

/// The payloads of QoS 1 Messages a Client heard; it acknowledges each.
fn acknowledge(world: &mut World, client: Client) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let heard = world.hears(client);
        if heard.is_empty() {
            return all;
        }
        for line in heard {
            let id = line.split(['#', ' ']).nth(4).and_then(|id| id.parse().ok()).expect("an identifier");
            world.post(client, puback(id));
            all.push(line.split('\'').nth(1).expect("a payload").to_owned());
        }
        world.settle();
    }
}

/// §4.8.2: nor is a copy lost that was on its way to a member through the journal when its Session ended.
#[test]
fn a_copy_that_finds_its_members_session_ended_goes_to_another() {
    let journal = MemoryJournal::with_delay(5);
    let mut world = World::with_journal(Settings::new(Dialect::NATIVE), journal);
    let members = ["a", "b"].map(|id| {
        let member = world.join(connect(id).kept(3600));
        world.send(member, subscribe(1, &[(GROUP, 1)]));
        member
    });
    let publisher = world.join(connect("publisher"));
    world.hush();
    (1..=2).for_each(|id| world.post(publisher, publish_qos("jobs/x", id.to_string().as_bytes(), 1, id)));
    world.turn();
    world.dial(connect("a"));
    world.settle();
    assert_eq!(payloads(&mut world, members[1]).into_iter().collect::<BTreeSet<_>>().len(), 2);
    assert_eq!(world.counters().ledger.ended, 1);
}

/// A member that comes back in time finds its own again, and nobody else got them meanwhile.
#[test]
fn while_its_session_lives_a_members_messages_stay_with_it() {
    let (mut world, members, publisher) = world_with_members(SharedStrategy::RoundRobin, &[3600, 0]);
    publish_numbers(&mut world, publisher, 1, 20);
    let held = payloads(&mut world, members[0]);
    world.hush();
    world.cut(members[0]);
    world.pass(60);
    assert!(payloads(&mut world, members[1]).is_empty());
    let back = world.join(connect("member-0").kept(3600));
    assert_eq!(payloads(&mut world, back), held);
}

/// [MQTT-4.8.2-4]
#[test]
fn a_qos_2_message_that_was_begun_is_completed_with_the_same_member() {
    for received in [false, true] {
        let (mut world, members, publisher) = world_with_members(SharedStrategy::RoundRobin, &[3600; 2]);
        publish_numbers(&mut world, publisher, 2, 1);
        let (holder, other) = if world.hears(members[0]).is_empty() { (1, 0) } else { (0, 1) };
        if received {
            world.send(members[holder], pubrec(1));
        }
        world.hush();
        world.cut(members[holder]);
        world.pass(60);
        assert!(world.hears(members[other]).is_empty());
        let back = world.join(connect(&format!("member-{holder}")).kept(3600));
        let next = if received { "PUBREL 1" } else { "PUBLISH jobs/x q2 #1 dup '1'" };
        assert_eq!(world.hears(back), ["CONNACK 00 present", next]);
        if !received {
            world.send(back, pubrec(1));
        }
        world.send(back, pubcomp(1));
        assert_eq!(world.counters().ledger.delivered, 1);
    }
}

/// [MQTT-4.8.2-5]
#[test]
fn a_qos_2_message_that_was_begun_ends_with_its_members_session() {
    for expiry in [0, 5] {
        let (mut world, members, publisher) = world_with_members(SharedStrategy::RoundRobin, &[expiry; 2]);
        publish_numbers(&mut world, publisher, 2, 2);
        world.hush();
        world.cut(members[0]);
        world.pass(5);
        assert!(world.hears(members[1]).is_empty());
        assert_eq!(world.counters().ledger.ended, 1);
    }
}

/// §4.8.2: what was not sent yet is nobody's.
#[test]
fn a_qos_2_message_that_still_waits_goes_to_another_member() {
    let mut world = World::new();
    let slow = world.join(connect("slow").with(&Property::ReceiveMaximum(1)));
    world.send(slow, subscribe(1, &[(GROUP, 2)]));
    let publisher = world.join(connect("publisher"));
    publish_numbers(&mut world, publisher, 2, 3);
    let other = world.join(connect("other"));
    world.send(other, subscribe(1, &[(GROUP, 2)]));
    world.hush();
    world.cut(slow);
    assert_eq!(payloads(&mut world, other), ["2", "3"]);
}

/// [MQTT-4.8.2-6]
#[test]
fn a_message_a_member_refuses_goes_to_no_other() {
    const REASON: ReasonCode = ReasonCode::ImplementationSpecificError;
    for (qos, answer) in [(1, puback_of(1, REASON)), (2, pubrec_of(1, REASON))] {
        let (mut world, members, publisher) = world_with_members(SharedStrategy::RoundRobin, &[5; 2]);
        publish_numbers(&mut world, publisher, qos, 1);
        assert_eq!(payloads(&mut world, members[0]), ["1"]);
        world.send(members[0], answer);
        world.cut(members[0]);
        world.pass(5);
        assert_eq!(world.counters().sessions, 2, "that of the member has ended");
        assert!(payloads(&mut world, members[1]).is_empty());
        assert_eq!(world.counters().ledger.dropped_refused, 1);
    }
}
