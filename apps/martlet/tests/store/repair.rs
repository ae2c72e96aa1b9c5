//! A repair takes out what is damaged and nothing else, and asks before.

use std::fs;

use martlet_harness::QoS;
use martlet_packet::Packet;

use crate::support::{
    LONG, contents, cut, damage, fill, filled, folder, kept, long, run, segments, start, steady,
};

#[test]
fn nothing_is_changed_that_nobody_agreed_to() {
    let folder = folder();
    let broker = start(folder.path());
    fill(&broker);
    let cut = cut(folder.path());
    damage(cut.path(), "second");
    let before = contents(cut.path());
    let said = run(cut.path(), &["repair"]);
    assert!(!said.is_success);
    steady(
        || insta::assert_snapshot!(said.err, @"martlet: nobody is there to be asked, so nothing was changed. To take out what is named above, say --yes"),
    );
    assert!(before == contents(cut.path()));
}

#[test]
fn a_broker_starts_on_what_is_left_and_has_everything_else() {
    let folder = folder();
    let broker = start(folder.path());
    fill(&broker);
    let cut = cut(folder.path());
    damage(cut.path(), "second");
    let said = run(cut.path(), &["repair", "--yes"]);
    assert!(said.is_success, "{said:?}");
    steady(|| {
        insta::assert_snapshot!(said.out, @r#"
    segment [n], byte [n]: records are missing, positions [n] to [n]: a frame cannot be read that had been on the disk
      concerns  client "other", client "reader"
      cure      bring back a copy of the store; or `martlet store repair`, which keeps everything else

    without a copy of the store is lost:
      client "other": records in 1 gap
      client "reader": records in 1 gap

    read 256.00 KiB of log in [n] frames, and 4 messages that somebody needs: damaged, a broker does not start on it

    segment [n], byte [n]: positions [n] to [n] taken out; as it was: quarantine/00000001-1.seg

    note: positions [n] to [n] were taken out by a repair
    read 256.00 KiB of log in [n] frames, and 4 messages that somebody needs: sound
    "#)
    });
    assert_eq!(fs::read_dir(cut.path().join("quarantine")).unwrap().count(), 1);

    let broker = start(cut.path());
    let mut reader = kept(&broker, "reader");
    for (topic, payload) in [("t/a", "first"), ("t/b", "third"), ("t/retained", "kept")] {
        assert_eq!(reader.receives(topic), payload.as_bytes());
    }
    let mut newcomer = broker.client("newcomer").connects().subscribes("t/retained", QoS::AtLeastOnce);
    assert_eq!(newcomer.receives("t/retained"), b"kept");
    reader.pings();
}

#[test]
fn a_sound_store_is_not_repaired() {
    let folder = filled();
    let before = contents(folder.path());
    let said = run(folder.path(), &["repair", "--yes"]);
    assert!(said.is_success);
    steady(|| {
        insta::assert_snapshot!(said.out, @r#"
    read 256.00 KiB of log in [n] frames, and 5 messages that somebody needs: sound
    There is nothing to take out: a broker starts on this store. Nothing was changed.
    "#)
    });
    assert!(before == contents(folder.path()));
}

#[test]
fn a_message_alone_is_no_reason_to_repair() {
    let folder = filled();
    damage(folder.path(), "third");
    let before = contents(folder.path());
    assert!(run(folder.path(), &["repair", "--yes"]).is_success, "a broker starts on it");
    assert!(before == contents(folder.path()));
    let broker = start(folder.path());
    let mut reader = kept(&broker, "reader");
    for (topic, payload) in [("t/a", "first"), ("t/a", "second"), ("t/retained", "kept")] {
        assert_eq!(reader.receives(topic), payload.as_bytes());
    }
}

#[test]
fn without_a_segment_the_rest_of_a_queue_comes_in_its_order() {
    let folder = long();
    fs::remove_file(&segments(folder.path())[1]).unwrap();
    let said = run(folder.path(), &["repair", "--yes"]);
    assert!(said.is_success, "{said:?}");
    let left = run(folder.path(), &["stat", "--json"]).json()["queues"][0]["messages"].as_u64().unwrap();
    assert_eq!(left, LONG as u64, "what is lost is counted as dropped by the broker, not in silence");
    let exported = run(folder.path(), &["export"]).lines();
    assert!(exported.len() < LONG && exported.len() > LONG / 3, "{}", exported.len());

    let broker = start(folder.path());
    let mut reader = kept(&broker, "reader");
    for line in exported {
        assert_eq!(reader.receives("t"), line["payload"].as_str().unwrap().as_bytes());
    }
    reader.pings();
}
#[test]
fn what_was_not_delivered_is_still_there_when_what_was_delivered_before_it_is_damaged() {
    let folder = folder();
    let broker = start(folder.path());
    kept(&broker, "reader").subscribes("t", QoS::AtLeastOnce).disconnects();
    let mut writer = broker.client("writer").connects();
    for payload in ["first", "second", "third"] {
        writer.publishes("t", payload.as_bytes(), QoS::AtLeastOnce);
    }
    let mut reader = kept(&broker, "reader");
    for payload in ["first", "second"] {
        assert_eq!(reader.receives("t"), payload.as_bytes());
    }
    assert!(matches!(reader.expects().packet(), Packet::Publish(_)), "the third is sent, and not answered");
    reader.pings();
    writer.publishes("t", b"fourth", QoS::AtLeastOnce);
    let cut = cut(folder.path());
    damage(cut.path(), "first");
    assert!(run(cut.path(), &["repair", "--yes"]).is_success);
    let left: Vec<_> =
        run(cut.path(), &["export"]).lines().iter().map(|line| line["payload"].clone()).collect();
    assert!(left.ends_with(&["third".into(), "fourth".into()]), "{left:?}");
}
