//! What tools found, for other programs. Times are milliseconds since 1970.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use martlet_packet::{Properties, Property};
use martlet_record::WallTime;
use serde_json::{Map, Value, json};

use super::{Amount, Checked, Concerned, Exported, Oldest, Problem, QueueStat, Stat, Why};

impl Stat {
    /// As one object.
    pub fn to_json(&self) -> Value {
        let Self { sizes, totals, recovered, .. } = self;
        json!({
            "format": self.format,
            "created": self.created.0,
            "files": {
                "bytes": sizes.bytes(),
                "segments": sizes.segments,
                "segment_bytes": sizes.log_bytes,
                "spares": sizes.spares,
                "spare_bytes": sizes.spare_bytes,
                "quarantined": sizes.quarantined,
                "quarantined_bytes": sizes.quarantined_bytes,
            },
            "written_bytes": self.written_bytes,
            "live_messages": totals.live.messages,
            "live_bytes": totals.live.bytes,
            "dead_bytes": self.dead_bytes(),
            "start": {
                "begins_at_checkpoint": self.begins_at_checkpoint,
                "bytes": recovered.bytes,
                "frames": recovered.frames,
                "torn_bytes": recovered.torn.map_or(0, |torn| torn.bytes),
                "lost_positions": recovered.lost.iter().map(|lost| json!([lost.start, lost.end - 1])).collect::<Value>(),
            },
            "sessions": { "connected": totals.connected, "absent": totals.absent },
            "waiting": amount(totals.waiting),
            "in_flight": totals.in_flight,
            "retained": amount(totals.retained),
            "delayed": amount(totals.delayed),
            "next_delayed_due": millis(totals.next_due),
            "queues": self.queues.iter().map(queue).collect::<Value>(),
            "oldest": self.oldest.as_ref().map(oldest),
        })
    }
}

fn amount(amount: Amount) -> Value {
    json!({ "messages": amount.messages, "bytes": amount.bytes })
}

fn queue(queue: &QueueStat) -> Value {
    json!({
        "client": queue.client_id,
        "connected": queue.is_connected,
        "messages": queue.waiting.messages,
        "bytes": queue.waiting.bytes,
        "in_flight": queue.in_flight,
        "oldest_written": millis(queue.oldest),
    })
}

fn oldest(oldest: &Oldest) -> Value {
    json!({
        "client": oldest.client_id,
        "other_clients": oldest.others,
        "topic": oldest.topic,
        "written": millis(oldest.written),
        "segment": oldest.place.segment(),
        "offset": oldest.place.offset(),
    })
}

impl Checked {
    /// As one object.
    pub fn to_json(&self) -> Value {
        json!({
            "sound": self.is_sound(),
            "needs_repair": self.needs_repair(),
            "frames": self.frames,
            "bytes": self.log_bytes,
            "messages": self.messages,
            "torn_bytes": self.torn.map_or(0, |torn| torn.bytes),
            "lost_positions": self.lost.iter().map(|lost| json!([lost.start, lost.end - 1])).collect::<Value>(),
            "problems": self.problems.iter().map(problem).collect::<Value>(),
        })
    }
}

fn problem(problem: &Problem) -> Value {
    let of = |wanted: fn(&Concerned) -> Option<Value>| {
        problem.concerned.iter().filter_map(wanted).collect::<Value>()
    };
    json!({
        "segment": problem.place.segment(),
        "offset": problem.place.offset(),
        "what": problem.fault.to_string(),
        "harmless": problem.fault.is_harmless(),
        "stops_start": problem.fault.stops_start(),
        "cure": problem.fault.cure(),
        "clients": of(|concerned| match concerned {
            Concerned::Client(client_id) => Some(json!(client_id)),
            _ => None,
        }),
        "retained": of(|concerned| match concerned {
            Concerned::Retained(topic) => Some(json!(topic)),
            _ => None,
        }),
        "delayed": of(|concerned| match concerned {
            Concerned::Delayed(due) => Some(json!(due.0)),
            _ => None,
        }),
    })
}

impl Exported<'_> {
    /// As one object, with the payload as text when it is text.
    pub fn to_json(&self) -> Value {
        let view = self.message.view();
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        put("client", Value::Null);
        put("topic", view.topic.into());
        put("qos", u8::from(view.qos).into());
        put("retain", view.retain.into());
        match self.why {
            Why::Retained => put("retain", true.into()),
            Why::Delayed(due) => put("due", due.0.into()),
            Why::Queued { client_id, copy } => {
                put("client", client_id.into());
                put("qos", u8::from(copy.qos).into());
                put("retain", copy.retain.into());
                put("may_have_arrived", self.why.may_have_arrived().into());
                if let Some(ids) = &copy.subscription_ids {
                    put("subscription_identifiers", json!(&ids[..]));
                }
            }
        }
        put("expires", millis(self.expires));
        put("properties", properties(Properties::from_checked(view.properties)));
        match std::str::from_utf8(view.payload) {
            Ok(text) => put("payload", text.into()),
            Err(_) => put("payload_base64", STANDARD.encode(view.payload).into()),
        }
        object.into()
    }
}

/// The properties that go with a message from its publisher to whoever gets it.
fn properties(block: Properties<'_>) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    for property in block.iter() {
        match property {
            Property::PayloadFormatIndicator(is_text) => {
                put("payload_format_indicator", u8::from(is_text).into())
            }
            Property::ContentType(text) => put("content_type", text.into()),
            Property::ResponseTopic(topic) => put("response_topic", topic.into()),
            Property::CorrelationData(data) => put("correlation_data_base64", STANDARD.encode(data).into()),
            _ => {}
        }
    }
    let pairs: Vec<_> = block.user_properties().map(|(name, value)| json!([name, value])).collect();
    if !pairs.is_empty() {
        put("user_properties", pairs.into());
    }
    object.into()
}

fn millis(time: Option<WallTime>) -> Value {
    time.map_or(Value::Null, |time| time.0.into())
}
