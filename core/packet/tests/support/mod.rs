//! Any packet a version can say, for property tests. Strings and bytes live on, so that packets can borrow them.

use std::borrow::Cow;

use martlet_packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, Packet, PacketId, Properties, PropertiesBuf, Property, Publish,
    PublishQoS, QoS, ReasonCode, RetainHandling, SubAck, Subscribe, SubscriptionOptions, UnsubAck,
    Unsubscribe, Version, Will,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

pub(crate) fn version() -> impl Strategy<Value = Version> {
    select(vec![Version::V3_1, Version::V3_1_1, Version::V5])
}

/// Any packet this version can say.
pub(crate) fn packet(version: Version) -> BoxedStrategy<Packet<'static>> {
    prop_oneof![
        1 => publish(version).prop_map(Packet::Publish),
        3 => control_packet(version),
    ]
    .boxed()
}

fn control_packet(version: Version) -> impl Strategy<Value = Packet<'static>> {
    prop_oneof![
        connect(version).prop_map(Packet::Connect),
        connack(version).prop_map(Packet::ConnAck),
        ack(version, PUBLISH_REASONS).prop_map(Packet::PubAck),
        ack(version, PUBLISH_REASONS).prop_map(Packet::PubRec),
        ack(version, RELEASE_REASONS).prop_map(Packet::PubRel),
        ack(version, RELEASE_REASONS).prop_map(Packet::PubComp),
        subscribe(version).prop_map(Packet::Subscribe),
        suback(version).prop_map(Packet::SubAck),
        unsubscribe(version).prop_map(Packet::Unsubscribe),
        unsuback(version).prop_map(Packet::UnsubAck),
        disconnect(version).prop_map(Packet::Disconnect),
        // AUTH is of MQTT 5.0 alone.
        auth().prop_map(move |auth| if version.is_v5() { Packet::Auth(auth) } else { Packet::PingReq }),
        Just(Packet::PingReq),
        Just(Packet::PingResp),
    ]
}

const PUBLISH_REASONS: &[ReasonCode] =
    &[ReasonCode::Success, ReasonCode::NoMatchingSubscribers, ReasonCode::QuotaExceeded];
const RELEASE_REASONS: &[ReasonCode] = &[ReasonCode::Success, ReasonCode::PacketIdentifierNotFound];

fn connect(version: Version) -> impl Strategy<Value = Connect<'static>> {
    let user_name = option::of(name());
    let parts =
        (any::<(bool, bool, u16)>(), name(), option::of(will(version)), user_name, option::of(data()));
    (parts, connect_properties(version)).prop_map(move |(parts, properties)| {
        let ((bridge, clean_start, keep_alive), client_id, will, user_name, password) = parts;
        // Older versions have no Password without a User Name.
        let password = password.filter(|_| version.is_v5() || user_name.is_some());
        Connect { version, bridge, clean_start, keep_alive, client_id, will, user_name, password, properties }
    })
}

fn will(version: Version) -> impl Strategy<Value = Will<'static>> {
    (
        qos(),
        any::<bool>(),
        topic_name(),
        data(),
        any::<u32>(),
        any::<Option<u32>>(),
        message_properties(version),
    )
        .prop_map(move |(qos, retain, topic, payload, delay, message_expiry, properties)| {
            let is_v5 = version.is_v5();
            let delay = if is_v5 { delay } else { 0 };
            Will {
                qos,
                retain,
                topic,
                payload,
                delay,
                message_expiry: message_expiry.filter(|_| is_v5),
                properties,
            }
        })
}

fn connack(version: Version) -> impl Strategy<Value = ConnAck<'static>> {
    let reasons = vec![ReasonCode::Success, ReasonCode::BadUserNameOrPassword, ReasonCode::ServerUnavailable];
    (any::<bool>(), select(reasons), connack_properties(version)).prop_map(
        move |(present, reason, properties)| {
            let session_present = present && reason == ReasonCode::Success && version != Version::V3_1;
            ConnAck { session_present, reason, properties }
        },
    )
}

fn publish(version: Version) -> impl Strategy<Value = Publish<'static>> {
    let message = (topic_name(), message_properties(version), data());
    let numbers = (any::<Option<u16>>(), any::<Option<u32>>(), vec(1..=268_435_455_u32, 0..3), any::<bool>());
    (any::<(bool, bool)>(), publish_qos(), message, numbers).prop_map(
        move |(flags, qos, message, numbers)| {
            let (topic, properties, payload) = message;
            let plain = Publish {
                dup: flags.0 && qos != PublishQoS::AtMostOnce,
                retain: flags.1,
                qos,
                properties,
                ..Publish::new(topic, payload)
            };
            if !version.is_v5() {
                return plain;
            }
            let (topic_alias, message_expiry, subscription_ids, is_alias_alone) = numbers;
            let topic = if is_alias_alone && topic_alias.is_some() { "" } else { topic };
            Publish {
                topic,
                topic_alias,
                message_expiry,
                subscription_ids: Cow::Owned(subscription_ids),
                ..plain
            }
        },
    )
}

fn publish_qos() -> impl Strategy<Value = PublishQoS> {
    prop_oneof![
        Just(PublishQoS::AtMostOnce),
        packet_id().prop_map(PublishQoS::AtLeastOnce),
        packet_id().prop_map(PublishQoS::ExactlyOnce),
    ]
}

fn ack(version: Version, reasons: &'static [ReasonCode]) -> impl Strategy<Value = Ack<'static>> {
    (packet_id(), reason(version, reasons), ack_properties(version))
        .prop_map(|(packet_id, reason, properties)| Ack { packet_id, reason, properties })
}

fn subscribe(version: Version) -> impl Strategy<Value = Subscribe<'static>> {
    let filters = vec((topic_filter(), options(version)), 1..4);
    (packet_id(), option::of(1..=268_435_455_u32), user_properties(version), filters).prop_map(
        move |(packet_id, subscription_id, properties, filters)| {
            let subscription_id = subscription_id.filter(|_| version.is_v5());
            Subscribe { packet_id, subscription_id, properties, filters }
        },
    )
}

fn options(version: Version) -> impl Strategy<Value = SubscriptionOptions> {
    let handling =
        select(vec![RetainHandling::SendOnSubscribe, RetainHandling::SendIfNew, RetainHandling::DoNotSend]);
    (qos(), any::<bool>(), any::<bool>(), handling).prop_map(
        move |(qos, no_local, retain_as_published, retain_handling)| {
            if version.is_v5() {
                SubscriptionOptions { qos, no_local, retain_as_published, retain_handling }
            } else {
                SubscriptionOptions::new(qos)
            }
        },
    )
}

fn suback(version: Version) -> impl Strategy<Value = SubAck<'static>> {
    let mut reasons = vec![
        ReasonCode::GrantedQoS0,
        ReasonCode::GrantedQoS1,
        ReasonCode::GrantedQoS2,
        ReasonCode::UnspecifiedError,
    ];
    if version.is_v5() {
        reasons.push(ReasonCode::WildcardSubscriptionsNotSupported);
    }
    (packet_id(), ack_properties(version), vec(select(reasons), 1..5))
        .prop_map(|(packet_id, properties, reasons)| SubAck { packet_id, properties, reasons })
}

fn unsubscribe(version: Version) -> impl Strategy<Value = Unsubscribe<'static>> {
    (packet_id(), user_properties(version), vec(topic_filter(), 1..4))
        .prop_map(|(packet_id, properties, filters)| Unsubscribe { packet_id, properties, filters })
}

fn unsuback(version: Version) -> impl Strategy<Value = UnsubAck<'static>> {
    let reasons =
        select(vec![ReasonCode::Success, ReasonCode::NoSubscriptionExisted, ReasonCode::NotAuthorized]);
    (packet_id(), ack_properties(version), vec(reasons, 1..5)).prop_map(
        move |(packet_id, properties, reasons)| UnsubAck {
            packet_id,
            properties,
            reasons: if version.is_v5() { reasons } else { Vec::new() },
        },
    )
}

fn disconnect(version: Version) -> impl Strategy<Value = Disconnect<'static>> {
    let reasons = &[ReasonCode::NormalDisconnection, ReasonCode::SessionTakenOver, ReasonCode::ServerMoved];
    let properties = (any::<u32>(), text(), text()).prop_flat_map(|(seconds, server, why)| {
        some_of(vec![
            Property::SessionExpiryInterval(seconds),
            Property::ServerReference(server),
            Property::ReasonString(why),
        ])
    });
    (reason(version, reasons), block(version, properties))
        .prop_map(|(reason, properties)| Disconnect { reason, properties })
}

fn auth() -> impl Strategy<Value = Auth<'static>> {
    let reasons = &[ReasonCode::Success, ReasonCode::ContinueAuthentication, ReasonCode::ReAuthenticate];
    let properties = (text(), option::of(data()), option::of(text())).prop_map(|(method, data, why)| {
        let data = data.map(Property::AuthenticationData);
        let why = why.map(Property::ReasonString);
        [Some(Property::AuthenticationMethod(method)), data, why].into_iter().flatten().collect()
    });
    (reason(Version::V5, reasons), block(Version::V5, properties))
        .prop_map(|(reason, properties)| Auth { reason, properties })
}

fn connect_properties(version: Version) -> impl Strategy<Value = Properties<'static>> {
    let numbers = (any::<u32>(), 1..=u16::MAX, any::<u16>(), 1..=u32::MAX, any::<bool>());
    let properties =
        (numbers, text()).prop_flat_map(|((expiry, receive, aliases, size, problems), method)| {
            some_of(vec![
                Property::SessionExpiryInterval(expiry),
                Property::ReceiveMaximum(receive),
                Property::TopicAliasMaximum(aliases),
                Property::MaximumPacketSize(size),
                Property::RequestProblemInformation(problems),
                Property::RequestResponseInformation(!problems),
                Property::AuthenticationMethod(method),
            ])
        });
    block(version, properties)
}

fn connack_properties(version: Version) -> impl Strategy<Value = Properties<'static>> {
    let properties =
        (any::<u16>(), any::<bool>(), text(), text()).prop_flat_map(|(number, flag, id, response)| {
            some_of(vec![
                Property::ServerKeepAlive(number),
                Property::AssignedClientIdentifier(id),
                Property::ResponseInformation(response),
                Property::MaximumQoS(if flag { QoS::AtLeastOnce } else { QoS::AtMostOnce }),
                Property::RetainAvailable(flag),
                Property::WildcardSubscriptionAvailable(flag),
                Property::SubscriptionIdentifiersAvailable(!flag),
                Property::SharedSubscriptionAvailable(flag),
            ])
        });
    block(version, properties)
}

fn message_properties(version: Version) -> impl Strategy<Value = Properties<'static>> {
    let parts = (any::<bool>(), text(), topic_name(), data());
    let properties = parts.prop_flat_map(|(is_utf8, content_type, response_topic, correlation)| {
        some_of(vec![
            Property::PayloadFormatIndicator(is_utf8),
            Property::ContentType(content_type),
            Property::ResponseTopic(response_topic),
            Property::CorrelationData(correlation),
        ])
    });
    block(version, properties)
}

fn ack_properties(version: Version) -> impl Strategy<Value = Properties<'static>> {
    block(version, text().prop_flat_map(|why| some_of(vec![Property::ReasonString(why)])))
}

fn user_properties(version: Version) -> impl Strategy<Value = Properties<'static>> {
    block(version, Just(Vec::new()))
}

/// These properties and some of the user's, in any order.
fn block(
    version: Version,
    properties: impl Strategy<Value = Vec<Property<'static>>>,
) -> impl Strategy<Value = Properties<'static>> {
    let users = vec((text(), text()).prop_map(|(name, value)| Property::UserProperty(name, value)), 0..3);
    (properties, users).prop_map(|(properties, users)| [properties, users].concat()).prop_shuffle().prop_map(
        move |properties| {
            let block: PropertiesBuf = properties.into_iter().filter(|_| version.is_v5()).collect();
            Properties::from_checked(block.into_vec().leak())
        },
    )
}

fn some_of(properties: Vec<Property<'static>>) -> impl Strategy<Value = Vec<Property<'static>>> {
    let all = 0..=properties.len();
    subsequence(properties, all)
}

fn reason(version: Version, reasons: &'static [ReasonCode]) -> impl Strategy<Value = ReasonCode> {
    select(if version.is_v5() { reasons } else { &[ReasonCode::Success] })
}

fn packet_id() -> impl Strategy<Value = PacketId> {
    (1..=u16::MAX).prop_filter_map("not 0", PacketId::new)
}

fn qos() -> impl Strategy<Value = QoS> {
    select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn topic_name() -> impl Strategy<Value = &'static str> {
    r"[^\p{Cc}+#]{1,24}".prop_map(leaked)
}

fn topic_filter() -> impl Strategy<Value = &'static str> {
    r"[^\p{Cc}]{1,24}".prop_map(leaked)
}

fn name() -> impl Strategy<Value = &'static str> {
    r"[^\p{Cc}]{0,12}".prop_map(leaked)
}

fn text() -> impl Strategy<Value = &'static str> {
    r"[^\x00]{0,12}".prop_map(leaked)
}

/// Now and then longer than one or two bytes of Remaining Length can say.
fn data() -> impl Strategy<Value = &'static [u8]> {
    prop_oneof![
        9 => vec(any::<u8>(), 0..40),
        1 => (120..20_000_usize).prop_map(|len| vec![b'x'; len]),
    ]
    .prop_map(|bytes| &*bytes.leak())
}

fn leaked(text: String) -> &'static str {
    text.leak()
}
