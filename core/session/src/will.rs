//! The Will Message: what a Client leaves behind when its Network Connection fails.

use std::sync::Arc;

use martlet_record::{Message, MessageRef, Now, SessionNumber, WillRecord};

/// A Will: its Message, and what is counted only from the moment it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// What is published. Its own expiry is not set: it starts with the publication.
    pub message: Arc<Message>,
    /// Message Expiry Interval in seconds.
    pub expiry: Option<u32>,
    /// Will Delay Interval in seconds.
    pub delay: u32,
}

impl Will {
    /// The Will of a CONNECT, under the mount point of its listener.
    pub fn from_connect(will: &martlet_packet::Will<'_>, mount_point: &str) -> Self {
        let mut properties = Vec::new();
        will.properties.append_to(&mut properties);
        let topic = format!("{mount_point}{}", will.topic);
        let message = MessageRef {
            properties: &properties,
            qos: will.qos,
            retain: will.retain,
            ..MessageRef::new(&topic, will.payload)
        };
        Self { message: Arc::new(message.to_message()), expiry: will.message_expiry, delay: will.delay }
    }

    /// The Message as it is published now, by the Session it belonged to.
    pub fn message(&self, publisher: SessionNumber, now: Now) -> MessageRef<'_> {
        let expires = self.expiry.map(|seconds| now.time.after_seconds(u64::from(seconds)));
        MessageRef { publisher, expires, ..self.message.view() }
    }

    /// As a record keeps it.
    pub fn to_record(&self) -> WillRecord {
        WillRecord { message: Arc::clone(&self.message), expiry: self.expiry, delay: self.delay }
    }
}

impl From<&WillRecord> for Will {
    fn from(record: &WillRecord) -> Self {
        Self { message: Arc::clone(&record.message), expiry: record.expiry, delay: record.delay }
    }
}
