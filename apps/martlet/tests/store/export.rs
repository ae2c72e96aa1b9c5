//! Everything that is kept comes out, in the order in which it would be sent.

use martlet_harness::QoS;
use martlet_packet::{Packet, PacketId, PropertiesBuf, Property, Publish, PublishQoS};
use serde_json::{Value, json};

use crate::support::{damage, filled, folder, kept, run, start, stop};

#[test]
fn everything_that_is_kept_comes_out_in_its_order() {
    let folder = filled();
    let said = run(folder.path(), &["export"]);
    assert!(said.is_success, "{said:?}");
    let lines = said.lines();
    let short: Vec<Value> = lines
        .iter()
        .map(|line| json!([line["client"], line["topic"], line["qos"], line["retain"], line["payload"]]))
        .collect();
    assert_eq!(
        short,
        [
            json!([null, "t/retained", 1, true, "kept"]),
            json!([null, "later", 1, false, "not yet"]),
            json!(["other", "t/a", 2, false, "first"]),
            json!(["other", "t/a", 2, false, "second"]),
            json!(["reader", "t/a", 1, false, "first"]),
            json!(["reader", "t/a", 1, false, "second"]),
            json!(["reader", "t/b", 1, false, "third"]),
            json!(["reader", "t/retained", 1, false, "kept"]),
        ]
    );
    assert!(lines[1]["due"].is_u64() && lines[0].get("due").is_none());
}

#[test]
fn bytes_properties_and_expiry_come_out_as_well() {
    let folder = folder();
    let broker = start(folder.path());
    kept(&broker, "reader").subscribes("t", QoS::AtLeastOnce).disconnects();
    let mut writer = broker.client_v5("writer").connects();
    let pairs = [
        Property::ContentType("a/b"),
        Property::CorrelationData(&[255, 0]),
        Property::UserProperty("k", "v"),
    ];
    let properties = PropertiesBuf::from_iter(pairs);
    let publish = Publish {
        qos: PublishQoS::AtLeastOnce(PacketId::FIRST),
        properties: properties.as_properties(),
        message_expiry: Some(3600),
        ..Publish::new("t", &[0, 159, 146, 150])
    };
    writer.sends(&Packet::Publish(publish));
    assert!(matches!(writer.expects().packet(), Packet::PubAck(_)));
    stop(broker);
    let line = run(folder.path(), &["export"]).lines().remove(0);
    assert_eq!(line["payload_base64"], "AJ+Slg==");
    assert!(line.get("payload").is_none());
    assert_eq!(
        line["properties"],
        json!({ "content_type": "a/b", "correlation_data_base64": "/wA=", "user_properties": [["k", "v"]] })
    );
    let left = line["expires"].as_u64().unwrap() - now();
    assert!((3_500_000..=3_600_000).contains(&left), "{left}");
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_comes_out() {
    let folder = filled();
    damage(folder.path(), "first");
    let said = run(folder.path(), &["export"]);
    assert!(!said.is_success);
    assert_eq!(said.lines().len(), 6);
    let complaints: Vec<_> = said.err.lines().collect();
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(complaints[0].starts_with("martlet: a message for \"other\" is left out"), "{complaints:?}");
    assert!(complaints[1].starts_with("martlet: a message for \"reader\" is left out"), "{complaints:?}");
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
