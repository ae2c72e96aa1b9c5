//! Measures what one PUBLISH costs to find, to decode and to encode: `cargo run --release --example speed`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it measures, and prints what it measured"
)]

use std::hint::black_box;
use std::time::Instant;

use martlet_packet::{
    Packet, PacketId, PropertiesBuf, Property, Publish, PublishQoS, Version, decode, frame,
};

const ROUNDS: u32 = 2_000_000;
const SAMPLES: usize = 9;

fn main() {
    let payload = [b'x'; 64];
    let mut properties = PropertiesBuf::default();
    properties.push(Property::ContentType("text/plain")).push(Property::UserProperty("unit", "celsius"));
    let qos0 = Publish::new("sensors/7/temperature", &payload);
    let qos1 = Publish { qos: PublishQoS::AtLeastOnce(PacketId::FIRST), ..qos0.clone() };
    let rich = Publish { properties: properties.as_properties(), message_expiry: Some(60), ..qos1.clone() };
    println!("{:<28} {:>8} {:>8} {:>8}", "ns per PUBLISH", "frame", "decode", "encode");
    for (name, publish, version) in [
        ("3.1.1, QoS 0", &qos0, Version::V3_1_1),
        ("3.1.1, QoS 1", &qos1, Version::V3_1_1),
        ("5.0, QoS 0", &qos0, Version::V5),
        ("5.0, QoS 1", &qos1, Version::V5),
        ("5.0, QoS 1, 3 properties", &rich, Version::V5),
    ] {
        measure(name, publish, version);
    }
}

fn measure(name: &str, publish: &Publish<'_>, version: Version) {
    let mut bytes = Vec::new();
    publish.encode(version, &mut bytes);
    let whole = frame(&bytes, u32::MAX).expect("valid").expect("whole");
    let frame_ns = median(|| {
        black_box(frame(black_box(&bytes), u32::MAX)).expect("valid");
    });
    let decode_ns = median(|| {
        match decode(black_box(version), black_box(whole)) {
            Ok(Packet::Publish(publish)) => black_box((publish.qos, publish.topic, publish.payload)),
            other => panic!("{other:?}"),
        };
    });
    let mut out = Vec::with_capacity(4096);
    let encode_ns = median(|| {
        if out.len() > 3000 {
            out.clear();
        }
        black_box(publish).encode(black_box(version), &mut out);
    });
    println!("{name:<28} {frame_ns:>8.1} {decode_ns:>8.1} {encode_ns:>8.1}");
}

/// The median of some samples, in nanoseconds a call.
fn median(mut call: impl FnMut()) -> f64 {
    let mut samples: Vec<f64> = (0..SAMPLES)
        .map(|_| {
            let start = Instant::now();
            (0..ROUNDS).for_each(|_| call());
            start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS)
        })
        .collect();
    samples.sort_by(f64::total_cmp);
    samples[SAMPLES / 2]
}
