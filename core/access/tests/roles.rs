//! What roles allow: their order, their defaults, and what Topic Filters a pattern covers.

use std::sync::Arc;

use martlet_access::{
    Access, Acl, AclType, Decision, Defaults, Entry, Grant, Permit, Ranked, Role, RoleAcl, Roles, Who, covers,
};
use martlet_topic::{Limits, SubscriptionFilter, TopicFilter, TopicName};
use proptest::prelude::*;

const DENY_ALL: Defaults = Defaults { publish: false, receive: false, subscribe: false, unsubscribe: false };
const ALLOW_ALL: Defaults = Defaults { publish: true, receive: true, subscribe: true, unsubscribe: true };

fn acl(acl_type: AclType, topic: &str, priority: i32, allow: bool) -> RoleAcl {
    RoleAcl { acl_type, topic: topic.into(), priority, allow }
}

fn role(name: &str, acls: Vec<RoleAcl>) -> Arc<Role> {
    Arc::new(Role::new(name.into(), acls))
}

fn alice(defaults: Defaults, held: Vec<Arc<Role>>) -> Permit {
    let mut roles = Roles::new(defaults);
    roles.insert("alice".into(), held);
    Access::default().with_roles(roles).permit("c", Some("alice"))
}

fn publishes(permit: &Permit, topic: &str) -> bool {
    permit.publish(TopicName::parse(topic, &Limits::default()).expect("a legal name")).is_allowed()
}

fn receives(permit: &Permit, topic: &str) -> bool {
    permit.receive(TopicName::parse(topic, &Limits::default()).expect("a legal name")).is_allowed()
}

fn filter(text: &str) -> SubscriptionFilter {
    SubscriptionFilter::parse(text, &Limits::default()).expect("a legal filter")
}

fn subscribes(permit: &Permit, text: &str) -> bool {
    permit.subscribe(&filter(text)).is_allowed()
}

#[test]
fn a_higher_priority_speaks_first() {
    use AclType::PublishClientSend as Send;
    let held = vec![role("r", vec![acl(Send, "a/#", 1, true), acl(Send, "a/b", 5, false)])];
    let permit = alice(DENY_ALL, held);
    assert!(publishes(&permit, "a/c"));
    assert!(!publishes(&permit, "a/b"));
    assert!(!receives(&permit, "a/c"));
    let denied = permit.publish(TopicName::parse("a/b", &Limits::default()).expect("a legal name"));
    let Decision::Deny(refusal) = denied else { panic!("{denied:?}") };
    assert_eq!(refusal.to_string(), "role r denies a/b");
}

#[test]
fn of_two_alike_the_older_speaks_and_a_second_of_one_topic_is_not_taken() {
    use AclType::PublishClientSend as Send;
    let held =
        role("r", vec![acl(Send, "a/#", 0, true), acl(Send, "#", 0, false), acl(Send, "a/#", 9, false)]);
    let kept: Vec<_> = held.acls().iter().map(|acl| (&*acl.topic, acl.priority)).collect();
    assert_eq!(kept, [("a/#", 0), ("#", 0)]);
    assert!(publishes(&alice(DENY_ALL, vec![held]), "a/b"));
}

#[test]
fn roles_speak_in_their_order() {
    use AclType::PublishClientReceive as Receive;
    let open = role("open", vec![acl(Receive, "a", 0, true)]);
    let shut = role("shut", vec![acl(Receive, "a", 100, false)]);
    assert!(receives(&alice(DENY_ALL, vec![Arc::clone(&open), Arc::clone(&shut)]), "a"));
    assert!(!receives(&alice(DENY_ALL, vec![shut, open]), "a"));
}

#[test]
fn names_are_ranked_by_priority_and_then_by_their_text() {
    let mut ranked = Ranked::default();
    for (name, priority) in [("b", 1), ("z", -1), ("a", 1), ("c", 7), ("y", -1)] {
        assert!(ranked.insert(name.into(), priority));
    }
    assert!(!ranked.insert("a".into(), 9));
    let order: Vec<_> = ranked.iter().map(|(name, _)| &**name).collect();
    assert_eq!(order, ["c", "a", "b", "y", "z"]);
    assert!(ranked.remove("a"));
    assert!(!ranked.remove("a"));
}

#[test]
fn literal_filters_are_compared_as_written_and_come_first() {
    let held = vec![role(
        "r",
        vec![acl(AclType::SubscribePattern, "#", 9, true), acl(AclType::SubscribeLiteral, "a/#", 0, false)],
    )];
    let permit = alice(DENY_ALL, held);
    assert!(!subscribes(&permit, "a/#"));
    assert!(subscribes(&permit, "a/b"));
    assert!(subscribes(&permit, "$SYS/#"));
    assert!(!permit.unsubscribe(&filter("a/b")).is_allowed());
}

#[test]
fn unsubscribing_has_rules_of_its_own() {
    let held = vec![role(
        "r",
        vec![
            acl(AclType::UnsubscribeLiteral, "a", 0, true),
            acl(AclType::UnsubscribePattern, "b/#", 0, true),
        ],
    )];
    let permit = alice(DENY_ALL, held);
    for (text, expected) in [("a", true), ("b/c", true), ("c", false)] {
        assert_eq!(permit.unsubscribe(&filter(text)).is_allowed(), expected, "{text}");
        assert!(!subscribes(&permit, text));
    }
}

#[test]
fn shared_subscriptions_are_asked_as_they_are_spelt() {
    let shared =
        alice(DENY_ALL, vec![role("r", vec![acl(AclType::SubscribePattern, "$share/g/a/#", 0, true)])]);
    assert!(subscribes(&shared, "$share/g/a/b"));
    assert!(!subscribes(&shared, "a/b"));
    let plain = alice(DENY_ALL, vec![role("r", vec![acl(AclType::SubscribePattern, "a/#", 0, true)])]);
    assert!(subscribes(&plain, "a/b"));
    assert!(!subscribes(&plain, "$share/g/a/b"));
}

#[test]
fn defaults_never_open_the_control_topics() {
    let permit = alice(ALLOW_ALL, Vec::new());
    assert!(publishes(&permit, "a") && receives(&permit, "$SYS/a") && subscribes(&permit, "#"));
    let control = "$CONTROL/dynamic-security/v1";
    assert!(!publishes(&permit, control) && !receives(&permit, control) && !subscribes(&permit, control));
    let admin = role("admin", vec![acl(AclType::PublishClientSend, "$CONTROL/#", 0, true)]);
    assert!(publishes(&alice(DENY_ALL, vec![admin]), control));
}

#[test]
fn defaults_are_not_for_those_who_are_not_known() {
    let mut roles = Roles::new(ALLOW_ALL);
    roles.insert("alice".into(), []);
    let access = Access::default().with_roles(roles);
    assert!(publishes(&access.permit("c", Some("alice")), "a"));
    assert!(!publishes(&access.permit("c", Some("mallory")), "a"));
    assert!(publishes(&access.permit("c", None), "a"));
}

#[test]
fn the_anonymous_hold_the_roles_of_their_group() {
    let mut roles = Roles::new(DENY_ALL);
    roles.set_anonymous([role("guests", vec![acl(AclType::PublishClientSend, "lobby", 0, true)])]);
    let access = Access::default().with_roles(roles);
    assert!(publishes(&access.permit("c", None), "lobby"));
    assert!(!publishes(&access.permit("c", Some("alice")), "lobby"));
}

#[test]
fn what_roles_leave_open_the_file_decides() {
    let denied = role("r", vec![acl(AclType::PublishClientSend, "a", 0, false)]);
    let mut roles = Roles::new(DENY_ALL);
    roles.insert("alice".into(), [denied]);
    let all = TopicFilter::parse("#", &Limits::default()).expect("a legal filter");
    let line = Entry { line: 1, who: Who::Pattern, grant: Grant::Write, filter: all };
    let permit = Access::default().with_roles(roles).with_acl(Acl::new([line])).permit("c", Some("alice"));
    assert!(!publishes(&permit, "a"));
    assert!(publishes(&permit, "b"));
    assert!(subscribes(&permit, "b"));
}

#[test]
fn an_entry_that_is_no_filter_is_kept_and_speaks_of_nothing() {
    let odd = role("r", vec![acl(AclType::SubscribePattern, "a/#/b", 9, true)]);
    assert_eq!(odd.acls().len(), 1);
    assert!(!subscribes(&alice(DENY_ALL, vec![odd]), "a/x/b"));
}

#[test]
fn patterns_cover_the_filters_that_ask_for_no_more() {
    for (rule, yes, no) in [
        ("#", vec!["#", "+", "a/#", "$SYS/#"], vec![]),
        ("foo/+/bar", vec!["foo/x/bar", "foo/+/bar"], vec!["foo/#", "foo/+/+", "foo//baz"]),
        ("foo/+/x/#", vec!["foo/a/x", "foo/a/x/+", "foo/+/x/#"], vec!["foo/a/+/#", "foo/a/#"]),
        ("/+//#", vec!["/foo///#", "/foo/"], vec!["/foo", "//#/"]),
        ("/#", vec!["/+", "/#", "/"], vec!["+", "#", "+/#"]),
        ("+/#", vec!["#", "+", "a/#"], vec![]),
        ("+/+", vec!["a/b"], vec!["a/b/", "a", "+/#", "#"]),
        ("+", vec!["+", "a", ""], vec!["#", "/+"]),
    ] {
        yes.iter().for_each(|filter| assert!(covers(rule, filter), "{rule} covers {filter}"));
        no.iter().for_each(|filter| assert!(!covers(rule, filter), "{rule} does not cover {filter}"));
    }
}

/// A Topic Filter of few levels of two letters, so that six levels of three letters tell all of them apart.
fn any_filter() -> impl Strategy<Value = String> {
    let level = prop::sample::select(vec!["a", "b", "+"]);
    (prop::collection::vec(level, 0..4), any::<bool>()).prop_filter_map("not empty", |(mut levels, multi)| {
        levels.extend(multi.then_some("#"));
        (!levels.is_empty()).then(|| levels.join("/"))
    })
}

/// Every Topic Name of one to five levels of `a`, `b` and a third letter.
fn names() -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut last = vec![String::new()];
    for _ in 0..5 {
        last = last.iter().flat_map(|name| ["a", "b", "z"].map(|level| format!("{name}/{level}"))).collect();
        all.extend(last.iter().map(|name| name[1..].to_owned()));
    }
    all
}

proptest! {
    #[test]
    fn covering_is_matching_all_that_the_other_matches(rule in any_filter(), filter in any_filter()) {
        let parse = |text: &str| TopicFilter::parse(text, &Limits::default()).expect("a legal filter");
        let (outer, inner) = (parse(&rule), parse(&filter));
        let limits = Limits::default();
        let expected = names().iter().all(|name| {
            let name = TopicName::parse(name, &limits).expect("a legal name");
            !inner.matches(name) || outer.matches(name)
        });
        prop_assert_eq!(covers(&rule, &filter), expected, "{} and {}", rule, filter);
    }
}
