//! Batches as bytes and back: all that is written comes back, with Messages as their places; it is short; and no other
//! bytes do harm.

use std::sync::Arc;

use martlet_packet::{PacketId, QoS, RetainHandling, SubscriptionOptions};
use martlet_record::*;
use martlet_topic::{Limits, SubscriptionFilter};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// The place of the first byte of a frame's body.
const BASE: Place = Place::new(7, 4096 + 48);

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_comes_back(batches in vec(batch(), 1..4)) {
        let mut bytes = Vec::new();
        let mut written = Vec::new();
        for batch in &batches {
            batch.encode(BASE, &mut bytes, &mut |stored| written.push(stored));
        }
        let mut read = Vec::new();
        let mut rest = bytes.as_slice();
        for batch in &batches {
            let base = BASE.plus(bytes.len() - rest.len());
            let decoded = Batch::decode(&mut rest, base, &mut |stored| read.push(stored)).unwrap();
            prop_assert_eq!((decoded.shard, decoded.number, decoded.at.wall),
                (batch.shard, batch.number, batch.at.wall));
            let records: Vec<Record> = batch.records.iter().map(as_read).collect();
            prop_assert_eq!(decoded.records, records);
        }
        prop_assert!(rest.is_empty());
        prop_assert_eq!(written, read);
    }

    /// Wherever the bytes end, and whichever of them is another.
    #[test]
    fn no_part_of_a_batch_is_one(batch in batch(), at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let mut bytes = encode(&batch);
        let cut = at.index(bytes.len());
        let mut part = &bytes[..cut];
        prop_assert!(decode(&mut part).is_err());
        prop_assert_eq!(part.len(), cut, "nothing is taken of what cannot be read");
        bytes[cut] ^= flip;
        let _ = decode(&mut bytes.as_slice());
    }

    #[test]
    fn any_bytes_do_no_harm(mut bytes in vec(any::<u8>(), 0..300), kind in 0..20_u8) {
        let _ = decode(&mut bytes.as_slice());
        // The head of a batch, so that records are reached.
        bytes.splice(0..0, [63, 1, 1, kind]);
        let _ = decode(&mut bytes.as_slice());
    }
}

#[test]
fn messages_are_written_once_and_found_where_they_are_said_to_be() {
    let message = message("a/topic", b"payload");
    let retained =
        Record::Retained { topic: "a/topic".into(), version: 9, body: Some(Arc::clone(&message).into()) };
    let batch = batch_of(vec![published(&message, 1), retained.clone()]);
    let bytes = encode(&batch);

    let stored = message.stored().expect("the batch gave it a place");
    let from = (stored.place.offset() - BASE.offset()) as usize;
    let body = &bytes[from..from + stored.len as usize];
    let read = Message::decode(body, Some(stored.place), Now::default()).expect("it is there");
    assert_eq!(read, *message);

    let text = b"payload";
    assert_eq!(bytes.windows(text.len()).filter(|window| window == text).count(), 1);
    let mut later = Vec::new();
    batch_of(vec![retained]).encode(Place::new(9, 64), &mut later, &mut |named| assert_eq!(named, stored));
    assert!(!later.windows(text.len()).any(|window| window == text));
}

/// Topic and payload apart: the body, its copy, Sent and Settled, and what encloses them when a turn has a few.
#[test]
fn a_message_of_qos_1_costs_little_beside_its_topic_and_payload() {
    const TURN: u64 = 4;
    let topic = "site/7/sensor/1234";
    let payload = [7_u8; 256];
    let first = 1_000_000;
    let publishes: Vec<_> = (0..TURN).map(|_| published(&message(topic, &payload), 1)).collect();
    let publications = publishes.len();
    let session = SessionNumber::of(ShardId::new(21), 12_345);
    let sent = vec![Record::Sent { session, up_to: Ordinal(first + TURN - 1) }];
    let settled = (0..TURN)
        .map(|more| Record::Settled { session, ordinal: Ordinal(first + more), how: Settled::Delivered })
        .collect();
    let bytes: usize =
        [publishes, sent, settled].into_iter().map(|records| encode(&batch_of(records)).len()).sum();
    let each = bytes / publications - topic.len() - payload.len();
    assert!(each <= 36, "{each} bytes, and 20 are left for the frames");
}

/// One Message to a thousand Sessions that are spread over all shards.
#[test]
fn a_further_receiver_costs_little() {
    const RECEIVERS: u64 = 1000;
    let message = message("topic", b"payload");
    let session = |n: u64| {
        let shard = u8::try_from(n * ShardId::COUNT as u64 / RECEIVERS).expect("below their number");
        SessionNumber::of(ShardId::new(shard), 12_345 + n % 16 * 7)
    };
    let sessions: Vec<SessionNumber> = (0..RECEIVERS).map(session).collect();
    let one = encode(&batch_of(vec![published(&message, 1)])).len();
    let mut to_all = published(&message, 0);
    if let Record::Published(record) = &mut to_all {
        let of = |shard| sessions.iter().filter(move |session| session.shard() == shard);
        record.copies = ShardId::all().map(|shard| (shard, of(shard).map(|n| copy(*n)).collect())).collect();
    }
    let mut bytes = encode(&batch_of(vec![to_all])).len() - one;
    for shard in ShardId::all() {
        let mine = || sessions.iter().filter(|session| session.shard() == shard);
        let ordinal = |session: &SessionNumber| Ordinal(5000 + session.0 % 50);
        let sent = mine().map(|session| Record::Sent { session: *session, up_to: ordinal(session) });
        let settled = mine().map(|session| Record::Settled {
            session: *session,
            ordinal: ordinal(session),
            how: Settled::Delivered,
        });
        bytes += encode(&Batch { shard, ..batch_of(sent.collect()) }).len();
        bytes += encode(&Batch { shard, ..batch_of(settled.collect()) }).len();
    }
    let each = bytes as f64 / RECEIVERS as f64;
    assert!(each <= 12.0, "{each} bytes");
}

#[test]
fn what_is_settled_alike_is_written_together() {
    let session = SessionNumber::of(ShardId::new(3), 1);
    let settled = |ordinal| Record::Settled { session, ordinal: Ordinal(ordinal), how: Settled::Delivered };
    let few = encode(&batch_of((0..32).map(settled).collect()));
    let one = encode(&batch_of(vec![settled(0)]));
    assert_eq!(few.len(), one.len());
    let many = batch_of((0..1000).map(settled).collect());
    let bytes = encode(&many);
    assert!(bytes.len() < 200, "{} bytes", bytes.len());
    assert_eq!(decode(&mut bytes.as_slice()).unwrap().records, many.records);
}

#[test]
fn what_copies_share_is_written_and_kept_once() {
    let share = Some(Arc::new(filter("$share/group/a/rather/long/filter/#")));
    let ids: Option<Arc<[u32]>> = Some([7, 300].into());
    let kept = |ordinal| KeptCopy {
        ordinal: Ordinal(ordinal),
        progress: KeptProgress::Queued,
        body: Some(Body::Stored(Stored {
            place: BASE.plus(usize::try_from(ordinal).expect("few") * 300),
            len: 299,
        })),
        qos: QoS::AtLeastOnce,
        retain: false,
        subscription_ids: ids.clone(),
        share: share.clone(),
    };
    let copies = Record::KeptCopies { session: SessionNumber(65), copies: (0..1000).map(kept).collect() };
    let bytes = encode(&batch_of(vec![copies]));
    assert!(bytes.len() < 9 * 1000, "{} bytes", bytes.len());
    let read = decode(&mut bytes.as_slice()).unwrap();
    let Record::KeptCopies { copies, .. } = &read.records[0] else { panic!("{read:?}") };
    let of = |copy: &KeptCopy| (copy.share.clone().unwrap(), copy.subscription_ids.clone().unwrap());
    let (first, last) = (of(&copies[0]), of(&copies[999]));
    assert!(Arc::ptr_eq(&first.0, &last.0) && Arc::ptr_eq(&first.1, &last.1));
}

#[test]
fn a_will_comes_back_at_hand_and_its_deadline_counts_from_the_start() {
    let will = WillRecord { message: message("will", b"gone"), expiry: Some(60), delay: 5 };
    let terms = SessionRecord {
        session: SessionNumber(65),
        client_id: "client".into(),
        expiry: u32::MAX,
        will: Some(will.clone()),
    };
    let bytes = encode(&batch_of(vec![Record::Opened(terms)]));
    assert_eq!(will.message.place(), None, "what is published later is written then");
    let read = Batch::decode(&mut bytes.as_slice(), BASE, &mut |named| panic!("{named:?}")).unwrap();
    let Record::Opened(terms) = &read.records[0] else { panic!("{read:?}") };
    assert_eq!(terms.will, Some(will));
    assert_eq!((read.at.time, read.need), (Time::START, Need::Lazy));
}

#[test]
fn a_kind_of_a_newer_version_is_refused_by_name_or_passed_over_if_it_says_so() {
    let head = [5, 1, 1];
    let newer = [&head[..], &[99, 0]].concat();
    assert_eq!(decode(&mut newer.as_slice()).unwrap_err(), DecodeError::Newer { kind: 99, offset: 4 });
    let skippable = [&head[..], &[0x80 | 99, 3, 1, 2, 3, 0]].concat();
    assert_eq!(decode(&mut skippable.as_slice()).unwrap().records, []);
    let cut = [&head[..], &[0x80 | 99, 3, 1, 2]].concat();
    let refused = DecodeError::Malformed { what: "record to pass over", offset: 4 };
    assert_eq!(decode(&mut cut.as_slice()).unwrap_err(), refused);
}

/// Written by the first version; every later one must read it so.
#[test]
fn the_format_stays() {
    let session = SessionNumber::of(ShardId::new(2), 3);
    let records = vec![
        Record::Sent { session, up_to: Ordinal(1) },
        Record::Settled { session, ordinal: Ordinal(0), how: Settled::Expired },
        Record::Settled { session, ordinal: Ordinal(1), how: Settled::Expired },
        Record::Released { session: SessionNumber::of(ShardId::new(4), 2), packet_id: PacketId::FIRST },
    ];
    let batch = Batch { number: BatchNumber(300), ..batch_of(records) };
    #[rustfmt::skip]
    let bytes = [
        2, 0xAC, 0x02, 0x80, 0xD0, 0x95, 0xFF, 0xBC, 0x31, // shard 2, batch 300, 1,700,000,000,000 ms
        10, 3 * 2 * 2, 2,                                  // Sent: three Sessions on, one ordinal on
        12, 2 | 1 << 3, 0, 1,                              // Settled: expired, and one more; one ordinal back
        13, 1 << 1 | 1, 4, 1,                              // Released: one Session back, in shard 4
        0,
    ];
    assert_eq!(encode(&batch), bytes);
    assert_eq!(decode(&mut bytes.as_slice()).unwrap().records, batch.records);
}

fn encode(batch: &Batch) -> Vec<u8> {
    let mut bytes = Vec::new();
    batch.encode(BASE, &mut bytes, &mut |_| {});
    bytes
}

fn decode(bytes: &mut &[u8]) -> Result<Batch, DecodeError> {
    Batch::decode(bytes, BASE, &mut |_| {})
}

/// A record as it comes back: Messages as their places, without those that are sent at once.
fn as_read(record: &Record) -> Record {
    let mut record = record.clone();
    let stored = |body: &mut Body| *body = Body::Stored(body.stored().expect("it was written"));
    match &mut record {
        Record::Published(published) => stored(&mut published.body),
        Record::Retained { body, .. } => body.iter_mut().for_each(stored),
        Record::Delayed(delayed) => stored(&mut delayed.body),
        Record::Subscribed(made) => {
            made.replayed.retain(|copy| copy.qos > QoS::AtMostOnce);
            made.replayed.iter_mut().for_each(|copy| stored(&mut copy.body));
        }
        Record::KeptCopies { copies, .. } => {
            copies.iter_mut().filter_map(|copy| copy.body.as_mut()).for_each(stored);
        }
        _ => {}
    }
    record
}

fn message(topic: &str, payload: &[u8]) -> Arc<Message> {
    Arc::new(MessageRef { qos: QoS::AtLeastOnce, ..MessageRef::new(topic, payload) }.to_message())
}

fn filter(text: &str) -> SubscriptionFilter {
    SubscriptionFilter::parse(text, &Limits::default()).expect("a filter")
}

fn copy(session: SessionNumber) -> CopyRecord {
    CopyRecord { session, slot: 0, qos: QoS::AtLeastOnce, retain: false, subscription_ids: None, share: None }
}

/// A PUBLISH to so many Sessions of other shards.
fn published(message: &Arc<Message>, receivers: u8) -> Record {
    let to = |shard| (shard, vec![copy(SessionNumber::of(shard, 12_345))]);
    Record::Published(PublishRecord {
        body: Arc::clone(message).into(),
        copies: (0..receivers).map(|n| to(ShardId::new(n + 40))).collect(),
        mark: None,
        will_of: None,
        was_delayed: None,
        passed_from: None,
    })
}

fn batch_of(records: Vec<Record>) -> Batch {
    let at = Now { time: Time::from_millis(77), wall: WallTime(1_700_000_000_000) };
    Batch { shard: ShardId::new(2), number: BatchNumber(1_000_000), records, need: Need::Synced, at }
}

// What proptest makes.

fn batch() -> impl Strategy<Value = Batch> {
    (0..64_u8, any::<u64>(), vec(record(), 0..8), any::<u64>()).prop_map(|(shard, number, records, wall)| {
        let at = Now { time: Time::from_millis(1000), wall: WallTime(wall) };
        Batch { shard: ShardId::new(shard), number: BatchNumber(number), records, need: Need::Lazy, at }
    })
}

fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        terms().prop_map(Record::Opened),
        terms().prop_map(Record::Resumed),
        (session(), any::<u32>(), any::<bool>(), any::<u64>()).prop_map(
            |(session, expiry, will_discarded, at)| Record::Disconnected {
                session,
                expiry,
                will_discarded,
                at: WallTime(at)
            }
        ),
        (session(), select(vec![Ending::CleanStart, Ending::Expired]))
            .prop_map(|(session, why)| Record::Ended { session, why, entered: Position(7) }),
        subscribed(),
        (session(), a_filter()).prop_map(|(session, filter)| Record::Unsubscribed { session, filter }),
        publishes(),
        (text(), number(), option::of(body())).prop_map(|(topic, version, body)| Record::Retained {
            topic,
            version,
            body
        }),
        (text(), number(), text(), option::of(text()), any::<u16>()).prop_map(
            |(topic, version, client_id, username, realm)| Record::RetainedBy {
                topic,
                version,
                source: RetainedSource { client_id, username, realm }
            }
        ),
        (number(), any::<u64>(), body(), option::of(mark())).prop_map(|(number, due, body, mark)| {
            Record::Delayed(DelayedRecord { number: DelayedNumber(number), due: WallTime(due), body, mark })
        }),
        (session(), ordinal()).prop_map(|(session, up_to)| Record::Sent { session, up_to }),
        (session(), ordinal()).prop_map(|(session, ordinal)| Record::Received { session, slot: 0, ordinal }),
        (session(), ordinal(), settled()).prop_map(|(session, ordinal, how)| Record::Settled {
            session,
            ordinal,
            how
        }),
        mark().prop_map(|(session, packet_id)| Record::Released { session, packet_id }),
        kept(),
        (session(), vec(kept_copy(), 0..4))
            .prop_map(|(session, copies)| Record::KeptCopies { session, copies }),
        (number(), number(), number(), number()).prop_map(|(checkpoint, opened, delayed, version)| {
            Record::Snapshotted { version, checkpoint: CheckpointNumber(checkpoint), opened, delayed }
        }),
    ]
}

fn terms() -> impl Strategy<Value = SessionRecord> {
    let will = (a_message(), option::of(any::<u32>()), any::<u32>())
        .prop_map(|(message, expiry, delay)| WillRecord { message: Arc::new(message), expiry, delay });
    (session(), text(), any::<u32>(), option::of(will))
        .prop_map(|(session, client_id, expiry, will)| SessionRecord { session, client_id, expiry, will })
}

fn subscribed() -> impl Strategy<Value = Record> {
    let replayed = (body(), qos()).prop_map(|(body, qos)| ReplayedCopy { body, qos });
    (session(), subscription(), vec(replayed, 0..3)).prop_map(
        |(session, (filter, options, subscription_id), replayed)| {
            Record::Subscribed(SubscribeRecord {
                session,
                slot: 0,
                filter,
                options,
                subscription_id,
                replayed,
            })
        },
    )
}

fn publishes() -> impl Strategy<Value = Record> {
    let facts = (option::of(mark()), option::of(session()), option::of(number()), option::of(session()));
    (body(), vec(copy_record(), 0..6), facts).prop_map(
        |(body, copies, (mark, will_of, was_delayed, passed_from))| {
            Record::Published(PublishRecord {
                body,
                copies: by_home(copies),
                mark,
                will_of,
                was_delayed: was_delayed.map(DelayedNumber),
                passed_from,
            })
        },
    )
}

fn by_home(copies: Vec<CopyRecord>) -> Vec<(ShardId, Vec<CopyRecord>)> {
    let of = |copies: &[CopyRecord]| (copies[0].session.shard(), copies.to_vec());
    copies.chunk_by(|one, next| one.session.shard() == next.session.shard()).map(of).collect()
}

fn copy_record() -> impl Strategy<Value = CopyRecord> {
    (session(), qos(), any::<bool>(), ids(), share()).prop_map(
        |(session, qos, retain, subscription_ids, share)| CopyRecord {
            session,
            slot: 0,
            qos,
            retain,
            subscription_ids,
            share,
        },
    )
}

fn kept() -> impl Strategy<Value = Record> {
    (terms(), vec(packet_id(), 0..4), vec(subscription(), 0..4), ordinal(), number()).prop_map(
        |(terms, inbound, subscriptions, next, entered)| {
            Record::Kept(KeptSession {
                terms,
                inbound,
                subscriptions,
                next,
                entered: Position(entered),
                absent: None,
            })
        },
    )
}

fn kept_copy() -> impl Strategy<Value = KeptCopy> {
    let progress = select(vec![KeptProgress::Queued, KeptProgress::Sent, KeptProgress::Released]);
    (ordinal(), progress, option::of(body()), (qos(), any::<bool>(), ids(), share())).prop_map(
        |(ordinal, progress, body, (qos, retain, subscription_ids, share))| KeptCopy {
            ordinal,
            progress,
            body,
            qos,
            retain,
            subscription_ids,
            share,
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        a_message().prop_map(|message| Body::Held(Arc::new(message))),
        (a_message(), place()).prop_map(|(message, place)| {
            message.set_place(place);
            Body::Held(Arc::new(message))
        }),
        (place(), any::<u32>()).prop_map(|(place, len)| Body::Stored(Stored { place, len })),
    ]
}

fn a_message() -> impl Strategy<Value = Message> {
    (text(), vec(any::<u8>(), 0..4), vec(any::<u8>(), 0..20), qos(), any::<bool>()).prop_map(
        |(topic, properties, payload, qos, retain)| {
            let view = MessageRef::new(&topic, &payload);
            MessageRef { properties: &properties, qos, retain, ..view }.to_message()
        },
    )
}

fn subscription() -> impl Strategy<Value = (SubscriptionFilter, SubscriptionOptions, Option<u32>)> {
    use RetainHandling::{DoNotSend, SendIfNew, SendOnSubscribe};
    let handling = select(vec![SendOnSubscribe, SendIfNew, DoNotSend]);
    let options = (qos(), any::<bool>(), any::<bool>(), handling).prop_map(
        |(qos, no_local, retain_as_published, retain_handling)| SubscriptionOptions {
            qos,
            no_local,
            retain_as_published,
            retain_handling,
        },
    );
    (a_filter(), options, option::of(any::<u32>()))
}

fn a_filter() -> impl Strategy<Value = SubscriptionFilter> {
    select(vec!["a/b", "#", "+/é", "$share/g/a/#", "$queue/a", "$share/$queue/a"]).prop_map(filter)
}

fn share() -> impl Strategy<Value = Option<Arc<SubscriptionFilter>>> {
    option::of(a_filter().prop_map(Arc::new))
}

fn ids() -> impl Strategy<Value = Option<Arc<[u32]>>> {
    let some = vec(prop_oneof![1..4_u32, any::<u32>()], 0..3);
    option::of(some.prop_map(Arc::from))
}

fn text() -> impl Strategy<Value = Box<str>> {
    select(vec!["", "a/b", "größer", "client-1234"]).prop_map(Box::from)
}

fn mark() -> impl Strategy<Value = (SessionNumber, PacketId)> {
    (session(), packet_id())
}

fn packet_id() -> impl Strategy<Value = PacketId> {
    (1..=u16::MAX).prop_map(|number| PacketId::new(number).expect("not zero"))
}

fn qos() -> impl Strategy<Value = QoS> {
    select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn settled() -> impl Strategy<Value = Settled> {
    use Settled::{Damaged, Delivered, Expired, QueueFull, Refused, Replaced, TooLarge};
    select(vec![Delivered, Refused, Expired, QueueFull, TooLarge, Replaced, Damaged])
}

fn place() -> impl Strategy<Value = Place> {
    (1..=u32::MAX, any::<u32>()).prop_map(|(segment, offset)| Place::new(segment, offset))
}

fn session() -> impl Strategy<Value = SessionNumber> {
    prop_oneof![0..300_u64, any::<u64>()].prop_map(SessionNumber)
}

fn ordinal() -> impl Strategy<Value = Ordinal> {
    // Close ones, so that there are runs; and any.
    prop_oneof![4 => 0..4_u64, 1 => any::<u64>()].prop_map(Ordinal)
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..300_u64, any::<u64>()]
}
