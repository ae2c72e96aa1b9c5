//! Properties of MQTT 5.0 on the command line: `-D PACKET NAME VALUE`, and for User Properties `-D PACKET
//! user-property NAME VALUE`. They are checked when they are read; what is kept here is right for its packet.

use std::ffi::OsString;

use clap::builder::ValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use martlet_client::topic::{Limits, TopicName};
use martlet_client::{ConnectOptions, Message, PropertiesBuf, Property, Will};

/// The properties given.
#[derive(Debug, Clone, Default)]
pub(crate) struct PropertyArgs(Vec<Given>);

/// One property as given.
#[derive(Debug, Clone)]
struct Given {
    packet: PacketName,
    name: String,
    value: String,
    /// The value of a User Property, whose name is `value`.
    user_value: String,
}

/// The packets that can be given properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PacketName {
    Connect,
    Publish,
    Subscribe,
    Unsubscribe,
    Disconnect,
    Will,
}

impl PropertyArgs {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts the properties of CONNECT into its options.
    pub(crate) fn apply_to_connect(&self, options: &mut ConnectOptions) {
        for property in self.of(PacketName::Connect) {
            match property {
                Property::SessionExpiryInterval(seconds) => options.session_expiry = seconds,
                Property::ReceiveMaximum(maximum) => options.receive_maximum = maximum,
                Property::TopicAliasMaximum(maximum) => options.topic_alias_maximum = maximum,
                Property::MaximumPacketSize(bytes) => options.maximum_packet_size = bytes,
                other => drop(options.properties.push(other)),
            }
        }
    }

    /// Puts the properties of PUBLISH into a Message.
    pub(crate) fn apply_to_message(&self, message: &mut Message) {
        self.of(PacketName::Publish).for_each(|property| put_into(message, property));
    }

    /// Puts the properties of the Will into it.
    pub(crate) fn apply_to_will(&self, will: &mut Will) {
        for property in self.of(PacketName::Will) {
            match property {
                Property::WillDelayInterval(seconds) => will.delay = seconds,
                other => put_into(&mut will.message, other),
            }
        }
    }

    /// The properties of a packet that has no options besides.
    pub(crate) fn block(&self, packet: PacketName) -> PropertiesBuf {
        self.of(packet).filter(|property| !matches!(property, Property::SubscriptionIdentifier(_))).collect()
    }

    /// The Subscription Identifier of SUBSCRIBE.
    pub(crate) fn subscription_id(&self) -> Option<u32> {
        self.of(PacketName::Subscribe).find_map(|property| match property {
            Property::SubscriptionIdentifier(id) => Some(id),
            _ => None,
        })
    }

    fn of(&self, packet: PacketName) -> impl Iterator<Item = Property<'_>> {
        self.0.iter().filter(move |given| given.packet == packet).filter_map(|given| given.property().ok())
    }

    fn push(&mut self, given: Given) -> Result<(), String> {
        given.check()?;
        let is_there = |other: &Given| (other.packet, &other.name) == (given.packet, &given.name);
        if given.name != USER_PROPERTY && self.0.iter().any(is_there) {
            return Err(format!("{} is given twice for the same packet", given.name));
        }
        self.0.push(given);
        Ok(())
    }
}

fn put_into(message: &mut Message, property: Property<'_>) {
    match property {
        Property::MessageExpiryInterval(seconds) => message.message_expiry = Some(seconds),
        Property::TopicAlias(alias) => message.topic_alias = Some(alias),
        other => drop(message.properties.push(other)),
    }
}

const USER_PROPERTY: &str = "user-property";

/// Stands between the words of a property that were put into one argument: nobody types it.
pub(super) const SEPARATOR: char = '\u{1f}';

/// How many of these arguments are the words of a property; none when some are missing.
pub(super) fn words_of(args: &[OsString]) -> Option<usize> {
    let count = if args.get(1)? == USER_PROPERTY { 4 } else { 3 };
    (args.len() >= count).then_some(count)
}

impl PacketName {
    const ALL: [(&str, Self); 6] = [
        ("connect", Self::Connect),
        ("publish", Self::Publish),
        ("subscribe", Self::Subscribe),
        ("unsubscribe", Self::Unsubscribe),
        ("disconnect", Self::Disconnect),
        ("will", Self::Will),
    ];

    fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, packet)| *packet).ok_or_else(|| {
            format!(
                "no properties can be given to {text:?}, only to {}",
                Self::ALL.map(|(name, _)| name).join(", ")
            )
        })
    }

    /// The properties this packet may carry from a Client. (MQTT 5.0, Table 2-4)
    const fn allowed(self) -> &'static [&'static str] {
        match self {
            Self::Connect => &[
                "session-expiry-interval",
                "receive-maximum",
                "maximum-packet-size",
                "topic-alias-maximum",
                "request-response-information",
                "request-problem-information",
                "authentication-method",
                "authentication-data",
                USER_PROPERTY,
            ],
            Self::Publish => &[
                "payload-format-indicator",
                "message-expiry-interval",
                "content-type",
                "response-topic",
                "correlation-data",
                "topic-alias",
                USER_PROPERTY,
            ],
            Self::Subscribe => &["subscription-identifier", USER_PROPERTY],
            Self::Unsubscribe => &[USER_PROPERTY],
            Self::Disconnect => &["session-expiry-interval", "reason-string", USER_PROPERTY],
            Self::Will => &[
                "will-delay-interval",
                "payload-format-indicator",
                "message-expiry-interval",
                "content-type",
                "response-topic",
                "correlation-data",
                USER_PROPERTY,
            ],
        }
    }
}

impl Given {
    /// Takes the words after a `-D`.
    fn from_words(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut word = || words.next().ok_or("a property is given by its packet, its name and its value");
        let packet = PacketName::parse(&word()?)?;
        let (name, value) = (word()?, word()?);
        let user_value = words.next();
        match (name == USER_PROPERTY, &user_value) {
            (true, None) => return Err(format!("a {USER_PROPERTY} has a name and a value")),
            (false, Some(extra)) => return Err(format!("{extra:?} is too much: {name} has one value")),
            _ => {}
        }
        Ok(Self { packet, name, value, user_value: user_value.unwrap_or_default() })
    }

    fn check(&self) -> Result<(), String> {
        let allowed = self.packet.allowed();
        if !allowed.contains(&self.name.as_str()) {
            return Err(format!("{:?} is none of the properties there: {}", self.name, allowed.join(", ")));
        }
        self.property().map(drop).map_err(|fault| format!("{}: {fault}", self.name))
    }

    /// The property; whether it belongs to the packet is not asked.
    fn property(&self) -> Result<Property<'_>, String> {
        let value = string(&self.value)?;
        Ok(match self.name.as_str() {
            "payload-format-indicator" => Property::PayloadFormatIndicator(number::<u8>(value, 0, 1)? == 1),
            "message-expiry-interval" => Property::MessageExpiryInterval(number(value, 0, u32::MAX)?),
            "content-type" => Property::ContentType(value),
            "response-topic" => Property::ResponseTopic(topic_name(value)?),
            "correlation-data" => Property::CorrelationData(value.as_bytes()),
            "subscription-identifier" => Property::SubscriptionIdentifier(number(value, 1, 268_435_455)?),
            "session-expiry-interval" => Property::SessionExpiryInterval(number(value, 0, u32::MAX)?),
            "authentication-method" => Property::AuthenticationMethod(value),
            "authentication-data" => Property::AuthenticationData(value.as_bytes()),
            "request-problem-information" => {
                Property::RequestProblemInformation(number::<u8>(value, 0, 1)? == 1)
            }
            "will-delay-interval" => Property::WillDelayInterval(number(value, 0, u32::MAX)?),
            "request-response-information" => {
                Property::RequestResponseInformation(number::<u8>(value, 0, 1)? == 1)
            }
            "reason-string" => Property::ReasonString(value),
            "receive-maximum" => Property::ReceiveMaximum(number(value, 1, u16::MAX)?),
            "topic-alias-maximum" => Property::TopicAliasMaximum(number(value, 0, u16::MAX)?),
            "topic-alias" => Property::TopicAlias(number(value, 1, u16::MAX)?),
            "maximum-packet-size" => Property::MaximumPacketSize(number(value, 1, u32::MAX)?),
            USER_PROPERTY => Property::UserProperty(value, string(&self.user_value)?),
            other => return Err(format!("{other:?} is unknown")),
        })
    }
}

fn number<T: std::str::FromStr + PartialOrd + std::fmt::Display>(
    text: &str,
    least: T,
    most: T,
) -> Result<T, String> {
    match text.parse() {
        Ok(number) if number >= least && number <= most => Ok(number),
        _ => Err(format!("{text:?} is no number from {least} to {most}")),
    }
}

fn string(text: &str) -> Result<&str, String> {
    if text.len() > usize::from(u16::MAX) {
        return Err(format!("{} bytes are too many, the most is 65535", text.len()));
    }
    Ok(text)
}

fn topic_name(text: &str) -> Result<&str, String> {
    TopicName::parse(text, &Limits::default()).map(TopicName::as_str).map_err(|error| error.to_string())
}

impl FromArgMatches for PropertyArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut properties = Self::default();
        for words in matches.get_occurrences::<String>("property").into_iter().flatten() {
            Given::from_words(words.cloned())
                .and_then(|given| properties.push(given))
                .map_err(|fault| clap::Error::raw(ErrorKind::ValueValidation, format!("-D: {fault}\n")))?;
        }
        Ok(properties)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for PropertyArgs {
    fn augment_args(command: Command) -> Command {
        const HELP: &str = "A property of a packet (turns MQTT 5.0 on). PACKET is connect, publish, subscribe, \
                            unsubscribe, disconnect or will; user-property takes a name and a value";
        command.arg(
            Arg::new("property")
                .short('D')
                .long("property")
                .num_args(1..=4)
                .value_delimiter(SEPARATOR)
                .action(ArgAction::Append)
                .value_parser(ValueParser::string())
                .value_names(["PACKET", "PROPERTY", "VALUE"])
                .help(HELP),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<PropertyArgs, clap::Error> {
        let command = PropertyArgs::augment_args(Command::new("martlet").no_binary_name(true));
        PropertyArgs::from_arg_matches(&command.try_get_matches_from(line.split(' '))?)
    }

    #[test]
    fn properties_go_to_their_packets() {
        let given = "-D publish topic-alias 7 -D publish user-property a b -D publish user-property a c \
                     -D will will-delay-interval 5 -D subscribe subscription-identifier 9";
        let properties = parse(given).unwrap();
        let mut message = Message::new("t", "");
        properties.apply_to_message(&mut message);
        assert_eq!(message.topic_alias, Some(7));
        let pairs: Vec<_> = message.properties.as_properties().user_properties().collect();
        assert_eq!(pairs, [("a", "b"), ("a", "c")]);
        assert_eq!(properties.subscription_id(), Some(9));
        assert!(properties.block(PacketName::Subscribe).is_empty());
        let mut will = Will { message: Message::new("t", ""), delay: 0 };
        properties.apply_to_will(&mut will);
        assert_eq!(will.delay, 5);
    }

    #[test]
    fn wrong_properties_are_refused() {
        for line in [
            "-D publish topic-alias",
            "-D publish topic-alias 0",
            "-D publish topic-alias 65536",
            "-D publish topic-alias 1 2",
            "-D publish user-property a",
            "-D publish will-delay-interval 1",
            "-D publish response-topic a/+",
            "-D publish colour blue",
            "-D puback reason-string a",
            "-D publish content-type a -D publish content-type b",
            "-D connect receive-maximum 0",
            "-D will payload-format-indicator 2",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
