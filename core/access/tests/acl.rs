//! What the lines of an access control file allow, by hand and against a slow and obvious oracle.

use martlet_access::{Access, Acl, Decision, Entry, Grant, Origin, Permit, Refusal, Who};
use martlet_topic::{Limits, SubscriptionFilter, TopicFilter, TopicName};
use proptest::prelude::*;

fn filter(text: &str) -> TopicFilter {
    TopicFilter::parse(text, &Limits::default()).expect("a legal filter")
}

fn name(text: &str) -> TopicName<'_> {
    TopicName::parse(text, &Limits::default()).expect("a legal name")
}

fn entry(line: u32, who: Who, grant: Grant, text: &str) -> Entry {
    Entry { line, who, grant, filter: filter(text) }
}

fn alice() -> Who {
    Who::User("alice".into())
}

fn access(entries: &[Entry]) -> Access {
    Access::default().with_acl(Acl::new(entries.iter().cloned()))
}

fn pattern(text: &str) -> Access {
    access(&[entry(1, Who::Pattern, Grant::ReadWrite, text)])
}

#[track_caller]
fn assert_publishes(permit: &Permit, yes: &[&str], no: &[&str]) {
    for topic in yes {
        assert_eq!(permit.publish(name(topic)), Decision::Allow, "{topic}");
    }
    for topic in no {
        assert!(!permit.publish(name(topic)).is_allowed(), "{topic}");
    }
}

#[test]
fn without_any_rules_everything_is_allowed() {
    let permit = Access::default().permit("any", None);
    assert!(permit.is_everything());
    assert_publishes(&permit, &["a", "$SYS/a", "$CONTROL/x"], &[]);
}

#[test]
fn an_empty_file_refuses_every_message_and_no_subscription() {
    let permit = access(&[]).permit("any", Some("alice"));
    assert!(!permit.is_everything());
    assert_publishes(&permit, &[], &["a", "$SYS/a"]);
    assert_eq!(permit.receive(name("a")), Decision::Deny(Refusal::Unlisted));
    for text in ["#", "$share/g/a", "$SYS/#", "$CONTROL/dynamic-security/v1"] {
        let wanted = SubscriptionFilter::parse(text, &Limits::default()).expect("a legal filter");
        assert_eq!(permit.subscribe(&wanted), Decision::Allow);
        assert_eq!(permit.unsubscribe(&wanted), Decision::Allow);
    }
}

#[test]
fn lines_hold_for_their_user_alone() {
    let access = access(&[
        entry(1, Who::Anonymous, Grant::ReadWrite, "lobby"),
        entry(3, alice(), Grant::ReadWrite, "study"),
    ]);
    assert_publishes(&access.permit("c", None), &["lobby"], &["study"]);
    assert_publishes(&access.permit("c", Some("alice")), &["study"], &["lobby"]);
    assert_publishes(&access.permit("c", Some("bob")), &[], &["study", "lobby"]);
    assert_publishes(&access.permit("alice", Some("Alice")), &[], &["study"]);
}

#[test]
fn reading_and_writing_are_granted_apart() {
    let access = access(&[
        entry(1, alice(), Grant::Read, "r"),
        entry(2, alice(), Grant::Write, "w"),
        entry(3, alice(), Grant::ReadWrite, "rw"),
    ]);
    let permit = access.permit("c", Some("alice"));
    assert_publishes(&permit, &["w", "rw"], &["r"]);
    let received = ["r", "w", "rw"].map(|topic| permit.receive(name(topic)).is_allowed());
    assert_eq!(received, [true, false, true]);
}

#[test]
fn what_is_denied_comes_first_wherever_it_stands() {
    let access = access(&[
        entry(1, alice(), Grant::ReadWrite, "house/#"),
        entry(2, alice(), Grant::Deny, "house/safe/#"),
    ]);
    let permit = access.permit("c", Some("alice"));
    assert_publishes(&permit, &["house/door"], &["house/safe", "house/safe/code"]);
    let (origin, safe) = (Origin::Line(2), filter("house/safe/#"));
    let refusal = Refusal::Rule { origin: &origin, filter: &safe };
    assert_eq!(permit.publish(name("house/safe")), Decision::Deny(refusal));
    assert_eq!(refusal.to_string(), "line 2 of the ACL file denies house/safe/#");
}

#[test]
fn a_denying_pattern_does_not_take_what_the_users_own_lines_grant() {
    let access = access(&[entry(1, alice(), Grant::Write, "a"), entry(2, Who::Pattern, Grant::Deny, "a")]);
    assert_publishes(&access.permit("c", Some("alice")), &["a"], &[]);
    assert_publishes(&access.permit("c", Some("bob")), &[], &["a"]);
}

#[test]
fn patterns_are_filled_in_for_everybody() {
    let access = pattern("home/%u/%c/#");
    assert_publishes(
        &access.permit("c1", Some("alice")),
        &["home/alice/c1/x"],
        &["home/alice/c2/x", "home/%u/%c/x"],
    );
    assert_publishes(&access.permit("c1", None), &[], &["home//c1/x", "home/%u/c1/x"]);
    assert_publishes(&pattern("%%c/%d/%c%").permit("x", None), &["%x/%d/x%"], &["%%c/%d/%c%"]);
    // Once: what a Client calls itself is not filled in again.
    assert_publishes(&pattern("a/%c/b").permit("%u", Some("root")), &["a/%u/b"], &["a/root/b"]);
}

#[test]
fn a_part_of_a_level_is_filled_in_as_well() {
    assert_publishes(&pattern("dev-%c/x").permit("7", None), &["dev-7/x"], &["dev-8/x", "dev-%c/x"]);
}

#[test]
fn a_name_with_a_wildcard_gets_nothing_of_any_pattern() {
    for id in ["+", "#", "a+", "#a", "a/#"] {
        let access = access(&[
            entry(1, Who::Pattern, Grant::ReadWrite, "p/%c"),
            entry(2, Who::Pattern, Grant::ReadWrite, "all"),
            entry(3, alice(), Grant::ReadWrite, "own"),
        ]);
        assert_publishes(&access.permit(id, Some("alice")), &["own"], &["p/x", "p/a", "all"]);
        assert_publishes(&access.permit("c", Some(id)), &[], &["all", "p/c"]);
        assert_eq!(access.permit(id, None).publish(name("all")), Decision::Deny(Refusal::Wildcard));
    }
}

#[test]
fn a_name_with_a_slash_reaches_nobody_elses_topics() {
    let access = pattern("home/%c/#");
    assert_publishes(&access.permit("bob/private", None), &[], &["home/bob/private", "home/bob/private/x"]);
    assert_publishes(&access.permit("bob", None), &["home/bob/private/x"], &[]);
    let permit = access.permit("bob/private", None);
    assert_eq!(permit.publish(name("home/bob/private")), Decision::Deny(Refusal::NotFilledIn));
    // What is denied stays denied all the same.
    let denied = Access::default().with_acl(Acl::new([
        entry(1, Who::Pattern, Grant::Deny, "home/%c/#"),
        entry(2, Who::Pattern, Grant::ReadWrite, "home/#"),
    ]));
    assert_publishes(&denied.permit("bob/private", None), &["home/bob/x"], &["home/bob/private/x"]);
}

#[test]
fn a_name_with_a_dollar_reaches_none_of_the_nodes_topics() {
    let permit = pattern("%c/#").permit("$CONTROL", None);
    assert_publishes(&permit, &[], &["$CONTROL/dynamic-security/v1"]);
    assert_publishes(&pattern("a/%c").permit("$x", None), &["a/$x"], &[]);
}

#[test]
fn a_first_wildcard_leaves_out_dollar_names() {
    let permit = access(&[entry(1, Who::Anonymous, Grant::ReadWrite, "#")]).permit("c", None);
    assert_publishes(&permit, &["a/b"], &["$SYS/broker", "$CONTROL/x"]);
}

/// What Mosquitto 2.0 says, the long way round, for names without `/` and `$`.
fn oracle(entries: &[Entry], id: &str, username: Option<&str>, writes: bool, topic: &str) -> bool {
    let own = match username {
        None => Who::Anonymous,
        Some(username) => Who::User(username.into()),
    };
    let says = |who: &Who, grants: &[Grant]| {
        entries.iter().any(|entry| {
            let text = entry.filter.as_str();
            let needs_username = *who == Who::Pattern && text.contains("%u");
            let filled = if *who == Who::Pattern {
                text.replace("%c", id).replace("%u", username.unwrap_or_default())
            } else {
                text.to_owned()
            };
            let speaks = entry.who == *who && !(needs_username && username.is_none());
            speaks && grants.contains(&entry.grant) && matches(&filled, topic)
        })
    };
    let wanted = [if writes { Grant::Write } else { Grant::Read }, Grant::ReadWrite];
    let dangerous = |name: &str| name.contains('+') || name.contains('#');
    if says(&own, &[Grant::Deny]) {
        false
    } else if says(&own, &wanted) {
        true
    } else if dangerous(id) || username.is_some_and(dangerous) || says(&Who::Pattern, &[Grant::Deny]) {
        false
    } else {
        says(&Who::Pattern, &wanted)
    }
}

/// A Topic Filter against a Topic Name, level by level.
fn matches(filter: &str, topic: &str) -> bool {
    fn levels(filter: &[&str], topic: &[&str]) -> bool {
        match (filter, topic) {
            (["#"], _) | ([], []) => true,
            (["+", filter @ ..], [_, topic @ ..]) => levels(filter, topic),
            ([one, filter @ ..], [other, topic @ ..]) => one == other && levels(filter, topic),
            _ => false,
        }
    }
    let split = |text: &'_ str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    let (filter, topic) = (split(filter), split(topic));
    let filter: Vec<_> = filter.iter().map(String::as_str).collect();
    let topic: Vec<_> = topic.iter().map(String::as_str).collect();
    levels(&filter, &topic)
}

fn any_filter() -> impl Strategy<Value = TopicFilter> {
    let level = prop::sample::select(vec!["a", "b", "", "+", "%c", "%u", "x%c"]);
    (prop::collection::vec(level, 1..4), any::<bool>()).prop_filter_map("not empty", |(levels, multi)| {
        let text = levels.join("/") + if multi { "/#" } else { "" };
        TopicFilter::parse(&text, &Limits::default()).ok()
    })
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let who = prop::sample::select(vec![Who::Anonymous, alice(), Who::User("a".into()), Who::Pattern]);
    let grant = prop::sample::select(vec![Grant::Read, Grant::Write, Grant::ReadWrite, Grant::Deny]);
    (who, grant, any_filter()).prop_map(|(who, grant, filter)| Entry { line: 1, who, grant, filter })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn agrees_with_the_oracle(
        entries in prop::collection::vec(any_entry(), 0..8),
        id in prop::sample::select(vec!["a", "b", "alice", "+", "x#"]),
        username in prop::option::of(prop::sample::select(vec!["alice", "a", "bob", "a+"])),
        levels in prop::collection::vec(prop::sample::select(vec!["a", "b", "", "alice", "xa"]), 2..4),
    ) {
        let permit = access(&entries).permit(id, username);
        let topic = levels.join("/");
        prop_assert_eq!(permit.publish(name(&topic)).is_allowed(), oracle(&entries, id, username, true, &topic));
        prop_assert_eq!(permit.receive(name(&topic)).is_allowed(), oracle(&entries, id, username, false, &topic));
    }
}
