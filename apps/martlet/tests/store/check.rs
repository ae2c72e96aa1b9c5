//! What is damaged is found and named, and what is not is not.

use serde_json::json;

use crate::support::{
    LONG, LONG_BYTES, SEGMENT, cut, damage, fill, filled, folder, long, run, segments, start, steady,
};

#[test]
fn a_store_in_good_order_is_sound() {
    let folder = filled();
    let said = run(folder.path(), &["check"]);
    assert!(said.is_success, "{said:?}");
    steady(
        || insta::assert_snapshot!(said.out, @"read 256.00 KiB of log in [n] frames, and 5 messages that somebody needs: sound"),
    );
}

#[test]
fn a_message_that_decayed_is_found_and_those_who_wait_for_it_are_named() {
    let folder = filled();
    damage(folder.path(), "first");
    let said = run(folder.path(), &["check"]);
    assert!(!said.is_success);
    steady(|| {
        insta::assert_snapshot!(said.out, @r#"
    segment [n], byte [n]: a message is not what was written
      concerns  client "other", client "reader"
      cure      bring back a copy of the store; without one the broker passes over the message and counts it as dropped

    without a copy of the store is lost:
      client "other": 1 message
      client "reader": 1 message

    read 256.00 KiB of log in [n] frames, and 5 messages that somebody needs: damaged, a broker starts on it without what is named above
    "#)
    });
    let checked = run(folder.path(), &["check", "--json"]).json();
    assert_eq!((&checked["sound"], &checked["needs_repair"]), (&json!(false), &json!(false)));
    assert_eq!(checked["problems"].as_array().unwrap().len(), 1, "{checked}");
    assert_eq!(checked["problems"][0]["clients"], json!(["other", "reader"]));
    assert_eq!(checked["problems"][0]["segment"], 1);
}

#[test]
fn a_retained_message_that_decayed_is_named_by_its_topic() {
    let folder = filled();
    damage(folder.path(), "kept");
    let checked = run(folder.path(), &["check", "--json"]).json();
    assert_eq!(checked["problems"][0]["retained"], json!(["t/retained"]));
    assert_eq!(checked["problems"][0]["clients"], json!(["reader"]));
}

#[test]
fn records_that_decayed_in_the_log_are_found_and_their_clients_are_named() {
    let folder = folder();
    let broker = start(folder.path());
    fill(&broker);
    let cut = cut(folder.path());
    damage(cut.path(), "second");
    let said = run(cut.path(), &["check"]);
    assert!(!said.is_success);
    steady(|| {
        insta::assert_snapshot!(said.out, @r#"
    segment [n], byte [n]: records are missing, positions [n] to [n]: a frame cannot be read that had been on the disk
      concerns  client "other", client "reader"
      cure      bring back a copy of the store; or `martlet store repair`, which keeps everything else

    without a copy of the store is lost:
      client "other": records in 1 gap
      client "reader": records in 1 gap

    read 256.00 KiB of log in [n] frames, and 4 messages that somebody needs: damaged, a broker does not start on it
    "#)
    });
    assert_eq!(run(cut.path(), &["check", "--json"]).json()["needs_repair"], true);
    // The others say where to find out more.
    let said = run(cut.path(), &["stat"]);
    assert!(!said.is_success);
    steady(|| {
        insta::assert_snapshot!(said.err, @r#"
    martlet: the store in [folder] is damaged in segment [n], byte [n]: a frame cannot be read that had been on the disk. See all of it, and whom it concerns:
      martlet store check --data-dir [folder]
    "#)
    });
}

#[test]
fn several_gaps_are_found_at_once_each_with_its_clients() {
    let folder = folder();
    let broker = start(folder.path());
    fill(&broker);
    let cut = cut(folder.path());
    damage(cut.path(), "first");
    damage(cut.path(), "third");
    let checked = run(cut.path(), &["check", "--json"]).json();
    let clients: Vec<_> =
        checked["problems"].as_array().unwrap().iter().map(|problem| &problem["clients"]).collect();
    assert_eq!(clients, [&json!(["other", "reader"]), &json!(["reader"])]);
}

#[test]
fn a_segment_that_is_missing_is_named_with_all_that_was_in_it() {
    let folder = long();
    std::fs::remove_file(&segments(folder.path())[0]).unwrap();
    let checked = run(folder.path(), &["check", "--json"]).json();
    let problems = checked["problems"].as_array().unwrap();
    let stops: Vec<_> = problems.iter().filter(|problem| problem["stops_start"] == true).collect();
    assert_eq!(stops.len(), 1, "{checked}");
    assert_eq!((&stops[0]["segment"], &checked["needs_repair"]), (&json!(1), &json!(true)));
    let messages: Vec<_> =
        problems.iter().filter(|problem| problem["clients"] == json!(["reader"])).collect();
    assert_eq!(messages.len() + 1, problems.len());
    let least = SEGMENT as usize / LONG_BYTES - 10;
    assert!((least..LONG).contains(&messages.len()), "{} messages were in it", messages.len());
    assert!(messages.iter().all(|problem| problem["segment"] == 1));
}
