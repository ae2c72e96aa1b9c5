//! From the first byte to CONNACK: the CONNECT and, if its Client asks for it, the exchange of AUTH packets.
//!
//! There is no Session yet. What comes out is a [`ConnectRequest`] for the Client's home shard, or a refusal.

use std::sync::Arc;

use martlet_access::Permit;
use martlet_packet::{Auth, ConnAck, Connect, Packet, QoS, ReasonCode, Version};
use martlet_topic::{Limits, TopicName};

use crate::auth::encode_auth;
use crate::{AuthStep, Authenticator, Exchange, Secret, Terms, Violation, Will, encode_explained};

/// What the node asks of a CONNECT.
#[derive(Debug, Clone)]
pub struct HandshakePolicy {
    /// What a generated Client Identifier begins with.
    pub client_id_prefix: &'static str,
    /// Longest Client Identifier, in bytes [MQTT-3.1.3-5].
    pub client_id_bytes_max: usize,
    /// Maximum QoS of a Will.
    pub maximum_qos: QoS,
    /// A Will may be retained.
    pub retain_available: bool,
    /// Limits on the Will Topic.
    pub topics: Limits,
    /// Refusals carry their words.
    pub reason_strings: bool,
    /// Authentication Methods the node knows.
    pub authenticators: Arc<[Arc<dyn Authenticator>]>,
    /// Every Client Identifier must begin so; another is refused with 0x87.
    pub client_ids_begin: Option<Arc<str>>,
    /// What an empty Client Identifier that MQTT 5 would allow is refused with.
    pub empty_client_id: ReasonCode,
    /// Keep Alive an MQTT 3 Client may ask for, in seconds, where one that asks for more, or for none, is refused.
    pub keep_alive_max_v3: Option<u16>,
    /// Bytes of payload a Will may have.
    pub payload_bytes_max: usize,
    /// The terms of the listener.
    pub terms: Arc<Terms>,
}

impl Default for HandshakePolicy {
    fn default() -> Self {
        Self {
            client_id_prefix: "auto-",
            client_id_bytes_max: 65_535,
            maximum_qos: QoS::ExactlyOnce,
            retain_available: true,
            topics: Limits::default(),
            reason_strings: true,
            authenticators: Arc::new([]),
            client_ids_begin: None,
            empty_client_id: ReasonCode::ClientIdentifierNotValid,
            keep_alive_max_v3: None,
            payload_bytes_max: usize::MAX,
            terms: Terms::none(),
        }
    }
}

impl HandshakePolicy {
    /// The same for the Clients of a listener with these terms.
    #[must_use]
    pub fn under(&self, terms: Arc<Terms>) -> Self {
        Self { terms, ..self.clone() }
    }
}

/// A CONNECT that was accepted, ready for the Client's home shard.
#[derive(Debug)]
pub struct ConnectRequest {
    /// The terms of its listener.
    pub terms: Arc<Terms>,
    /// What it may do: everything, until whoever knows it says otherwise.
    pub permit: Permit,
    /// Its User Name, from CONNECT or as its transport proved it.
    pub username: Option<Box<str>>,
    /// Its Password, for whoever checks it.
    pub password: Option<Secret>,
    /// Protocol Version.
    pub version: Version,
    /// Its Client Identifier, given or generated.
    pub client_id: Box<str>,
    /// It was generated [MQTT-3.2.2-16].
    pub is_assigned: bool,
    /// It says it is a bridge: what it publishes must not come back, and RETAIN is kept for it.
    pub is_bridge: bool,
    /// Clean Start, or Clean Session.
    pub clean_start: bool,
    /// Keep Alive the Client asks for, in seconds.
    pub keep_alive: u16,
    /// The Will.
    pub will: Option<Box<Will>>,
    /// Session Expiry Interval; `None` when an MQTT 5 Client did not say.
    pub session_expiry: Option<u32>,
    /// The Client's Receive Maximum.
    pub receive_maximum: u16,
    /// The Client's Maximum Packet Size; `u32::MAX` when it has none.
    pub maximum_packet_size: u32,
    /// The Client's Topic Alias Maximum.
    pub topic_alias_maximum: u16,
    /// Reason Strings and User Properties may be sent on any packet.
    pub wants_problem_information: bool,
    /// The Client would like Response Information.
    pub wants_response_information: bool,
    /// The method of an exchange that succeeded.
    pub authentication_method: Option<Box<str>>,
    /// The last data of that exchange, for CONNACK.
    pub authentication_data: Vec<u8>,
}

/// What a packet before CONNACK leads to.
#[derive(Debug)]
pub enum Progress {
    /// Send this and read on.
    Reply(Vec<u8>),
    /// The Client is admitted: its home shard takes over.
    Admitted(Box<ConnectRequest>),
    /// Send this, if anything, and close the Network Connection.
    Refused(Vec<u8>, Violation),
}

/// A Network Connection before its CONNACK.
#[derive(Debug, Default)]
pub enum Handshake {
    /// Nothing came yet: the first packet must be CONNECT [MQTT-3.1.0-1].
    #[default]
    AwaitingConnect,
    /// AUTH packets go to and fro.
    Authenticating {
        /// The CONNECT they belong to.
        request: Box<ConnectRequest>,
        /// Our side of the exchange.
        exchange: Box<dyn Exchange>,
    },
}

impl Handshake {
    /// Takes a packet. `random` makes a Client Identifier for a Client that has none.
    pub fn receive(
        &mut self,
        packet: &Packet<'_>,
        policy: &HandshakePolicy,
        random: impl FnOnce() -> u128,
    ) -> Progress {
        match (std::mem::take(self), packet) {
            (Self::AwaitingConnect, Packet::Connect(connect)) => self.connect(connect, policy, random),
            (Self::AwaitingConnect, _) => Progress::Refused(
                Vec::new(),
                Violation::protocol("the first packet of a Network Connection must be CONNECT"),
            ),
            (Self::Authenticating { request, exchange }, Packet::Auth(auth)) => {
                self.continue_exchange(request, exchange, auth, policy)
            }
            (Self::Authenticating { .. }, Packet::Disconnect(_)) => Progress::Refused(
                Vec::new(),
                Violation::new(ReasonCode::NormalDisconnection, "the Client left"),
            ),
            (Self::Authenticating { request, .. }, _) => refuse(
                Version::V5,
                request.maximum_packet_size,
                policy,
                Violation::protocol("only AUTH or DISCONNECT may follow before CONNACK"), // [MQTT-3.1.2-30]
            ),
        }
    }

    fn connect(
        &mut self,
        connect: &Connect<'_>,
        policy: &HandshakePolicy,
        random: impl FnOnce() -> u128,
    ) -> Progress {
        let maximum = connect.properties.maximum_packet_size().unwrap_or(u32::MAX);
        let checked = check_will(connect, policy)
            .and_then(|()| check_client_id(connect, policy))
            .and_then(|()| check_keep_alive(connect, policy));
        let request = checked.and_then(|()| {
            let request = ConnectRequest::new(connect, policy, random);
            check_beginning(&request.client_id, policy)?;
            request.named_by_username()
        });
        let request = match request {
            Ok(request) => Box::new(request),
            Err(violation) => return refuse(connect.version, maximum, policy, violation),
        };
        let Some(method) = connect.properties.authentication_method() else {
            if connect.properties.authentication_data().is_some() {
                let violation = Violation::protocol("Authentication Data needs an Authentication Method");
                return refuse(connect.version, maximum, policy, violation);
            }
            return Progress::Admitted(request);
        };
        let Some(authenticator) = policy.authenticators.iter().find(|known| known.method() == method) else {
            // [MQTT-4.12.0-1]
            let text = format!("Authentication Method {method:?} is not known here");
            let violation = Violation::new(ReasonCode::BadAuthenticationMethod, text);
            return refuse(connect.version, maximum, policy, violation);
        };
        let exchange = authenticator.begin(&request.client_id);
        let data = connect.properties.authentication_data().unwrap_or_default();
        self.step(request, exchange, data, policy)
    }

    fn continue_exchange(
        &mut self,
        request: Box<ConnectRequest>,
        exchange: Box<dyn Exchange>,
        auth: &Auth<'_>,
        policy: &HandshakePolicy,
    ) -> Progress {
        // [MQTT-4.12.0-3], [MQTT-4.12.0-5]
        let same_method = auth.properties.authentication_method() == request.authentication_method.as_deref();
        if auth.reason != ReasonCode::ContinueAuthentication || !same_method {
            let violation = Violation::protocol("AUTH must continue the exchange with its own method");
            return refuse(request.version, request.maximum_packet_size, policy, violation);
        }
        let data = auth.properties.authentication_data().unwrap_or_default();
        self.step(request, exchange, data, policy)
    }

    fn step(
        &mut self,
        mut request: Box<ConnectRequest>,
        mut exchange: Box<dyn Exchange>,
        data: &[u8],
        policy: &HandshakePolicy,
    ) -> Progress {
        match exchange.step(data) {
            AuthStep::Continue(data) => {
                let method = request.authentication_method.as_deref().unwrap_or_default();
                let mut bytes = Vec::new();
                encode_auth(ReasonCode::ContinueAuthentication, method, &data, &mut bytes);
                if bytes.len() > request.maximum_packet_size as usize {
                    let text = "AUTH is larger than the Client's Maximum Packet Size";
                    let violation = Violation::new(ReasonCode::PacketTooLarge, text);
                    return refuse(request.version, request.maximum_packet_size, policy, violation);
                }
                *self = Self::Authenticating { request, exchange };
                Progress::Reply(bytes)
            }
            AuthStep::Success(data) => {
                request.authentication_data = data;
                Progress::Admitted(request)
            }
            AuthStep::Failure(reason) => {
                let violation = Violation::new(reason, "the authentication exchange failed");
                refuse(request.version, request.maximum_packet_size, policy, violation)
            }
        }
    }
}

impl ConnectRequest {
    fn new(connect: &Connect<'_>, policy: &HandshakePolicy, random: impl FnOnce() -> u128) -> Self {
        let terms = &policy.terms;
        let is_assigned = connect.client_id.is_empty();
        let client_id = if is_assigned {
            let prefix = terms.client_id_prefix.as_deref().unwrap_or(policy.client_id_prefix);
            generated_client_id(prefix, random())
        } else {
            connect.client_id.into()
        };
        let properties = &connect.properties;
        let mount_point = terms.mount_point.as_deref().unwrap_or_default();
        Self {
            terms: Arc::clone(terms),
            permit: Permit::everything(),
            username: connect.user_name.map(Into::into),
            password: connect.password.map(Secret::from),
            version: connect.version,
            client_id,
            is_assigned,
            is_bridge: connect.bridge,
            clean_start: connect.clean_start,
            keep_alive: connect.keep_alive,
            will: connect.will.as_ref().map(|will| Box::new(Will::from_connect(will, mount_point))),
            session_expiry: session_expiry(connect),
            receive_maximum: properties.receive_maximum().unwrap_or(u16::MAX),
            maximum_packet_size: properties.maximum_packet_size().unwrap_or(u32::MAX),
            topic_alias_maximum: properties.topic_alias_maximum().unwrap_or(0),
            wants_problem_information: properties.request_problem_information().unwrap_or(true),
            wants_response_information: properties.request_response_information().unwrap_or(false),
            authentication_method: properties.authentication_method().map(Into::into),
            authentication_data: Vec::new(),
        }
    }

    /// The transport proved who the Client is: that counts, whatever CONNECT says.
    pub fn identify(&mut self, identity: &str) {
        self.password = None;
        self.username = Some(identity.into());
        if self.terms.username_is_client_id {
            self.take_username();
        }
    }

    /// The Client Identifier is the User Name, where the terms have it so.
    fn named_by_username(mut self) -> Result<Self, Violation> {
        if !self.terms.username_is_client_id || self.terms.identity_is_username {
            return Ok(self);
        }
        if self.username.is_none() {
            let text = "the User Name is the Client Identifier here, and there is none";
            return Err(Violation::new(ReasonCode::NotAuthorized, text));
        }
        self.take_username();
        Ok(self)
    }

    fn take_username(&mut self) {
        if let Some(username) = &self.username {
            self.client_id.clone_from(username);
        }
    }
}

/// Clean Session 1 ends with the Network Connection, Clean Session 0 never by itself [3.1.1 MQTT-3.1.2-4].
fn session_expiry(connect: &Connect<'_>) -> Option<u32> {
    match (connect.version, connect.clean_start) {
        (Version::V5, _) => connect.properties.session_expiry(),
        (_, true) => Some(0),
        (_, false) => Some(u32::MAX),
    }
}

fn check_client_id(connect: &Connect<'_>, policy: &HandshakePolicy) -> Result<(), Violation> {
    if connect.client_id.len() > policy.client_id_bytes_max {
        let text = format!("the Client Identifier is longer than {} bytes", policy.client_id_bytes_max);
        return Err(Violation::new(ReasonCode::ClientIdentifierNotValid, text));
    }
    let may_be_empty = match connect.version {
        Version::V5 => true,
        Version::V3_1_1 => connect.clean_start, // [3.1.1 MQTT-3.1.3-8]
        Version::V3_1 => false,
    };
    if connect.client_id.is_empty() && !may_be_empty {
        let text = "an empty Client Identifier needs MQTT 5, or MQTT 3.1.1 with Clean Session 1";
        return Err(Violation::new(ReasonCode::ClientIdentifierNotValid, text));
    }
    if connect.client_id.is_empty() && !policy.terms.allows_empty_client_id {
        let is_v5 = connect.version.is_v5();
        let reason = if is_v5 { policy.empty_client_id } else { ReasonCode::ClientIdentifierNotValid };
        return Err(Violation::new(reason, "an empty Client Identifier is not allowed here"));
    }
    Ok(())
}

/// Generated Client Identifiers, too, must begin as all do.
fn check_beginning(client_id: &str, policy: &HandshakePolicy) -> Result<(), Violation> {
    match policy.client_ids_begin.as_deref().filter(|prefix| !client_id.starts_with(prefix)) {
        Some(prefix) => {
            let text = format!("a Client Identifier must begin with {prefix} here");
            Err(Violation::new(ReasonCode::NotAuthorized, text))
        }
        None => Ok(()),
    }
}

/// MQTT 3 has no way to be told of a shorter Keep Alive.
fn check_keep_alive(connect: &Connect<'_>, policy: &HandshakePolicy) -> Result<(), Violation> {
    match policy.keep_alive_max_v3 {
        Some(max) if !connect.version.is_v5() && (connect.keep_alive == 0 || connect.keep_alive > max) => {
            let text = format!("the Keep Alive must be at most {max} s");
            Err(Violation::new(ReasonCode::ClientIdentifierNotValid, text))
        }
        _ => Ok(()),
    }
}

fn check_will(connect: &Connect<'_>, policy: &HandshakePolicy) -> Result<(), Violation> {
    let Some(will) = &connect.will else { return Ok(()) };
    if will.topic.starts_with("$CONTROL/") {
        return Err(Violation::new(
            ReasonCode::ImplementationSpecificError,
            "a Will cannot control the node",
        ));
    }
    let mount_point = policy.terms.mount_point.as_deref().unwrap_or_default();
    TopicName::parse(will.topic, &policy.topics)
        .and_then(|_| TopicName::parse(&format!("{mount_point}{}", will.topic), &policy.topics).map(drop))
        .map_err(|error| Violation::new(ReasonCode::TopicNameInvalid, format!("Will Topic: {error}")))?;
    let maximum_qos = policy.maximum_qos.min(policy.terms.maximum_qos);
    if will.qos > maximum_qos {
        // [MQTT-3.2.2-12]
        let text = format!("the Will QoS is above the Maximum QoS {}", u8::from(maximum_qos));
        return Err(Violation::new(ReasonCode::QoSNotSupported, text));
    }
    if will.retain && !policy.retain_available {
        // [MQTT-3.2.2-13]
        return Err(Violation::new(ReasonCode::RetainNotSupported, "retained messages are turned off here"));
    }
    if will.payload.len() > policy.payload_bytes_max {
        let text = format!("a Will may have {} bytes of payload", policy.payload_bytes_max);
        // MQTT 3 has no better word for it.
        let is_v5 = connect.version.is_v5();
        let reason = if is_v5 { ReasonCode::PacketTooLarge } else { ReasonCode::NotAuthorized };
        return Err(Violation::new(reason, text));
    }
    Ok(())
}

/// A CONNACK that refuses. MQTT 3 has words for only five reasons; for all others it is closed in silence.
fn refuse(version: Version, maximum: u32, policy: &HandshakePolicy, violation: Violation) -> Progress {
    let mut bytes = Vec::new();
    let has_words = version.is_v5() && violation.reason != ReasonCode::ImplementationSpecificError;
    if has_words || has_return_code(violation.reason) {
        let text = policy.reason_strings.then_some(&*violation.text);
        let reason = violation.reason;
        let (out, session_present) = (&mut bytes, false);
        encode_explained(
            version,
            maximum,
            text,
            |properties| Packet::ConnAck(ConnAck { session_present, reason, properties }),
            out,
        );
    }
    Progress::Refused(bytes, violation)
}

fn has_return_code(reason: ReasonCode) -> bool {
    matches!(
        reason,
        ReasonCode::UnsupportedProtocolVersion
            | ReasonCode::ClientIdentifierNotValid
            | ReasonCode::ServerUnavailable
            | ReasonCode::ServerBusy
            | ReasonCode::BadUserNameOrPassword
            | ReasonCode::NotAuthorized
            | ReasonCode::Banned
    )
}

/// A UUID behind the prefix, as Mosquitto writes it.
fn generated_client_id(prefix: &str, random: u128) -> Box<str> {
    let hex = format!("{random:032X}");
    let (a, b, c, d, e) = (&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    format!("{prefix}{a}-{b}-{c}-{d}-{e}").into()
}
