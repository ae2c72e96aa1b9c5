//! Reason Codes: the numbers of MQTT 5.0 with the specification's names, and what MQTT 3.x says instead.

/// Writes the enum, its list and its names from one table (MQTT 5.0, Table 2-6).
macro_rules! reason_codes {
    ($($value:literal $variant:ident $name:literal,)*) => {
        /// What came of a request, as MQTT 5.0 numbers it. Codes of 0x80 and above are refusals.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum ReasonCode {
            $(#[doc = $name] $variant = $value,)*
        }

        impl ReasonCode {
            /// All Reason Codes of MQTT 5.0 in ascending order.
            pub const ALL: [Self; 43] = [$(Self::$variant,)*];

            /// The name in the specification. 0x00 has three: this is "Success".
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        impl TryFrom<u8> for ReasonCode {
            type Error = u8;

            /// Gives the number back when MQTT 5.0 does not define it.
            fn try_from(number: u8) -> Result<Self, u8> {
                match number {
                    $($value => Ok(Self::$variant),)*
                    other => Err(other),
                }
            }
        }
    };
}

reason_codes! {
    0x00 Success "Success",
    0x01 GrantedQoS1 "Granted QoS 1",
    0x02 GrantedQoS2 "Granted QoS 2",
    0x04 DisconnectWithWillMessage "Disconnect with Will Message",
    0x10 NoMatchingSubscribers "No matching subscribers",
    0x11 NoSubscriptionExisted "No subscription existed",
    0x18 ContinueAuthentication "Continue authentication",
    0x19 ReAuthenticate "Re-authenticate",
    0x80 UnspecifiedError "Unspecified error",
    0x81 MalformedPacket "Malformed Packet",
    0x82 ProtocolError "Protocol Error",
    0x83 ImplementationSpecificError "Implementation specific error",
    0x84 UnsupportedProtocolVersion "Unsupported Protocol Version",
    0x85 ClientIdentifierNotValid "Client Identifier not valid",
    0x86 BadUserNameOrPassword "Bad User Name or Password",
    0x87 NotAuthorized "Not authorized",
    0x88 ServerUnavailable "Server unavailable",
    0x89 ServerBusy "Server busy",
    0x8A Banned "Banned",
    0x8B ServerShuttingDown "Server shutting down",
    0x8C BadAuthenticationMethod "Bad authentication method",
    0x8D KeepAliveTimeout "Keep Alive timeout",
    0x8E SessionTakenOver "Session taken over",
    0x8F TopicFilterInvalid "Topic Filter invalid",
    0x90 TopicNameInvalid "Topic Name invalid",
    0x91 PacketIdentifierInUse "Packet Identifier in use",
    0x92 PacketIdentifierNotFound "Packet Identifier not found",
    0x93 ReceiveMaximumExceeded "Receive Maximum exceeded",
    0x94 TopicAliasInvalid "Topic Alias invalid",
    0x95 PacketTooLarge "Packet too large",
    0x96 MessageRateTooHigh "Message rate too high",
    0x97 QuotaExceeded "Quota exceeded",
    0x98 AdministrativeAction "Administrative action",
    0x99 PayloadFormatInvalid "Payload format invalid",
    0x9A RetainNotSupported "Retain not supported",
    0x9B QoSNotSupported "QoS not supported",
    0x9C UseAnotherServer "Use another server",
    0x9D ServerMoved "Server moved",
    0x9E SharedSubscriptionsNotSupported "Shared Subscriptions not supported",
    0x9F ConnectionRateExceeded "Connection rate exceeded",
    0xA0 MaximumConnectTime "Maximum connect time",
    0xA1 SubscriptionIdentifiersNotSupported "Subscription Identifiers not supported",
    0xA2 WildcardSubscriptionsNotSupported "Wildcard Subscriptions not supported",
}

#[expect(non_upper_case_globals, reason = "further names of 0x00, written like the variants")]
impl ReasonCode {
    /// The name of 0x00 in SUBACK.
    pub const GrantedQoS0: Self = Self::Success;
    /// The name of 0x00 in DISCONNECT.
    pub const NormalDisconnection: Self = Self::Success;
}

impl ReasonCode {
    /// Whether the request failed.
    pub const fn is_error(self) -> bool {
        self as u8 >= 0x80
    }

    /// The Connect Return code by which a CONNACK of MQTT 3.x says it best.
    pub const fn connect_return_code(self) -> u8 {
        match self {
            code if !code.is_error() => 0,
            Self::UnsupportedProtocolVersion => 1,
            Self::ClientIdentifierNotValid => 2,
            Self::BadUserNameOrPassword => 4,
            Self::NotAuthorized | Self::Banned | Self::BadAuthenticationMethod | Self::TopicNameInvalid => 5,
            _ => 3,
        }
    }

    /// The Reason Code of this number if it is one of those allowed.
    pub(crate) fn among(allowed: &[Self], code: u8) -> Option<Self> {
        Self::try_from(code).ok().filter(|reason| allowed.contains(reason))
    }

    /// The Reason Code a Connect Return code stands for; none for those reserved.
    pub(crate) const fn from_connect_return_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Success,
            1 => Self::UnsupportedProtocolVersion,
            2 => Self::ClientIdentifierNotValid,
            3 => Self::ServerUnavailable,
            4 => Self::BadUserNameOrPassword,
            5 => Self::NotAuthorized,
            _ => return None,
        })
    }
}

impl From<ReasonCode> for u8 {
    fn from(code: ReasonCode) -> Self {
        code as Self
    }
}

impl From<crate::QoS> for ReasonCode {
    /// The code by which SUBACK grants this QoS.
    fn from(qos: crate::QoS) -> Self {
        match qos {
            crate::QoS::AtMostOnce => Self::GrantedQoS0,
            crate::QoS::AtLeastOnce => Self::GrantedQoS1,
            crate::QoS::ExactlyOnce => Self::GrantedQoS2,
        }
    }
}

impl std::fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table 2-6: 43 codes, of which three names share 0x00.
    #[test]
    fn each_code_has_its_number_and_no_other_number_is_one() {
        let numbers: Vec<u8> = ReasonCode::ALL.iter().map(|code| u8::from(*code)).collect();
        let table: Vec<u8> =
            [0x00, 0x01, 0x02, 0x04, 0x10, 0x11, 0x18, 0x19].into_iter().chain(0x80..=0xA2).collect();
        assert_eq!(numbers, table);
        for number in 0..=u8::MAX {
            assert_eq!(ReasonCode::try_from(number).is_ok(), table.contains(&number));
        }
    }

    #[test]
    fn refusals_begin_at_0x80() {
        assert!(!ReasonCode::ReAuthenticate.is_error());
        assert!(ReasonCode::UnspecifiedError.is_error());
    }

    #[test]
    fn names_are_the_specifications() {
        assert_eq!(ReasonCode::GrantedQoS0.to_string(), "Success");
        assert_eq!(ReasonCode::BadUserNameOrPassword.to_string(), "Bad User Name or Password");
    }

    /// MQTT 3.1.1, Table 3.1.
    #[test]
    fn connect_return_codes_are_read_as_they_are_written() {
        for code in 0..=5 {
            let reason = ReasonCode::from_connect_return_code(code).expect("defined");
            assert_eq!(reason.connect_return_code(), code);
        }
        assert_eq!(ReasonCode::from_connect_return_code(6), None);
        assert_eq!(ReasonCode::ServerBusy.connect_return_code(), 3);
        assert_eq!(ReasonCode::Banned.connect_return_code(), 5);
    }
}
