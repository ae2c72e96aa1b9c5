//! The flags about the Will.

use anyhow::{Result, bail};
use clap::Args;
use martlet_client::{Message, QoS, Will};

use super::{PropertyArgs, parse_qos, parse_topic};

/// What the broker publishes when the connection breaks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Will")]
pub(super) struct WillArgs {
    /// Where the broker publishes our Will when the connection breaks
    #[arg(long, value_name = "TOPIC", allow_hyphen_values = true, value_parser = parse_topic)]
    will_topic: Option<String>,
    /// What the Will says [default: nothing]
    #[arg(long, value_name = "PAYLOAD", allow_hyphen_values = true)]
    will_payload: Option<String>,
    /// The QoS of the Will
    #[arg(long, value_name = "QOS", default_value = "0", value_parser = parse_qos)]
    will_qos: QoS,
    /// Whether the Will is retained
    #[arg(long)]
    will_retain: bool,
}

impl WillArgs {
    /// Refuses what says something of a Will that is none.
    pub(super) fn check(&self) -> Result<()> {
        if self.will_topic.is_none() && self.will_payload.is_some() {
            bail!("Will payload given, but no will topic given.");
        }
        if self.will_topic.is_none() && self.will_retain {
            bail!("Will retain given, but no will topic given.");
        }
        Ok(())
    }

    /// The Will, if there is one.
    pub(super) fn will(&self, properties: &PropertyArgs) -> Option<Will> {
        let payload = self.will_payload.clone().unwrap_or_default();
        let message = Message::new(self.will_topic.clone()?, payload).qos(self.will_qos);
        let mut will = Will { message: Message { retain: self.will_retain, ..message }, delay: 0 };
        properties.apply_to_will(&mut will);
        Some(will)
    }
}
