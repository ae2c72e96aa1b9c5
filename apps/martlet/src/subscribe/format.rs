//! The format of `-F`: text with fields (`%`), times (`@`) and escapes (`\`), as `mosquitto_sub` reads it. It is parsed
//! once; what it does not know is refused before anything is received.

use std::iter::Peekable;
use std::str::{Chars, FromStr};

use jiff::Zoned;
use martlet_client::Received;

use super::json::{self, NotJson};

/// A parsed format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(Field, Padding),
    /// A specifier of strftime, its `%` included.
    Time(String),
    Nanoseconds,
}

/// What stands behind a `%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    TopicAlias,
    ContentType,
    CorrelationData,
    MessageExpiry,
    PayloadFormat,
    TimeIso8601,
    JsonWithText,
    JsonWithJson,
    PayloadLen,
    PacketId,
    UserProperties,
    Payload,
    QoS,
    ResponseTopic,
    Retain,
    SubscriptionIds,
    Topic,
    TimeUnix,
    PayloadHex,
    PayloadHexUpper,
}

/// What stands between `%` and the field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Padding {
    left: bool,
    zeros: bool,
    width: usize,
    /// The most bytes of a text.
    precision: Option<usize>,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(character) = chars.next() {
            match character {
                '%' => pieces.push(parse_field(&mut chars)?),
                '@' => pieces.push(parse_time(chars.next().ok_or("a time is missing after @ (@@ is @)")?)?),
                '\\' => pieces.push(parse_escape(chars.next().ok_or(r"nothing follows \ (\\ is \)")?)?),
                other => pieces.push(Piece::Text(other.into())),
            }
        }
        Ok(Self(pieces))
    }
}

fn parse_field(chars: &mut Peekable<Chars<'_>>) -> Result<Piece, String> {
    const INCOMPLETE: &str = "a field is missing after % (%% is %)";
    let mut padding = Padding { left: chars.next_if_eq(&'-').is_some(), ..Padding::default() };
    padding.zeros = chars.next_if_eq(&'0').is_some();
    padding.width = parse_number(chars)?.unwrap_or(0);
    if chars.next_if_eq(&'.').is_some() {
        padding.precision = Some(parse_number(chars)?.unwrap_or(0));
    }
    let field = match chars.next().ok_or(INCOMPLETE)? {
        '%' => return Ok(Piece::Text("%".into())),
        'A' => Field::TopicAlias,
        'C' => Field::ContentType,
        'D' => Field::CorrelationData,
        'E' => Field::MessageExpiry,
        'F' => Field::PayloadFormat,
        'I' => Field::TimeIso8601,
        'j' => Field::JsonWithText,
        'J' => Field::JsonWithJson,
        'l' => Field::PayloadLen,
        'm' => Field::PacketId,
        'P' => Field::UserProperties,
        'p' => Field::Payload,
        'q' => Field::QoS,
        'R' => Field::ResponseTopic,
        'r' => Field::Retain,
        'S' => Field::SubscriptionIds,
        't' => Field::Topic,
        'U' => Field::TimeUnix,
        'x' => Field::PayloadHex,
        'X' => Field::PayloadHexUpper,
        other => return Err(format!("there is no field %{other}")),
    };
    Ok(Piece::Field(field, padding))
}

/// The number that stands next, if one does.
fn parse_number(chars: &mut Peekable<Chars<'_>>) -> Result<Option<usize>, String> {
    const WIDEST: usize = 10_000;
    let mut number = None;
    while let Some(digit) = chars.peek().and_then(|character| character.to_digit(10)) {
        chars.next();
        let grown = number.unwrap_or(0) * 10 + digit as usize;
        if grown > WIDEST {
            return Err(format!("a width is at most {WIDEST}"));
        }
        number = Some(grown);
    }
    Ok(number)
}

fn parse_time(specifier: char) -> Result<Piece, String> {
    Ok(match specifier {
        '@' => Piece::Text("@".into()),
        'N' => Piece::Nanoseconds,
        other => {
            let specifier = format!("%{other}");
            jiff::fmt::strtime::format(&specifier, &Zoned::default())
                .map_err(|_| format!("strftime has no @{other}"))?;
            Piece::Time(specifier)
        }
    })
}

fn parse_escape(character: char) -> Result<Piece, String> {
    let text = match character {
        '\\' => "\\",
        '0' => "\0",
        'a' => "\x07",
        'e' => "\x1B",
        'n' => "\n",
        'r' => "\r",
        't' => "\t",
        'v' => "\x0B",
        other => return Err(format!(r"there is no escape \{other}")),
    };
    Ok(Piece::Text(text.into()))
}

impl Format {
    /// Appends the message. Fails when a payload should be JSON and is none.
    pub(super) fn render(
        &self,
        received: &Received,
        now: &Zoned,
        pretty: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), NotJson> {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Time(specifier) => out.extend_from_slice(strftime(specifier, now).as_bytes()),
                Piece::Nanoseconds => out.extend_from_slice(strftime("%9f", now).as_bytes()),
                Piece::Field(Field::JsonWithText, _) => {
                    json::render(received, json::Payload::Text, now, pretty, out)?;
                }
                Piece::Field(Field::JsonWithJson, _) => {
                    json::render(received, json::Payload::Json, now, pretty, out)?;
                }
                Piece::Field(field, padding) => render_field(*field, *padding, received, now, out),
            }
        }
        Ok(())
    }
}

fn render_field(field: Field, padding: Padding, received: &Received, now: &Zoned, out: &mut Vec<u8>) {
    let message = &received.message;
    let properties = message.properties.as_properties();
    match field {
        Field::TopicAlias => padding.number(message.topic_alias, out),
        Field::ContentType => padding.text(properties.content_type().unwrap_or_default(), out),
        Field::CorrelationData => {
            out.extend_from_slice(properties.correlation_data().unwrap_or_default());
        }
        Field::MessageExpiry => padding.number(message.message_expiry, out),
        Field::PayloadFormat => padding.number(properties.payload_format().map(u8::from), out),
        Field::TimeIso8601 => padding.text(&strftime("%FT%T%z", now), out),
        Field::JsonWithText | Field::JsonWithJson => unreachable!("the caller renders JSON"),
        Field::PayloadLen => padding.number(Some(message.payload.len()), out),
        Field::PacketId => padding.number(Some(received.packet_id.map_or(0, |id| id.get())), out),
        Field::UserProperties => {
            let pairs: Vec<_> =
                properties.user_properties().map(|(name, value)| format!("{name}:{value}")).collect();
            out.extend_from_slice(pairs.join(" ").as_bytes());
        }
        Field::Payload => padding.bytes(&message.payload, out),
        Field::QoS => out.push(b'0' + u8::from(message.qos)),
        // Where there is none, nothing stands for it: not even blanks.
        Field::ResponseTopic => {
            properties.response_topic().into_iter().for_each(|topic| padding.text(topic, out))
        }
        Field::Retain => out.push(b'0' + u8::from(message.retain)),
        Field::SubscriptionIds => {
            let ids: Vec<_> = received.subscription_ids.iter().map(u32::to_string).collect();
            padding.number((!ids.is_empty()).then(|| ids.join(",")), out);
        }
        Field::Topic => padding.text(&message.topic, out),
        Field::TimeUnix => out.extend_from_slice(strftime("%s.%9f", now).as_bytes()),
        Field::PayloadHex => padding.hex(&message.payload, |byte| format!("{byte:02x}"), out),
        Field::PayloadHexUpper => padding.hex(&message.payload, |byte| format!("{byte:02X}"), out),
    }
}

impl Padding {
    /// A number; blanks where there is none.
    fn number(self, number: Option<impl ToString>, out: &mut Vec<u8>) {
        let digits = number.map(|number| number.to_string()).unwrap_or_default();
        self.fill(digits.as_bytes(), digits.len(), self.zeros, out);
    }

    /// A text, cut to the precision. Both count bytes, as printf does, but no character is cut in two.
    fn text(self, text: &str, out: &mut Vec<u8>) {
        let end = text.floor_char_boundary(self.precision.unwrap_or(usize::MAX));
        self.fill(&text.as_bytes()[..end], end, false, out);
    }

    /// A payload, cut to the width.
    fn bytes(self, payload: &[u8], out: &mut Vec<u8>) {
        let most = if self.width > 0 { self.width } else { usize::MAX };
        let payload = &payload[..payload.len().min(most)];
        self.fill(payload, payload.len(), self.zeros, out);
    }

    /// A payload in hex, cut to the bytes whose digits the width holds.
    fn hex(self, payload: &[u8], digits: impl Fn(&u8) -> String, out: &mut Vec<u8>) {
        let most = if self.width > 0 { self.width / 2 } else { usize::MAX };
        let digits: String = payload.iter().take(most).map(digits).collect();
        self.fill(digits.as_bytes(), digits.len(), self.zeros, out);
    }

    /// Fills up to the width; zeros stand only before.
    fn fill(self, content: &[u8], width: usize, zeros: bool, out: &mut Vec<u8>) {
        let missing = self.width.saturating_sub(width);
        if self.left {
            out.extend_from_slice(content);
            out.resize(out.len() + missing, b' ');
        } else {
            out.resize(out.len() + missing, if zeros { b'0' } else { b' ' });
            out.extend_from_slice(content);
        }
    }
}

/// A time by strftime.
pub(super) fn strftime(specifiers: &str, now: &Zoned) -> String {
    jiff::fmt::strtime::format(specifiers, now)
        .expect("specifiers are ours or were tried when they were parsed")
}

#[cfg(test)]
mod tests {
    use martlet_client::{Message, PropertiesBuf, Property, QoS};

    use super::*;

    /// A retained "hi!" on `a/b`, with a Content Type, at a certain time.
    fn show(format: &str) -> String {
        let properties = PropertiesBuf::from_iter([Property::ContentType("text")]);
        let message = Message { properties, ..Message::new("a/b", "hi!").qos(QoS::AtLeastOnce).retained() };
        let received = Received { message, dup: false, packet_id: None, subscription_ids: vec![3, 4] };
        let now = "2026-05-06T21:48:00.123456789+02:00[+02:00]".parse().unwrap();
        let mut out = Vec::new();
        format.parse::<Format>().unwrap().render(&received, &now, false, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fields_show_the_message() {
        assert_eq!(show("%t %p q%q r%r %l %x %C 100%%"), "a/b hi! q1 r1 3 686921 text 100%");
        assert_eq!(show("%X|%m|%A|%D|%E|%F|%P|%R|%S"), "686921|0|||||||3,4");
    }

    #[test]
    fn widths_pad_and_cut() {
        assert_eq!(show("%6t|%-6t|%.2t|%4.1t"), "   a/b|a/b   |a/|   a");
        assert_eq!(show("%05l|%-3l|%3A|%03A"), "00003|3  |   |000");
        assert_eq!(show("%5p|%05p|%-5p|%2p|%4x|%3x|%8x"), "  hi!|00hi!|hi!  |hi|6869| 68|  686921");
    }

    #[test]
    fn times_are_local() {
        assert_eq!(show("%I"), "2026-05-06T21:48:00+0200");
        assert_eq!(show("%U"), "1778096880.123456789");
        assert_eq!(show("@Y-@m-@d @H:@M:@S.@N @@"), "2026-05-06 21:48:00.123456789 @");
    }

    #[test]
    fn escapes_are_characters() {
        assert_eq!(show(r"\\\0\a\e\n\r\t\v"), "\\\0\x07\x1B\n\r\t\x0B");
    }

    #[test]
    fn the_unknown_is_refused() {
        for format in ["%", "%k", "%-", "%5", "%.", "@", "\\", r"\q", "%99999t"] {
            assert!(format.parse::<Format>().is_err(), "{format}");
        }
    }
}
