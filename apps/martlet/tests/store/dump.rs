//! The log in words has what happened, and of that what was asked for.

use std::io::Read;

use crate::support::{begin, filled, run, steady};

#[test]
fn people_read_what_happened() {
    let folder = filled();
    let kinds = ["--kind", "session", "--kind", "subscription", "--kind", "message", "--kind", "retained"];
    let said = run(folder.path(), &[&["dump", "--payloads"], &kinds[..]].concat());
    assert!(said.is_success, "{said:?}");
    steady(|| {
        insta::assert_snapshot!(said.out, @r#"
    [position] [place] [time] [shard] session of "reader" begins, kept for ever
    [position] [place] [time] [shard] "reader" subscribes to t/#, QoS 1
    [position] [place] [time] [shard] "reader" is gone, kept for ever
    [position] [place] [time] [shard] session of "other" begins, kept for ever
    [position] [place] [time] [shard] "other" subscribes to t/a, QoS 2
    [position] [place] [time] [shard] "other" is gone, kept for ever
    [position] [place] [time] [shard] message t/a, QoS 2, 5 bytes for "reader", "other": "first"
    [position] [place] [time] [shard] message t/a, QoS 2, 6 bytes for "reader", "other": "second"
    [position] [place] [time] [shard] message t/b, QoS 2, 5 bytes for "reader": "third"
    [position] [place] [time] [shard] message t/retained, QoS 1, 4 bytes for "reader": "kept"
    [position] [place] [time] [shard] retained t/retained, 22 bytes, version [n]: "kept"
    [position] [place] [time] [shard] message later, QoS 1, 7 bytes, delayed as [n] for 1000 s: "not yet"
    [position] [place] [time] [shard] retained t/retained, 22 bytes, version [n]: "kept"
    [position] [place] [time] [shard] message later, QoS 1, 7 bytes, delayed as [n] for 1000 s: "not yet"
    "#)
    });
}

#[test]
fn a_filter_leaves_what_it_names() {
    let folder = filled();
    let dump = |arguments: &[&str]| run(folder.path(), &[&["dump"], arguments].concat()).out;
    let all = dump(&[]);
    assert!(all.contains("checkpoint 1 begins") && all.contains("everything before this is on the disk"));
    let other = dump(&["--client", "other"]);
    assert!(!other.is_empty() && other.lines().all(|line| line.contains("\"other\"")), "{other}");
    let topic = dump(&["--topic", "t/b"]);
    assert!(
        topic.contains("message t/b, QoS 2, 5 bytes for \"reader\"") && !topic.contains("t/a"),
        "{topic}"
    );
    let subscriptions = dump(&["--kind", "subscription"]);
    assert_eq!(subscriptions.lines().count(), 2, "{subscriptions}");
    assert!(dump(&["--client", "nobody"]).is_empty());
    assert!(!run(folder.path(), &["dump", "--topic", "a/#/b"]).is_success);
}

#[test]
fn whoever_has_read_enough_may_leave() {
    let folder = filled();
    let mut child = begin(folder.path(), &["dump"]);
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    assert_eq!(said, "");
}
