//! Steps of any kind, in any order, with limits small enough to be met.

use martlet_packet::{QoS, Version};
use martlet_session::{Overflow, QueueLimits, ReadAhead, SendLimits};
use proptest::prelude::*;
use proptest::sample::select;

use crate::parts::{Answer, Message, Terms};

/// One step: what happens in one turn, or time, or the subscriber's socket.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Turn { published: Vec<Message>, answers: Vec<Answering>, end: Option<End> },
    Pass { millis: u64 },
    Deafen,
    Undeafen,
}

#[derive(Debug, Clone)]
pub(crate) enum Answering {
    /// The one that is expected for some copy.
    Right { choice: usize, is_error: bool },
    /// Any, for any identifier.
    Any { answer: Answer, id: u16, is_error: bool },
}

/// How a Network Connection ends; by another one, for instance.
#[derive(Debug, Clone)]
pub(crate) enum End {
    Cut,
    Leave { expiry: Option<u32> },
    Connect(Terms),
}

#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) queue: QueueLimits,
    pub(crate) send: SendLimits,
    pub(crate) granted: QoS,
    pub(crate) is_log_backwards: bool,
    pub(crate) log_delay: u64,
    pub(crate) first: Terms,
}

pub(crate) fn given() -> impl Strategy<Value = Given> {
    let overflow = select(vec![Overflow::DropNewest, Overflow::DropOldest]);
    let queue = (1..5_usize, select(vec![usize::MAX, 600, 4_000]), overflow)
        .prop_map(|(messages, bytes, overflow)| QueueLimits::new(messages, bytes, overflow));
    let send = (1..5_u16, select(vec![1 << 20, 30, 200]), select(vec![1 << 20, 60])).prop_map(
        |(in_flight, ahead_bytes, qos0_bytes)| SendLimits {
            in_flight_bytes: usize::MAX,
            in_flight,
            ahead_bytes,
            qos0_bytes,
            read_ahead: ReadAhead::DEFAULT,
        },
    );
    let granted =
        prop_oneof![6 => Just(QoS::ExactlyOnce), 1 => Just(QoS::AtLeastOnce), 1 => Just(QoS::AtMostOnce)];
    (queue, send, granted, any::<bool>(), 1..4_u64, terms()).prop_map(
        |(queue, send, granted, is_log_backwards, log_delay, first)| Given {
            queue,
            send,
            granted,
            is_log_backwards,
            log_delay,
            first,
        },
    )
}

fn terms() -> impl Strategy<Value = Terms> {
    let receive_maximum = prop_oneof![3 => 1..5_u16, 1 => Just(u16::MAX)];
    let maximum_packet_size = proptest::option::weighted(0.3, 12..60_u32);
    let v5 = (prop::bool::weighted(0.2), expiry(), receive_maximum, maximum_packet_size).prop_map(
        |(clean_start, expiry, receive_maximum, maximum_packet_size)| Terms {
            version: Version::V5,
            clean_start,
            expiry,
            receive_maximum,
            maximum_packet_size,
        },
    );
    let v3 = prop::bool::weighted(0.3).prop_map(|clean_start| Terms {
        version: Version::V3_1_1,
        clean_start,
        expiry: if clean_start { 0 } else { u32::MAX },
        receive_maximum: u16::MAX,
        maximum_packet_size: None,
    });
    prop_oneof![4 => v5, 1 => v3]
}

fn expiry() -> impl Strategy<Value = u32> {
    prop_oneof![1 => Just(0_u32), 2 => 1..10_u32, 2 => Just(u32::MAX)]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let turn = (
        prop::collection::vec(message(), 0..4),
        prop::collection::vec(answering(), 0..4),
        proptest::option::weighted(0.2, end()),
    );
    prop_oneof![
        16 => turn.prop_map(|(published, answers, end)| Step::Turn { published, answers, end }),
        2 => (1..4_000_u64).prop_map(|millis| Step::Pass { millis }),
        1 => Just(Step::Deafen),
        1 => Just(Step::Undeafen),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let qos = select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]);
    let length = prop_oneof![8 => 0..50_usize, 1 => 2_000..2_100_usize];
    (qos, proptest::option::weighted(0.3, 0..5_u32), length, any::<u8>())
        .prop_map(|(qos, expiry, length, byte)| Message { qos, expiry, payload: vec![byte; length] })
}

fn answering() -> impl Strategy<Value = Answering> {
    let is_error = || prop::bool::weighted(0.15);
    let answer = select(vec![Answer::PubAck, Answer::PubRec, Answer::PubComp]);
    prop_oneof![
        8 => (any::<usize>(), is_error()).prop_map(|(choice, is_error)| Answering::Right { choice, is_error }),
        1 => (answer, 1..12_u16, is_error())
            .prop_map(|(answer, id, is_error)| Answering::Any { answer, id, is_error }),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        1 => Just(End::Cut),
        1 => proptest::option::of(expiry()).prop_map(|expiry| End::Leave { expiry }),
        4 => terms().prop_map(End::Connect),
    ]
}
