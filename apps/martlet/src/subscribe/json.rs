//! A message as one line of JSON, the way `mosquitto_sub` writes it.

use jiff::Zoned;
use martlet_client::{Property, Received};

use super::format::strftime;

/// A payload that should be JSON and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotJson;

impl std::fmt::Display for NotJson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("is not JSON: use %j, which takes any payload")
    }
}

/// How the payload stands in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload {
    /// As a string.
    Text,
    /// As the JSON it is.
    Json,
}

/// Appends the message.
pub(super) fn render(
    received: &Received,
    payload: Payload,
    now: &Zoned,
    pretty: bool,
    out: &mut Vec<u8>,
) -> Result<(), NotJson> {
    let mut line = Vec::new();
    render_line(received, payload, now, &mut line)?;
    if pretty {
        spread(&line, out)
    } else {
        out.append(&mut line)
    }
    Ok(())
}

fn render_line(received: &Received, payload: Payload, now: &Zoned, out: &mut Vec<u8>) -> Result<(), NotJson> {
    let message = &received.message;
    let mut object = Object::new(out);
    object.string("tst", &strftime("%Y-%m-%dT%H:%M:%S.%6f%z", now));
    object.string("topic", &message.topic);
    object.raw("qos", u8::from(message.qos));
    object.raw("retain", u8::from(message.retain));
    object.raw("payloadlen", message.payload.len());
    if let Some(packet_id) = received.packet_id {
        object.raw("mid", packet_id);
    }
    properties(received, &mut object);
    match payload {
        _ if message.payload.is_empty() => object.raw("payload", "null"),
        Payload::Text => object.string("payload", &String::from_utf8_lossy(&message.payload)),
        Payload::Json => object.raw("payload", minify(&message.payload).ok_or(NotJson)?),
    }
    object.end();
    Ok(())
}

/// Writes an object of the properties, if there are any.
fn properties(received: &Received, object: &mut Object<'_>) {
    let message = &received.message;
    let block = message.properties.as_properties();
    let ids = &received.subscription_ids;
    if block.is_empty() && ids.is_empty() && message.topic_alias.is_none() && message.message_expiry.is_none()
    {
        return;
    }
    object.key("properties");
    let mut inner = Object::new(object.out);
    match ids.as_slice() {
        [] => {}
        [id] => inner.raw("subscription-identifier", id),
        ids => inner.raw("subscription-identifier", serde_json::json!(ids)),
    }
    let mut has_users = false;
    for property in block.iter() {
        match property {
            Property::PayloadFormatIndicator(is_text) => {
                inner.raw("payload-format-indicator", u8::from(is_text));
            }
            Property::ContentType(text) => inner.string("content-type", text),
            Property::ResponseTopic(topic) => inner.string("response-topic", topic),
            Property::CorrelationData(data) => {
                inner.string("correlation-data", &String::from_utf8_lossy(data));
            }
            // All of them stand where the first one does.
            Property::UserProperty(..) if !has_users => {
                has_users = true;
                inner.key("user-properties");
                let mut users = Object::new(inner.out);
                block.user_properties().for_each(|(name, value)| users.string(name, value));
                users.end();
            }
            _ => {}
        }
    }
    if let Some(alias) = message.topic_alias {
        inner.raw("topic-alias", alias);
    }
    if let Some(seconds) = message.message_expiry {
        inner.raw("message-expiry-interval", seconds);
    }
    inner.end();
}

/// An object that is being written. Keys may come twice, as User Properties do.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    separator: u8,
}

impl<'a> Object<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, separator: b'{' }
    }

    fn key(&mut self, key: &str) {
        self.out.push(self.separator);
        self.separator = b',';
        self.out.extend_from_slice(quote(key).as_bytes());
        self.out.push(b':');
    }

    fn raw(&mut self, key: &str, value: impl ToString) {
        self.key(key);
        self.out.extend_from_slice(value.to_string().as_bytes());
    }

    fn string(&mut self, key: &str, value: &str) {
        self.raw(key, quote(value));
    }

    fn end(self) {
        self.out.push(b'}');
    }
}

fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Writes JSON that has no white space over several lines, indented by tabs as `mosquitto_sub --pretty` does.
fn spread(json: &[u8], out: &mut Vec<u8>) {
    let mut open = Vec::new();
    let (mut is_in_string, mut is_escaped) = (false, false);
    let new_line = |depth: usize, out: &mut Vec<u8>| {
        out.push(b'\n');
        out.resize(out.len() + depth, b'\t');
    };
    for (at, byte) in json.iter().copied().enumerate() {
        if is_in_string {
            is_in_string = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
            out.push(byte);
            continue;
        }
        is_in_string = byte == b'"';
        match byte {
            b'{' => {
                open.push(byte);
                out.push(byte);
                let is_empty = json.get(at + 1) == Some(&b'}');
                new_line(open.len() - usize::from(is_empty), out);
            }
            b'}' => {
                open.pop();
                if json[at - 1] != b'{' {
                    new_line(open.len(), out);
                }
                out.push(byte);
            }
            b'[' => {
                open.push(byte);
                out.push(byte);
            }
            b']' => {
                open.pop();
                out.push(byte);
            }
            b',' if open.last() == Some(&b'{') => {
                out.push(byte);
                new_line(open.len(), out);
            }
            b',' => out.extend_from_slice(b", "),
            b':' => out.extend_from_slice(b":\t"),
            _ => out.push(byte),
        }
    }
}

/// JSON without the white space between its tokens; none when it is no JSON. Numbers keep every digit.
fn minify(bytes: &[u8]) -> Option<String> {
    serde_json::from_slice::<serde_json::Value>(bytes).ok()?;
    let (mut is_in_string, mut is_escaped) = (false, false);
    let is_kept = |character: &char| {
        if is_in_string {
            is_in_string = is_escaped || *character != '"';
            is_escaped = !is_escaped && *character == '\\';
            return true;
        }
        is_in_string = *character == '"';
        !character.is_ascii_whitespace()
    };
    Some(std::str::from_utf8(bytes).ok()?.chars().filter(is_kept).collect())
}

#[cfg(test)]
mod tests {
    use martlet_client::{Message, PacketId, PropertiesBuf, QoS};

    use super::*;

    fn line(received: &Received, payload: Payload) -> Result<String, NotJson> {
        let now = "2026-05-06T21:48:00.123456789+02:00[+02:00]".parse().unwrap();
        let mut out = Vec::new();
        render(received, payload, &now, false, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn received(payload: &'static str) -> Received {
        let message = Message::new("a \"b\"", payload);
        Received { message, dup: false, packet_id: None, subscription_ids: Vec::new() }
    }

    #[test]
    fn a_message_is_a_line_of_json() {
        assert_eq!(
            line(&received("x\n"), Payload::Text).unwrap(),
            r#"{"tst":"2026-05-06T21:48:00.123456+0200","topic":"a \"b\"","qos":0,"retain":0,"payloadlen":2,"payload":"x\n"}"#
        );
    }

    #[test]
    fn pretty_json_is_spread_over_lines() {
        let mut out = Vec::new();
        spread(br#"{"a":[1,{"b":"x,{\"}"}],"c":{},"d":null}"#, &mut out);
        let expected =
            "{\n\t\"a\":\t[1, {\n\t\t\t\"b\":\t\"x,{\\\"}\"\n\t\t}],\n\t\"c\":\t{\n\t},\n\t\"d\":\tnull\n}";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn properties_are_an_object_of_their_own() {
        let mut received = received("");
        let pairs = [("k", "v"), ("k", "w")].map(|(name, value)| Property::UserProperty(name, value));
        received.message.properties = PropertiesBuf::from_iter(pairs);
        received.message.properties.push(Property::ContentType("text"));
        received.message.qos = QoS::AtLeastOnce;
        received.packet_id = Some(PacketId::FIRST);
        received.subscription_ids = vec![1, 2];
        let line = line(&received, Payload::Json).unwrap();
        assert!(line.ends_with(
            r#""mid":1,"properties":{"subscription-identifier":[1,2],"user-properties":{"k":"v","k":"w"},"content-type":"text"},"payload":null}"#
        ), "{line}");
    }

    #[test]
    fn a_payload_of_json_stands_as_it_is_without_its_white_space() {
        for (given, expected) in [
            ("{ \"a b\" : [ 1.50 ,\n\"\\\" x\\\\\" , 2 ] }", r#"{"a b":[1.50,"\" x\\",2]}"#),
            (" 1e3 ", "1e3"),
        ] {
            let line = line(&received(given), Payload::Json).unwrap();
            assert!(line.ends_with(&format!("\"payload\":{expected}}}")), "{line}");
        }
        for given in ["bad", "{", "1 2", "'a'"] {
            assert_eq!(line(&received(given), Payload::Json), Err(NotJson), "{given}");
        }
    }
}
