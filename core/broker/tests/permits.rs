//! Who may publish, subscribe, receive and unsubscribe, and what becomes of what they may not.

use std::sync::Arc;

use martlet_access::{Access, Acl, Entry, Grant, Permit, Who};
use martlet_broker::{Dialect, Notice, Settings, Verdict};
use martlet_packet::{Packet, Publish, QoS, ReasonCode, Version};
use martlet_session::{Terms, Violation};
use martlet_simulator::{
    Client, World, connect, puback, publish, publish_qos, pubrel, retain, subscribe, unsubscribe,
};
use martlet_topic::{Limits, TopicFilter};

/// Rules for everybody.
fn access(rules: &[(Grant, &str)]) -> Access {
    let entry = |(line, (grant, filter)): (u32, &(Grant, &str))| Entry {
        line,
        who: Who::Pattern,
        grant: *grant,
        filter: TopicFilter::parse(filter, &Limits::default()).expect("a legal filter"),
    };
    Access::default().with_acl(Acl::new((1..).zip(rules).map(entry)))
}

fn permit(rules: &[(Grant, &str)]) -> Permit {
    access(rules).permit("anybody", None)
}

/// A Client that was heard out.
fn reader(world: &mut World, id: &str, filter: &str) -> Client {
    let client = world.join(connect(id));
    world.send(client, subscribe(1, &[(filter, 1)]));
    world.hears(client);
    client
}

#[test]
fn a_publish_that_is_not_permitted_is_answered_and_goes_no_further() {
    for (version, puback, pubrec) in
        [(Version::V5, "PUBACK 1 87", "PUBREC 2 87"), (Version::V3_1_1, "PUBACK 1", "PUBREC 2")]
    {
        let mut world = World::with(Settings::new(Dialect::MOSQUITTO));
        let hearer = reader(&mut world, "hearer", "#");
        let only_open = permit(&[(Grant::Write, "open/#")]);
        let writer = world.join(connect("writer").version(version).permitted(only_open));
        world.hears(writer);
        world.notices();
        world.send(writer, publish_qos("closed", b"1", 1, 1));
        world.send(writer, publish_qos("closed", b"2", 2, 2));
        world.send(writer, publish("closed", b"3"));
        world.send(writer, publish("open/door", b"4"));
        assert_eq!(world.hears(writer), [puback, pubrec], "{version:?}");
        assert_eq!(world.hears(hearer), ["PUBLISH open/door q0 '4'"], "{version:?}");
        assert_eq!(world.counters().publish_refused, 3);
        // It is told once.
        let told = world.notices();
        assert!(
            matches!(&told[..], [Notice::FirstRefusal { client_id, text }]
                if &**client_id == "writer" && text.contains("closed")),
            "{told:?}"
        );
    }
}

#[test]
fn a_refused_qos_2_publish_leaves_no_mark_behind() {
    let mut world = World::new();
    let writer = world.join(connect("writer").permitted(Permit::nothing()));
    world.hears(writer);
    world.send(writer, publish_qos("t", b"1", 2, 1));
    world.send(writer, pubrel(1));
    let heard = world.hears(writer);
    assert!(heard[0].starts_with("PUBREC 1 87"), "{heard:?}");
    assert_eq!(heard[1], "PUBCOMP 1 92");
}

#[test]
fn a_will_that_is_not_permitted_is_not_published() {
    let mut world = World::with(Settings::new(Dialect::MOSQUITTO));
    let hearer = reader(&mut world, "hearer", "#");
    for (id, topic) in [("one", "open"), ("two", "closed")] {
        let dying = connect(id).will(topic, id.as_bytes(), QoS::AtMostOnce, false, 0);
        let dying = world.join(dying.permitted(permit(&[(Grant::Write, "open")])));
        world.cut(dying);
    }
    assert_eq!(world.hears(hearer), ["PUBLISH open q0 'one'"]);
    let refused = world.notices().into_iter().filter(|notice| matches!(notice, Notice::WillRefused { .. }));
    assert_eq!(refused.count(), 1);
}

#[test]
fn the_native_dialect_turns_a_client_away_whose_will_is_not_permitted() {
    let mut world = World::new();
    let dying = connect("client").will("closed", b"", QoS::AtMostOnce, false, 0);
    let dying = world.join(dying.permitted(permit(&[(Grant::Write, "open")])));
    let heard = world.hears(dying);
    assert!(heard[0].starts_with("CONNACK 87"), "{heard:?}");
    assert_eq!(heard.last().map(String::as_str), Some("closed"));
    assert_eq!(world.counters().sessions, 0);
}

#[test]
fn a_subscription_that_is_not_permitted_is_refused() {
    for (version, suback) in [(Version::V5, "SUBACK 7 [87 87]"), (Version::V3_1_1, "SUBACK 7 [80 80]")] {
        let mut world = World::with(Settings::new(Dialect::MOSQUITTO));
        let client = world.join(connect("reader").version(version).permitted(Permit::nothing()));
        world.hears(client);
        world.send(client, subscribe(7, &[("closed/#", 1), ("$share/g/closed/#", 1)]));
        assert_eq!(world.hears(client), [suback]);
        assert_eq!(world.counters().subscriptions, 0);
        let writer = world.join(connect("writer"));
        world.send(writer, publish("closed/door", b""));
        assert!(world.hears(client).is_empty());
    }
}

#[test]
fn who_may_not_receive_gets_no_copy_and_the_publisher_does_not_learn_it() {
    for kept in [false, true] {
        let mut world = World::new();
        let some = permit(&[(Grant::Deny, "closed/+"), (Grant::Read, "#")]);
        let client = if kept { connect("reader").kept(60) } else { connect("reader") };
        let client = world.join(client.permitted(some));
        world.send(client, subscribe(1, &[("#", 1)]));
        world.hears(client);
        let writer = world.join(connect("writer"));
        world.hears(writer);
        world.send(writer, publish_qos("closed/door", b"1", 1, 1));
        world.send(writer, publish_qos("open/door", b"2", 1, 2));
        assert_eq!(world.hears(client), ["PUBLISH open/door q1 #1 '2'"], "{kept}");
        assert_eq!(world.hears(writer), ["PUBACK 1", "PUBACK 2"], "{kept}");
        assert_eq!((world.counters().copies_denied, world.counters().ledger.accepted), (1, 1));
    }
}

#[test]
fn a_shared_subscription_chooses_among_those_who_may_receive() {
    let mut world = World::new();
    let mut join = |id, rules: &[(Grant, &str)]| {
        let client = world.join(connect(id).permitted(permit(rules)));
        world.send(client, subscribe(1, &[("$share/g/t/#", 1)]));
        client
    };
    let all = join("all", &[(Grant::Read, "#")]);
    let few = join("few", &[(Grant::Deny, "t/closed"), (Grant::Read, "#")]);
    world.hush();
    let writer = world.join(connect("writer"));
    for _ in 0..4 {
        world.send(writer, publish("t/closed", b""));
    }
    assert_eq!((world.hears(all).len(), world.hears(few).len()), (4, 0));
}

#[test]
fn unsubscribing_from_what_is_not_permitted_leaves_the_subscription() {
    let mut world = World::new();
    let client = world.join(connect("reader"));
    world.send(client, subscribe(1, &[("t", 1)]));
    world.with_shards(|shard, _, _| {
        shard.set_permit("reader", Permit::nothing());
    });
    world.hears(client);
    world.send(client, unsubscribe(2, &["t"]));
    assert_eq!(world.hears(client), ["UNSUBACK 2 [87]"]);
    assert_eq!(world.counters().subscriptions, 1);
}

#[test]
fn retained_messages_come_only_to_whom_may_receive_them() {
    let mut world = World::new();
    let writer = world.join(connect("writer"));
    world.send(writer, retain("open", b"1"));
    world.send(writer, retain("closed", b"2"));
    let some = permit(&[(Grant::Deny, "closed"), (Grant::Read, "#")]);
    let client = world.join(connect("reader").permitted(some));
    world.hears(client);
    world.send(client, subscribe(1, &[("+", 0)]));
    assert_eq!(world.hears(client), ["SUBACK 1 [00]", "PUBLISH open q0 retain '1'"]);
}

#[test]
fn a_retained_message_whose_source_may_no_longer_publish_it_is_not_sent() {
    for checks in [true, false] {
        let settings = Settings { checks_retain_source: checks, ..Settings::new(Dialect::NATIVE) };
        let mut world = World::with(settings);
        let rules = |user: &str| {
            let filter = TopicFilter::parse("t", &Limits::default()).expect("a legal filter");
            let who = Who::User(user.into());
            let entry = Entry { line: 1, who, grant: Grant::Write, filter };
            vec![Arc::new(Access::default().with_acl(Acl::new([entry])))]
        };
        world.node.set_accesses(rules("alice"));
        let writer = world.join(connect("writer").username("alice"));
        world.send(writer, retain("t", b"1"));
        world.cut(writer);
        let mut bring = |id: &str| {
            let client = world.join(connect(id));
            world.send(client, subscribe(1, &[("t", 0)]));
            world.hears(client).len() - 2
        };
        assert_eq!(bring("before"), 1);
        world.node.set_accesses(rules("bob"));
        let client = world.join(connect("after"));
        world.send(client, subscribe(1, &[("t", 0)]));
        assert_eq!(world.hears(client).len() - 2, usize::from(!checks));
    }
}

/// The Client of the retained message below may publish it, or only others may.
fn only(user: &str) -> Vec<Arc<Access>> {
    let filter = TopicFilter::parse("t", &Limits::default()).expect("a legal filter");
    let entry = Entry { line: 1, who: Who::User(user.into()), grant: Grant::Write, filter };
    vec![Arc::new(Access::default().with_acl(Acl::new([entry])))]
}

#[test]
fn who_published_a_retained_message_is_known_after_a_restart() {
    for (has_checkpoint, qos) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
        let mut world = World::logged(Settings::new(Dialect::MOSQUITTO), 1);
        world.node.set_accesses(only("alice"));
        let writer = world.join(connect("writer").username("alice"));
        for payload in ["older", "newer"] {
            let Packet::Publish(publish) = publish_qos("t", payload.as_bytes(), qos, 1) else { continue };
            world.send(writer, Packet::Publish(Publish { retain: true, ..publish }));
        }
        world.send(writer, publish_qos("sync", b"", 1, 2));
        if has_checkpoint {
            world.journal().begin_checkpoint();
            world.settle();
        }
        world.crash();
        for (user, comes) in [("alice", 1), ("bob", 0)] {
            world.node.set_accesses(only(user));
            let client = world.join(connect("reader"));
            world.hears(client);
            world.send(client, subscribe(1, &[("t", 0)]));
            assert_eq!(world.hears(client).len(), 1 + comes, "{user} {has_checkpoint} {qos}");
        }
    }
}

#[test]
fn a_new_permit_holds_at_once_connected_or_not() {
    let mut world = World::new();
    let client = world.join(connect("reader").kept(60));
    world.send(client, subscribe(1, &[("t/#", 1)]));
    let writer = world.join(connect("writer"));
    world.send(writer, publish_qos("t/1", b"1", 1, 1));
    world.send(client, puback(1));
    world.hush();
    let some = permit(&[(Grant::Deny, "t/1"), (Grant::Read, "#")]);
    world.at_home_of("reader", |shard, _, _| assert!(shard.set_permit("reader", some)));
    world.send(writer, publish_qos("t/1", b"2", 1, 2));
    world.send(writer, publish_qos("t/2", b"3", 1, 3));
    assert_eq!(world.hears(client), ["PUBLISH t/2 q1 #2 '3'"]);
    world.send(client, puback(2));
    world.cut(client);
    world.send(writer, publish_qos("t/1", b"4", 1, 4));
    world.send(writer, publish_qos("t/2", b"5", 1, 5));
    assert_eq!(world.counters().ledger.stored, 1);
    world.at_home_of("reader", |shard, _, _| assert!(shard.set_permit("reader", Permit::everything())));
    world.send(writer, publish_qos("t/1", b"6", 1, 6));
    assert_eq!(world.counters().ledger.stored, 2);
}

#[test]
fn what_was_queued_before_the_rules_changed_is_dropped_and_booked_when_it_could_be_sent() {
    let mut world = World::new();
    let client = world.join(connect("reader").kept(60));
    world.send(client, subscribe(1, &[("t/#", 1)]));
    world.cut(client);
    let writer = world.join(connect("writer"));
    world.send(writer, publish_qos("t/1", b"1", 1, 1));
    world.send(writer, publish_qos("t/2", b"2", 1, 2));
    let some = permit(&[(Grant::Deny, "t/1"), (Grant::Read, "#")]);
    let back = world.join(connect("reader").kept(60).permitted(some));
    assert_eq!(world.hears(back)[1..], ["PUBLISH t/2 q1 #2 '2'"]);
    let ledger = world.counters().ledger;
    assert_eq!((ledger.accepted, ledger.dropped_denied, ledger.in_flight), (2, 1, 1));
}

#[test]
fn everybody_is_judged_by_new_rules_and_some_must_go() {
    let mut world = World::new();
    let terms = Terms { listener: 3, ..Terms::default() };
    let clients = ["one", "two"].map(|id| {
        let dying = connect(id).username(id).under(terms.clone());
        world.join(dying.will("will", b"", QoS::AtMostOnce, false, 0))
    });
    let hearer = reader(&mut world, "hearer", "#");
    world.hush();
    let mut judged = Vec::new();
    world.with_shards(|shard, now, out| {
        shard.repermit(now, out, |client_id, username, terms| {
            judged.push((client_id.to_owned(), username.map(str::to_owned), terms.listener));
            match username {
                Some("one") => Verdict::Permit(Permit::nothing()),
                Some("two") => {
                    Verdict::Kick(Violation::new(ReasonCode::AdministrativeAction, "the rules changed"))
                }
                _ => Verdict::Keep,
            }
        });
    });
    judged.sort();
    let own = |id: &str| (id.to_owned(), Some(id.to_owned()), 3);
    assert_eq!(judged, [("hearer".to_owned(), None, 0), own("one"), own("two")]);
    world.send(clients[0], publish_qos("t", b"", 1, 1));
    assert!(world.hears(clients[0])[0].starts_with("PUBACK 1 87"));
    let heard = world.hears(clients[1]);
    assert!(heard[0].starts_with("DISCONNECT 98"), "{heard:?}");
    assert!(world.hears(hearer).is_empty(), "its Will is discarded");
}

#[test]
fn a_client_is_disconnected_with_or_without_its_will() {
    for with_will in [true, false] {
        let mut world = World::new();
        let hearer = reader(&mut world, "hearer", "#");
        let client = world.join(connect("client").will("will", b"x", QoS::AtMostOnce, false, 0));
        let why = Violation::new(ReasonCode::AdministrativeAction, "because");
        assert!(world.at_home_of("client", |shard, now, out| {
            shard.kick("client", why.clone(), with_will, now, out)
        }));
        assert!(world.is_closed(client));
        assert_eq!(world.hears(hearer).len(), usize::from(with_will));
        assert!(!world.at_home_of("client", |shard, now, out| shard.kick("client", why, true, now, out)));
    }
}

#[test]
fn what_clients_ask_of_the_node_leaves_through_the_outbox_and_is_answered_to_one() {
    let mut settings = Settings::new(Dialect::MOSQUITTO);
    settings.takes_control = true;
    let mut world = World::with(settings);
    let hearer = reader(&mut world, "hearer", "$CONTROL/#");
    let admin = world.join(connect("admin").username("root"));
    world.hears(admin);
    world.send(admin, publish_qos("$CONTROL/dynamic-security/v1", b"{}", 1, 1));
    assert_eq!(world.hears(admin), ["PUBACK 1"]);
    let asked = world.controls();
    assert_eq!(asked.len(), 1);
    assert_eq!((&*asked[0].client_id, asked[0].username.as_deref()), ("admin", Some("root")));
    assert_eq!((&*asked[0].topic, &*asked[0].payload), ("$CONTROL/dynamic-security/v1", &b"{}"[..]));
    let sent = world.at_home_of("admin", |shard, now, out| {
        shard.send_to("admin", "$CONTROL/dynamic-security/v1/response", b"ok", now, out)
    });
    assert!(sent);
    assert_eq!(world.hears(admin), ["PUBLISH $CONTROL/dynamic-security/v1/response q0 'ok'"]);
    assert!(world.hears(hearer).is_empty());
    assert!(!world.at_home_of("nobody", |shard, now, out| shard.send_to("nobody", "t", b"", now, out)));
}

#[test]
fn a_qos_2_question_is_asked_once_however_often_it_comes() {
    let mut settings = Settings::new(Dialect::NATIVE);
    settings.takes_control = true;
    let mut world = World::with(settings);
    let admin = world.join(connect("admin").kept(60));
    world.hears(admin);
    world.send(admin, publish_qos("$CONTROL/x", b"", 2, 1));
    world.send(admin, publish_qos("$CONTROL/x", b"", 2, 1));
    world.send(admin, pubrel(1));
    assert_eq!(world.hears(admin), ["PUBREC 1", "PUBREC 1", "PUBCOMP 1"]);
    assert_eq!(world.controls().len(), 1);
}

#[test]
fn without_anybody_to_listen_control_is_refused() {
    let mut world = World::new();
    let client = world.join(connect("client"));
    world.hears(client);
    world.send(client, publish_qos("$CONTROL/x", b"", 1, 1));
    assert!(world.hears(client)[0].starts_with("PUBACK 1 87"));
    assert!(world.controls().is_empty());
}
