//! MQTT 5.0.

use crate::peer::{Address, Inbox, Message, PACKET_SIZE, Peer as Interface, Properties, TIMEOUT, receive};
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::v5::{
    LastWill, Packet, Publish, PublishProperties, SubscribeProperties, SubscribeReasonCode,
};
use rumqttc::v5::mqttbytes::{QoS, qos};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinHandle;

pub struct Peer {
    client: AsyncClient,
    driver: JoinHandle<()>,
    inbox: Inbox,
}

impl Interface for Peer {
    async fn connect(address: Address<'_>, name: &str, will: Option<(&str, &str)>) -> Result<Self, String> {
        let mut options = MqttOptions::new(format!("rumqttc-{name}"), address.0, address.1);
        options.set_max_packet_size(Some(PACKET_SIZE));
        if let Some((topic, payload)) = will {
            options.set_last_will(LastWill::new(topic, payload, QoS::AtLeastOnce, false, None));
        }
        let (client, events) = AsyncClient::new(options, 100);
        let (driver, mut inbox) = drive(events);
        receive(&mut inbox.connected, "CONNACK").await?;
        Ok(Peer { client, driver, inbox })
    }

    async fn subscribe(&mut self, filter: &str, level: u8, identifier: Option<usize>) -> Result<Vec<u8>, String> {
        let level = qos(level).expect("0, 1 or 2");
        let sent = match identifier {
            None => self.client.subscribe(filter, level).await,
            id => {
                let properties = SubscribeProperties { id, user_properties: Vec::new() };
                self.client.subscribe_with_properties(filter, level, properties).await
            }
        };
        sent.map_err(|error| error.to_string())?;
        receive(&mut self.inbox.acknowledged, "SUBACK").await
    }

    async fn unsubscribe(&mut self, filter: &str) -> Result<(), String> {
        self.client.unsubscribe(filter).await.map_err(|error| error.to_string())?;
        receive(&mut self.inbox.acknowledged, "UNSUBACK").await.map(drop)
    }

    async fn publish_with(&mut self, message: Message) -> Result<(), String> {
        let level = qos(message.qos).expect("0, 1 or 2");
        let Message { topic, payload, retain, properties, .. } = message;
        let sent = if properties == Properties::default() {
            self.client.publish(topic, level, retain, payload).await
        } else {
            self.client.publish_with_properties(topic, level, retain, payload, to_library(properties)).await
        };
        sent.map_err(|error| error.to_string())
    }

    async fn abandon(self) {
        self.driver.abort();
    }

    async fn disconnect(self) {
        let _ = self.client.disconnect().await;
        let _ = tokio::time::timeout(TIMEOUT, self.driver).await;
    }

    fn inbox(&mut self) -> &mut Inbox {
        &mut self.inbox
    }
}

/// Polls the connection until it ends; it is not made again.
fn drive(mut events: EventLoop) -> (JoinHandle<()>, Inbox) {
    let (connected, connected_out) = unbounded_channel();
    let (acknowledged, acknowledged_out) = unbounded_channel();
    let (messages, messages_out) = unbounded_channel();
    let inbox = Inbox { connected: connected_out, acknowledged: acknowledged_out, messages: messages_out };
    let driver = tokio::spawn(async move {
        while let Ok(event) = events.poll().await {
            // A receiver that is gone belongs to a check that is over.
            let _ = match event {
                Event::Incoming(Packet::ConnAck(_)) => connected.send(()).is_ok(),
                Event::Incoming(Packet::SubAck(suback)) => {
                    acknowledged.send(suback.return_codes.iter().map(granted).collect()).is_ok()
                }
                Event::Incoming(Packet::UnsubAck(_)) => acknowledged.send(Vec::new()).is_ok(),
                Event::Incoming(Packet::Publish(publish)) => messages.send(from_library(publish)).is_ok(),
                Event::Outgoing(Outgoing::Disconnect) => return,
                _ => true,
            };
        }
    });
    (driver, inbox)
}

fn granted(code: &SubscribeReasonCode) -> u8 {
    match code {
        SubscribeReasonCode::Success(level) => *level as u8,
        _ => 0x80,
    }
}

fn to_library(properties: Properties) -> PublishProperties {
    PublishProperties {
        user_properties: properties.user,
        content_type: properties.content_type,
        response_topic: properties.response_topic,
        correlation_data: properties.correlation_data.map(Into::into),
        message_expiry_interval: properties.expiry,
        topic_alias: properties.alias,
        ..PublishProperties::default()
    }
}

fn from_library(publish: Publish) -> Message {
    let given = publish.properties.unwrap_or_default();
    Message {
        topic: String::from_utf8_lossy(&publish.topic).into_owned(),
        payload: publish.payload.to_vec(),
        qos: publish.qos as u8,
        retain: publish.retain,
        properties: Properties {
            user: given.user_properties,
            content_type: given.content_type,
            response_topic: given.response_topic,
            correlation_data: given.correlation_data.map(|data| data.to_vec()),
            expiry: given.message_expiry_interval,
            alias: given.topic_alias,
            identifiers: given.subscription_identifiers,
        },
    }
}
