//! The names that stand for variants, in both files alike.

use crate::config::{
    AcceptedVersion, Dialect, Direction, Durability, IpFamily, LogDestination, LogType, Protocol,
    ProtocolVersion, ProxyProtocol, QueuePolicy, ReloadType, SharedStrategy, StartType, TlsVersion,
};

/// A type whose values have names.
pub(crate) trait Named: Copy + PartialEq + 'static {
    /// All values with their names. A value that stands there twice has two names, of which the first is shown.
    const ALL: &'static [(Self, &'static str)];
}

/// The name of a value.
pub(crate) fn name_of<T: Named>(value: T) -> &'static str {
    T::ALL.iter().find(|(it, _)| *it == value).map(|(_, name)| *name).expect("every value has a name")
}

/// The value with this name.
pub(crate) fn named<T: Named>(name: &str) -> Option<T> {
    T::ALL.iter().find(|(_, it)| *it == name).map(|(value, _)| *value)
}

/// The first name of each value.
pub(crate) fn names<T: Named>() -> Vec<&'static str> {
    let mut names: Vec<_> = T::ALL.iter().map(|(value, _)| name_of(*value)).collect();
    names.dedup();
    names
}

macro_rules! names {
    ($($type:ident { $($name:literal: $variant:ident),* $(,)? })*) => {
        $(impl Named for $type {
            const ALL: &'static [(Self, &'static str)] = &[$((Self::$variant, $name)),*];
        })*

        #[cfg(test)]
        mod tests {
            use super::*;

            #[test]
            fn names_are_unlike_and_lead_back() {
                $(for (value, name) in <$type as Named>::ALL {
                    assert_eq!(named::<$type>(name), Some(*value));
                    assert_eq!(named::<$type>(name_of(*value)), Some(*value));
                })*
            }

            #[test]
            fn every_value_has_a_name() {
                // A variant without a name does not compile here.
                $(let _ = |value: $type| match value { $($type::$variant => (),)* };)*
            }
        }
    };
}

names! {
    Dialect { "native": Native, "mosquitto": Mosquitto, "mosquitto1": Mosquitto1 }
    QueuePolicy {
        "spill": Spill, "mosquitto": Mosquitto, "drop_oldest": DropOldest,
        "reject_publisher": RejectPublisher, "disconnect": Disconnect,
    }
    SharedStrategy {
        "round_robin": RoundRobin, "random": Random, "sticky": Sticky, "hash_client": HashClient,
        "hash_topic": HashTopic,
    }
    Durability { "always": Always, "interval": Interval, "never": Never }
    LogDestination { "stdout": Stdout, "stderr": Stderr, "syslog": Syslog, "topic": Topic, "file": File }
    LogType {
        "error": Error, "warning": Warning, "notice": Notice, "information": Information, "debug": Debug,
        "subscribe": Subscribe, "unsubscribe": Unsubscribe, "websockets": Websockets, "internal": Internal,
    }
    Protocol { "mqtt": Mqtt, "websockets": Websockets, "http_api": HttpApi }
    IpFamily { "ipv4": Ipv4, "ipv6": Ipv6 }
    ProxyProtocol { "off": Off, "v1": V1, "v2": V2 }
    AcceptedVersion { "3.1": V3_1, "3.1.1": V3_1_1, "5.0": V5 }
    TlsVersion { "tlsv1.1": V1_1, "tlsv1.2": V1_2, "tlsv1.3": V1_3 }
    Direction { "out": Out, "in": In, "both": Both }
    StartType { "automatic": Automatic, "lazy": Lazy, "once": Once }
    ReloadType { "lazy": Lazy, "immediate": Immediate }
    ProtocolVersion { "mqttv31": V3_1, "mqttv311": V3_1_1, "mqttv50": V5 }
}
