//! What lives as long as one accepted Connection: what the Server announced, its credit, and the Topic Aliases.

use std::collections::HashMap;

use martlet_packet::{ConnAck, Publish, QoS, ReasonCode, Version};

use crate::keep_alive::KeepAlive;
use crate::{Error, Message};

/// An accepted Connection.
#[derive(Debug)]
pub(crate) struct Connection {
    version: Version,
    pub(crate) keep_alive: Option<KeepAlive>,
    receive_maximum: u16,
    /// How many more Messages of QoS 1 and 2 the Server takes now. (§4.9)
    credit: u16,
    maximum_qos: QoS,
    retain_available: bool,
    maximum_packet_size: u32,
    topic_alias_maximum: u16,
    aliases_sent: HashMap<u16, String>,
    /// At most as many as we announced.
    aliases_received: HashMap<u16, String>,
}

impl Connection {
    /// What the CONNACK says; `keep_alive` is what we asked for.
    pub(crate) fn new(version: Version, keep_alive: u16, connack: &ConnAck<'_>) -> Self {
        let properties = connack.properties;
        let receive_maximum = properties.receive_maximum().unwrap_or(u16::MAX);
        Self {
            version,
            // [MQTT-3.1.2-21]
            keep_alive: KeepAlive::new(properties.server_keep_alive().unwrap_or(keep_alive)),
            receive_maximum,
            credit: receive_maximum,
            maximum_qos: properties.maximum_qos().unwrap_or(QoS::ExactlyOnce),
            retain_available: properties.retain_available().unwrap_or(true),
            maximum_packet_size: properties.maximum_packet_size().unwrap_or(u32::MAX),
            topic_alias_maximum: properties.topic_alias_maximum().unwrap_or(0),
            aliases_sent: HashMap::new(),
            aliases_received: HashMap::new(),
        }
    }

    /// Whether the Server takes the Message.
    pub(crate) fn admit(&self, message: &Message) -> Result<(), ReasonCode> {
        if message.qos > self.maximum_qos {
            return Err(ReasonCode::QoSNotSupported); // [MQTT-3.2.2-11]
        }
        if message.retain && !self.retain_available {
            return Err(ReasonCode::RetainNotSupported); // [MQTT-3.2.2-14]
        }
        if message.encoded_len(self.version) > self.maximum_packet_size as usize {
            return Err(ReasonCode::PacketTooLarge); // [MQTT-3.2.2-15]
        }
        Ok(())
    }

    /// Whether the Server takes the Topic Alias. [MQTT-3.3.2-8], [MQTT-3.3.2-9]
    pub(crate) fn takes_alias(&self, alias: u16) -> bool {
        (1..=self.topic_alias_maximum).contains(&alias)
    }

    /// Takes credit for a PUBLISH of QoS 1 or 2; false when there is none. [MQTT-3.3.4-9]
    pub(crate) fn take_credit(&mut self) -> bool {
        match self.credit.checked_sub(1) {
            Some(left) => {
                self.credit = left;
                true
            }
            None => false,
        }
    }

    /// PUBACK, PUBCOMP or a refusing PUBREC came. It may speak of a PUBLISH of an earlier Connection, so the credit
    /// never exceeds what it began with. (§4.9)
    pub(crate) fn return_credit(&mut self) {
        self.credit = self.credit.saturating_add(1).min(self.receive_maximum);
    }

    /// Lets the alias stand for the Topic Name from the second time on. One the Server would not take is left out: a
    /// Message sent again may have been written for a Server that did.
    pub(crate) fn abbreviate(&mut self, publish: &mut Publish<'_>) {
        publish.topic_alias = publish.topic_alias.filter(|alias| self.takes_alias(*alias));
        let Some(alias) = publish.topic_alias else { return };
        if self.aliases_sent.get(&alias).is_some_and(|topic| topic == publish.topic) {
            publish.topic = "";
        } else {
            self.aliases_sent.insert(alias, publish.topic.to_owned());
        }
    }

    /// The Topic Name of a PUBLISH from the Server, who may use aliases up to `maximum`. [MQTT-3.3.2-10]
    pub(crate) fn topic_of(&mut self, publish: &Publish<'_>, maximum: u16) -> Result<String, Error> {
        let Some(alias) = publish.topic_alias else { return Ok(publish.topic.to_owned()) };
        if alias == 0 || alias > maximum {
            let what = "a Topic Alias is 0 or above the maximum";
            return Err(Error::Violation { what, reason: ReasonCode::TopicAliasInvalid });
        }
        if !publish.topic.is_empty() {
            self.aliases_received.insert(alias, publish.topic.to_owned());
            return Ok(publish.topic.to_owned());
        }
        let what = "a Topic Alias stands for nothing";
        let unknown = Error::Violation { what, reason: ReasonCode::ProtocolError };
        self.aliases_received.get(&alias).cloned().ok_or(unknown)
    }
}
