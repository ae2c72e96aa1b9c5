//! What the checks ask of a client, the same for both halves of the library.

use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

pub const TIMEOUT: Duration = Duration::from_secs(10);
/// The library's default of 10 KiB is less than the checks send.
pub const PACKET_SIZE: u32 = 1 << 20;

pub type Address<'a> = (&'a str, u16);

/// A received Application Message; the last fields stay empty before 5.0.
#[derive(Debug, Default)]
pub struct Message {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: u8,
    pub retain: bool,
    pub properties: Properties,
}

#[derive(Debug, Default, Clone, PartialEq)]
pub struct Properties {
    pub user: Vec<(String, String)>,
    pub content_type: Option<String>,
    pub response_topic: Option<String>,
    pub correlation_data: Option<Vec<u8>>,
    pub expiry: Option<u32>,
    pub alias: Option<u16>,
    pub identifiers: Vec<usize>,
}

/// What the task that drives a connection hands over.
pub struct Inbox {
    pub connected: UnboundedReceiver<()>,
    pub acknowledged: UnboundedReceiver<Vec<u8>>,
    pub messages: UnboundedReceiver<Message>,
}

#[allow(async_fn_in_trait)]
pub trait Peer: Sized {
    async fn connect(address: Address<'_>, name: &str, will: Option<(&str, &str)>) -> Result<Self, String>;
    /// Answers the granted QoS.
    async fn subscribe(&mut self, filter: &str, qos: u8, identifier: Option<usize>) -> Result<Vec<u8>, String>;
    async fn unsubscribe(&mut self, filter: &str) -> Result<(), String>;
    async fn publish_with(&mut self, message: Message) -> Result<(), String>;
    /// Ends the Network Connection without a DISCONNECT.
    async fn abandon(self);
    async fn disconnect(self);
    fn inbox(&mut self) -> &mut Inbox;

    async fn publish(&mut self, topic: &str, payload: &[u8], qos: u8, retain: bool) -> Result<(), String> {
        let (topic, payload) = (topic.to_owned(), payload.to_vec());
        self.publish_with(Message { topic, payload, qos, retain, ..Message::default() }).await
    }

    async fn next(&mut self) -> Result<Message, String> {
        receive(&mut self.inbox().messages, "message").await
    }

    /// All messages until none came for a while.
    async fn until_quiet(&mut self) -> Vec<Message> {
        let mut result = Vec::new();
        while let Ok(Some(message)) = timeout(Duration::from_millis(500), self.inbox().messages.recv()).await {
            result.push(message);
        }
        result
    }
}

pub async fn receive<T>(queue: &mut UnboundedReceiver<T>, what: &str) -> Result<T, String> {
    match timeout(TIMEOUT, queue.recv()).await {
        Ok(Some(item)) => Ok(item),
        Ok(None) => Err(format!("the connection ended before a {what} came")),
        Err(_) => Err(format!("no {what} within {TIMEOUT:?}")),
    }
}
