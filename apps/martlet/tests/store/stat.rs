//! The figures are those of what was put in.

use martlet_harness::QoS;
use serde_json::json;

use crate::support::{cut, fill, filled, folder, kept, run, start, steady};

#[test]
fn figures_are_those_of_what_was_put_in() {
    let folder = filled();
    let stat = run(folder.path(), &["stat", "--json"]).json();
    assert_eq!(stat["format"], 1);
    assert_eq!(stat["sessions"], json!({ "connected": 0, "absent": 2 }));
    assert_eq!(stat["waiting"]["messages"], 4 + 2, "four for one, two of them for the other too");
    assert_eq!(stat["in_flight"], 0);
    assert_eq!(stat["retained"]["messages"], 1);
    assert_eq!(stat["delayed"]["messages"], 1);
    assert_eq!(stat["live_messages"], 4 + 1, "a message for two, or queued and retained, is one");
    let queues = stat["queues"].as_array().unwrap();
    let named: Vec<_> = queues.iter().map(|queue| (&queue["client"], &queue["messages"])).collect();
    assert_eq!(named, [(&json!("reader"), &json!(4)), (&json!("other"), &json!(2))]);
    assert_eq!((&stat["oldest"]["client"], &stat["oldest"]["other_clients"]), (&json!("reader"), &json!(1)));
    assert_eq!(stat["oldest"]["topic"], "t/a");
}

#[test]
fn a_log_that_was_cut_off_has_the_same_figures_and_knows_who_was_connected() {
    let folder = folder();
    let broker = start(folder.path());
    fill(&broker);
    let mut reader = kept(&broker, "reader");
    // Whoever gets this has been sent all that fits.
    assert_eq!(reader.receives("t/a"), b"first");
    let _third = kept(&broker, "third").subscribes("x", QoS::AtLeastOnce);
    let cut = cut(folder.path());
    let stat = run(cut.path(), &["stat", "--json"]).json();
    assert_eq!(stat["sessions"], json!({ "connected": 2, "absent": 1 }));
    assert_eq!(stat["start"]["begins_at_checkpoint"], false);
    assert_eq!(stat["queues"][0]["connected"], true);
    assert_eq!(stat["retained"]["messages"], 1);
    assert_eq!(stat["delayed"]["messages"], 1);
}

#[test]
fn people_read_who_holds_what() {
    let folder = filled();
    steady(|| {
        insta::assert_snapshot!(run(folder.path(), &["stat"]).out, @r#"
    [folder]: format 1, made [time]

    on disk    [bytes]: 256.00 KiB in 1 segment
               [bytes] set aside for [n] more
    live       91 B in 5 messages
    dead       [bytes]
    a start    reads [bytes] from the newest checkpoint on
    sessions   2: 0 connected when the log ended, 2 not
    waiting    6 messages, 104 B
    retained   1 message, 22 B
    delayed    1 message, 20 B, the next due [time], [in a while]
    oldest     waits for "reader" and 1 other
               topic t/a
               written [time], [ago] (segment [n], byte [n])

         waiting    in flight        bytes   oldest  client
               4            0         71 B [age]  "reader" (not connected)
               2            0         33 B [age]  "other" (not connected)
    "#)
    });
}
