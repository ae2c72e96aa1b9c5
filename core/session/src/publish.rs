//! PUBLISH from the Client: new, a duplicate, or too many?

use martlet_packet::{PacketId, Publish, PublishQoS, QoS, ReasonCode, Version};
use martlet_topic::{Limits, TopicName};

use crate::{Connection, Session, Violation};

/// What the node lets a Client publish.
#[derive(Debug, Clone, Copy)]
pub struct PublishPolicy {
    /// Maximum QoS.
    pub maximum_qos: QoS,
    /// Retained messages are supported.
    pub retain_available: bool,
    /// Our Topic Alias Maximum.
    pub topic_alias_maximum: u16,
    /// Our Receive Maximum: QoS 1 and 2 Messages an MQTT 5 Client may have unanswered.
    pub receive_maximum: u16,
    /// Limits on Topic Names.
    pub topics: Limits,
    /// MQTT 5 Clients are told of a bad Topic Name by its own code.
    pub names_bad_topics: bool,
    /// A Subscription Identifier is passed over instead of being a Protocol Error.
    pub ignores_subscription_ids: bool,
    /// The second repetition of an unreleased QoS 2 PUBLISH is a Protocol Error.
    pub forbids_second_repetition: bool,
}

/// What a PUBLISH is.
#[derive(Debug, PartialEq, Eq)]
pub enum Inbound<'a> {
    /// A Message to publish under this Topic Name.
    New(TopicName<'a>),
    /// A QoS 2 Message that was accepted before and not released: answered again, never routed again [MQTT-4.3.3-10].
    Duplicate(PacketId),
}

impl Session {
    /// Checks a PUBLISH against what was agreed. `alias` lends the space for a Topic Name that was sent as an alias.
    pub fn receive_publish<'a>(
        &mut self,
        publish: &Publish<'a>,
        alias: &'a mut String,
        policy: &PublishPolicy,
    ) -> Result<Inbound<'a>, Violation> {
        let Some(connection) = self.connection.as_deref_mut() else {
            return Err(Violation::protocol("PUBLISH without a Network Connection"));
        };
        let topic = resolve(connection, publish, alias, policy)?;
        let topic = TopicName::parse(topic, &policy.topics)
            .map_err(|error| Violation::new(invalid_topic(connection.version, policy), error.to_string()))?;
        check_capabilities(publish, policy.maximum_qos.min(connection.terms.maximum_qos), policy)?;
        if let PublishQoS::ExactlyOnce(id) = publish.qos
            && self.inbound.contains(id)
        {
            let is_second = connection.repeated.replace(id) == Some(id);
            if is_second && policy.forbids_second_repetition {
                return Err(Violation::protocol("the same QoS 2 PUBLISH came three times"));
            }
            return Ok(Inbound::Duplicate(id));
        }
        let unanswered = self.inbound.len() + usize::from(connection.unacknowledged);
        // MQTT 3 has no Receive Maximum, but no more Packet Identifiers either.
        let most = if connection.version.is_v5() { policy.receive_maximum } else { u16::MAX };
        if publish.qos.qos() > QoS::AtMostOnce && unanswered >= usize::from(most) {
            // [MQTT-3.3.4-7]: a Client must not exceed our Receive Maximum.
            return Err(Violation::new(
                ReasonCode::ReceiveMaximumExceeded,
                format!("more than {most} QoS 1 and QoS 2 PUBLISH packets unanswered"),
            ));
        }
        Ok(Inbound::New(topic))
    }
}

/// The Topic Name, from the packet or from its alias.
fn resolve<'a>(
    connection: &mut Connection,
    publish: &Publish<'a>,
    space: &'a mut String,
    policy: &PublishPolicy,
) -> Result<&'a str, Violation> {
    let has_ids = !publish.subscription_ids.is_empty();
    if has_ids && (publish.subscription_ids.len() > 1 || !policy.ignores_subscription_ids) {
        // [MQTT-3.3.4-6]
        return Err(Violation::protocol("a Client must not send a Subscription Identifier in PUBLISH"));
    }
    let maximum = connection.terms.topic_alias_maximum.unwrap_or(policy.topic_alias_maximum);
    match publish.topic_alias {
        None if publish.topic.is_empty() && connection.version.is_v5() => {
            Err(Violation::protocol("PUBLISH has neither a Topic Name nor a Topic Alias"))
        }
        None => Ok(publish.topic),
        Some(alias) if publish.topic.is_empty() => {
            space.clear();
            space.push_str(connection.aliases_in().resolve(alias, maximum)?);
            Ok(space)
        }
        Some(alias) => {
            connection.aliases_in().set(alias, maximum, publish.topic)?;
            Ok(publish.topic)
        }
    }
}

/// A Topic Name that cannot be one: MQTT 5 has a code for it.
fn invalid_topic(version: Version, policy: &PublishPolicy) -> ReasonCode {
    if version.is_v5() && policy.names_bad_topics {
        ReasonCode::TopicNameInvalid
    } else {
        ReasonCode::MalformedPacket
    }
}

fn check_capabilities(
    publish: &Publish<'_>,
    maximum_qos: QoS,
    policy: &PublishPolicy,
) -> Result<(), Violation> {
    if publish.qos.qos() > maximum_qos {
        // [MQTT-3.2.2-11]
        let text = format!("the QoS is above the Maximum QoS {}", u8::from(maximum_qos));
        return Err(Violation::new(ReasonCode::QoSNotSupported, text));
    }
    if publish.retain && !policy.retain_available {
        // [MQTT-3.2.2-14]
        return Err(Violation::new(ReasonCode::RetainNotSupported, "retained messages are turned off here"));
    }
    Ok(())
}
