//! What a Client says of itself in CONNECT, and the limits it keeps.

use std::time::Duration;

use martlet_packet::Will as WillFields;
use martlet_packet::{Connect, MAXIMUM_REMAINING_LENGTH, PropertiesBuf, Property, Version};

use crate::Error;
use crate::message::Message;
use crate::protocol::check_topic;

/// How to connect. What MQTT 3.x cannot say is left out there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectOptions {
    /// The protocol version.
    pub version: Version,
    /// The Client Identifier. When empty, a Server of MQTT 3.1.1 or 5.0 chooses one.
    pub client_id: String,
    /// Whether an older Session ends here. A later [`reconnect`](crate::Client::reconnect) keeps the Session that
    /// began here where `session_expiry` lets it live.
    pub clean_start: bool,
    /// The Keep Alive in seconds; 0 turns it off. The Server may overrule it.
    pub keep_alive: u16,
    /// The User Name.
    pub user_name: Option<String>,
    /// The Password.
    pub password: Option<Vec<u8>>,
    /// The Message the Server publishes when the Connection breaks.
    pub will: Option<Will>,
    /// Seconds the Session outlives its Connection; `u32::MAX` is for ever.
    pub session_expiry: u32,
    /// How many unfinished Messages of QoS 1 and 2 the Server may send.
    pub receive_maximum: u16,
    /// The highest Topic Alias the Server may use.
    pub topic_alias_maximum: u16,
    /// Bytes of the largest packet the Server may send; a larger one ends the Connection.
    pub maximum_packet_size: u32,
    /// User Properties and whatever else CONNECT may carry that has no field here.
    pub properties: PropertiesBuf,
    /// How many Messages of QoS 1 and 2 may wait here for their acknowledgement before
    /// [`publish`](crate::Client::publish) waits. The Server's Receive Maximum holds besides.
    pub in_flight_maximum: u16,
    /// How long the Server has to accept the TCP connection, and to answer CONNECT, SUBSCRIBE and UNSUBSCRIBE.
    pub answer_timeout: Duration,
}

/// A Message the Server publishes when the Connection breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// The Message; its Topic Alias does not count.
    pub message: Message,
    /// Seconds between the end of the Connection and its publication.
    pub delay: u32,
}

/// The largest packet there can be.
const LARGEST_PACKET: u32 = MAXIMUM_REMAINING_LENGTH + 5;

impl ConnectOptions {
    /// MQTT 5.0 with Clean Start, a Keep Alive of a minute and the specification's defaults for the rest.
    pub fn new(client_id: impl Into<String>) -> Self {
        Self {
            version: Version::V5,
            client_id: client_id.into(),
            clean_start: true,
            keep_alive: 60,
            user_name: None,
            password: None,
            will: None,
            session_expiry: 0,
            receive_maximum: u16::MAX,
            topic_alias_maximum: 0,
            maximum_packet_size: LARGEST_PACKET,
            properties: PropertiesBuf::default(),
            in_flight_maximum: 20,
            answer_timeout: Duration::from_secs(30),
        }
    }

    /// Appends the CONNECT.
    pub(crate) fn encode(&self, clean_start: bool, out: &mut Vec<u8>) {
        let properties = self.connect_properties();
        let connect = Connect {
            clean_start,
            keep_alive: self.keep_alive,
            will: self.will.as_ref().map(Will::as_fields),
            user_name: self.user_name.as_deref(),
            password: self.password.as_deref(),
            properties: properties.as_properties(),
            ..Connect::new(self.version, &self.client_id)
        };
        crate::trace::sending_connect(&self.client_id);
        connect.encode(out);
    }

    /// The caller's properties and those that have a field here; a default goes without saying.
    fn connect_properties(&self) -> PropertiesBuf {
        let mut properties = self.properties.clone();
        let mut say = |differs: bool, property| {
            if differs {
                properties.push(property);
            }
        };
        say(self.session_expiry != 0, Property::SessionExpiryInterval(self.session_expiry));
        say(self.receive_maximum != u16::MAX, Property::ReceiveMaximum(self.receive_maximum));
        say(self.topic_alias_maximum != 0, Property::TopicAliasMaximum(self.topic_alias_maximum));
        say(self.maximum_packet_size < LARGEST_PACKET, Property::MaximumPacketSize(self.maximum_packet_size));
        properties
    }

    /// Refuses what no CONNECT can say.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let is_v5 = self.version.is_v5();
        check_len("the Client Identifier", self.client_id.len())?;
        check_len("the User Name", self.user_name.as_ref().map_or(0, String::len))?;
        check_len("the Password", self.password.as_ref().map_or(0, Vec::len))?;
        if let Some(will) = &self.will {
            check_topic("the Will Topic", &will.message.topic)?;
            check_len("the Will Payload", will.message.payload.len())?;
        }
        if !is_v5 && self.client_id.is_empty() && !self.clean_start {
            return Err(invalid(
                "the Client Identifier",
                "must be given to keep a Session [3.1.1 MQTT-3.1.3-7]",
            ));
        }
        if !is_v5 && self.password.is_some() && self.user_name.is_none() {
            let rule = "needs a User Name before MQTT 5.0 [3.1.1 MQTT-3.1.2-22]";
            return Err(invalid("the Password", rule));
        }
        if self.receive_maximum == 0 || self.maximum_packet_size == 0 {
            return Err(invalid("Receive Maximum and Maximum Packet Size", "must not be 0 (§3.1.2.11)"));
        }
        if self.in_flight_maximum == 0 {
            return Err(invalid("the in-flight maximum", "must not be 0: nothing could be sent"));
        }
        Ok(())
    }
}

impl Will {
    fn as_fields(&self) -> WillFields<'_> {
        let message = &self.message;
        WillFields {
            qos: message.qos,
            retain: message.retain,
            delay: self.delay,
            message_expiry: message.message_expiry,
            properties: message.properties.as_properties(),
            ..WillFields::new(&message.topic, &message.payload)
        }
    }
}

pub(crate) fn invalid(field: &'static str, rule: impl Into<String>) -> Error {
    Error::Invalid { field, rule: rule.into() }
}

fn check_len(field: &'static str, bytes: usize) -> Result<(), Error> {
    if bytes > usize::from(u16::MAX) {
        return Err(invalid(field, format!("has {bytes} bytes, the most is 65535 (§1.5.4)")));
    }
    Ok(())
}
