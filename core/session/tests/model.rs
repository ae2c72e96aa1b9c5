//! Identifiers, room and order of a Session's outgoing copies against a plain list of them.
//!
//! Identifiers begin shortly before they run out, and dropped copies use them up by the thousand, so that one that is
//! still in use comes up again and again.

use std::sync::Arc;

use martlet_access::Permit;
use martlet_packet::{Ack, Packet, PacketId, QoS, ReasonCode, Version, decode, frame};
use martlet_record::{Body, MessageRef, SessionNumber, Time};
use martlet_session::{
    ConnectRequest, Connection, ConnectionId, CopyState, MessageCopy, Outgoing, ReadAhead, Received,
    SendLimits, Session, Terms,
};
use proptest::prelude::*;

/// Identifiers there are.
const IDS: u64 = 65_535;

const LIMITS: SendLimits = SendLimits {
    in_flight: u16::MAX,
    in_flight_bytes: usize::MAX,
    ahead_bytes: usize::MAX,
    qos0_bytes: usize::MAX,
    read_ahead: ReadAhead::DEFAULT,
};

#[derive(Debug, Clone)]
enum Step {
    Enqueue {
        qos: QoS,
    },
    Drop {
        count: u64,
    },
    /// The right answer to some copy, or any to any identifier.
    Answer {
        choice: usize,
    },
    PubAck {
        id: u16,
    },
    PubRec {
        id: u16,
    },
    PubComp {
        id: u16,
    },
    Reconnect {
        receive_maximum: u16,
    },
}

fn step() -> impl Strategy<Value = Step> {
    // Identifiers at both ends, where they meet.
    let id = || prop_oneof![1..6_u16, 65_530..=u16::MAX];
    prop_oneof![
        8 => any::<bool>().prop_map(|twice| Step::Enqueue { qos: if twice { QoS::ExactlyOnce } else { QoS::AtLeastOnce } }),
        1 => prop_oneof![1..4_u64, 65_525..65_540_u64].prop_map(|count| Step::Drop { count }),
        8 => any::<usize>().prop_map(|choice| Step::Answer { choice }),
        1 => id().prop_map(|id| Step::PubAck { id }),
        1 => id().prop_map(|id| Step::PubRec { id }),
        1 => id().prop_map(|id| Step::PubComp { id }),
        1 => (1..6_u16).prop_map(|receive_maximum| Step::Reconnect { receive_maximum }),
    ]
}

/// A copy in the model.
#[derive(Debug)]
struct Copy {
    ordinal: u64,
    qos: QoS,
    state: CopyState,
    is_seen: bool,
}

impl Copy {
    fn id(&self) -> u16 {
        u16::try_from(self.ordinal % IDS + 1).expect("an identifier")
    }
}

/// The model: all copies that are not finished, in their order.
#[derive(Debug)]
struct Oracle {
    copies: Vec<Copy>,
    ordinals: u64,
    receive_maximum: usize,
    heard: Vec<String>,
}

impl Oracle {
    fn take(&mut self, step: &Step) {
        match *step {
            Step::Enqueue { qos } => {
                let (ordinal, state) = (self.ordinals, CopyState::Queued);
                self.copies.push(Copy { ordinal, qos, state, is_seen: false });
                self.ordinals += 1;
            }
            Step::Drop { count } => self.ordinals += count,
            Step::Reconnect { receive_maximum } => {
                self.copies.iter_mut().for_each(|copy| copy.is_seen = false);
                self.receive_maximum = usize::from(receive_maximum);
            }
            Step::PubRec { id } => self.find(id, |copy| copy.state = CopyState::Released),
            Step::PubAck { id } | Step::PubComp { id } => {
                self.copies.retain(|copy| !(copy.is_seen && copy.id() == id));
            }
            Step::Answer { .. } => unreachable!("it was made one of the others"),
        }
        self.send();
    }

    fn find(&mut self, id: u16, change: impl FnOnce(&mut Copy)) {
        self.copies.iter_mut().find(|copy| copy.is_seen && copy.id() == id).map(change);
    }

    fn send(&mut self) {
        for place in 0..self.copies.len() {
            let is_open = |copy: &&Copy| copy.is_seen;
            let open = self.copies.iter().filter(is_open).count();
            let is_used = |copy: &Copy| copy.state != CopyState::Queued;
            let oldest = self.copies.iter().find(|copy| is_used(copy)).map(|copy| copy.ordinal);
            let copy = &mut self.copies[place];
            let has_id = oldest.is_none_or(|oldest| copy.ordinal < oldest + IDS);
            let line = match copy.state {
                _ if copy.is_seen => continue,
                CopyState::Released => format!("PUBREL {}", copy.id()),
                // What must wait holds up all behind it but PUBREL.
                _ if open >= self.receive_maximum || !has_id => continue,
                CopyState::Queued => format!("PUBLISH {}", copy.id()),
                _ => format!("PUBLISH {} dup", copy.id()),
            };
            copy.is_seen = true;
            if copy.state == CopyState::Queued {
                copy.state = CopyState::Sent;
            }
            self.heard.push(line);
        }
    }

    /// The right answer to one of the copies that were sent.
    fn answer(&self, choice: usize) -> Option<Step> {
        let seen: Vec<_> = self.copies.iter().filter(|copy| copy.is_seen).collect();
        let copy = seen.get(choice % seen.len().max(1))?;
        let id = copy.id();
        Some(match (copy.qos, copy.state) {
            (QoS::AtLeastOnce, _) => Step::PubAck { id },
            (_, CopyState::Released) => Step::PubComp { id },
            _ => Step::PubRec { id },
        })
    }

    /// Is this an answer to something else? That ends the Network Connection, which is not looked at here.
    fn is_out_of_step(&self, step: &Step) -> bool {
        let of = |id: u16| self.copies.iter().find(|copy| copy.is_seen && copy.id() == id);
        match *step {
            Step::PubAck { id } => of(id).is_some_and(|copy| copy.qos != QoS::AtLeastOnce),
            Step::PubRec { id } => of(id).is_some_and(|copy| copy.qos != QoS::ExactlyOnce),
            Step::PubComp { id } => of(id).is_some_and(|copy| copy.state != CopyState::Released),
            _ => false,
        }
    }
}

/// The Session itself, and what it sent.
struct Play {
    session: Session,
    outgoing: Outgoing,
    heard: Vec<String>,
}

impl Play {
    /// A Session that used up so many identifiers.
    fn new(used: u64) -> Self {
        let mut session = Session::new(SessionNumber(1), "client".into(), 0);
        (0..used).for_each(|_| _ = session.outbound.skip());
        let mut play = Self { session, outgoing: Outgoing::default(), heard: Vec::new() };
        play.connect(u16::MAX);
        play
    }

    fn connect(&mut self, receive_maximum: u16) {
        let id = ConnectionId { slot: 0, generation: 0 };
        self.session.detach(Time::START);
        let mut connection = Connection::new(id, &request(receive_maximum), 0, Time::START);
        connection.open = true;
        self.session.connection = Some(Box::new(connection));
    }

    /// Takes a step; false when it broke the rules.
    fn take(&mut self, step: &Step) -> bool {
        let is_right = match *step {
            Step::Enqueue { qos } => {
                self.session.outbound.enqueue(copy(qos), false);
                true
            }
            Step::Drop { count } => {
                (0..count).for_each(|_| _ = self.session.outbound.skip());
                true
            }
            Step::Reconnect { receive_maximum } => {
                self.connect(receive_maximum);
                true
            }
            Step::PubAck { id } => self.session.receive_puback(&ack(id)).is_ok(),
            Step::PubComp { id } => self.session.receive_pubcomp(&ack(id)).is_ok(),
            Step::PubRec { id } => match self.session.receive_pubrec(&ack(id)) {
                Ok(Received::Unknown | Received::Release(_) | Received::Again(_)) => true,
                Ok(Received::Refused(_)) => unreachable!("nothing was refused"),
                Err(_) => false,
            },
            Step::Answer { .. } => unreachable!("it was made one of the others"),
        };
        self.session.send_queued(&mut self.outgoing, &LIMITS, Time::START, |_, _, how| panic!("{how:?}"));
        self.listen();
        is_right
    }

    fn listen(&mut self) {
        let bytes = std::mem::take(self.outgoing.buffer());
        let mut rest = &bytes[..];
        while let Some(frame) = frame(rest, u32::MAX).expect("a legal packet") {
            self.heard.push(match decode(Version::V3_1_1, frame).expect("a legal packet") {
                Packet::Publish(publish) => {
                    let id = publish.qos.packet_id().expect("an identifier").get();
                    format!("PUBLISH {id}{}", if publish.dup { " dup" } else { "" })
                }
                Packet::PubRel(ack) => format!("PUBREL {}", ack.packet_id.get()),
                other => panic!("{other:?}"),
            });
            rest = &rest[frame.len..];
        }
    }
}

fn request(receive_maximum: u16) -> ConnectRequest {
    ConnectRequest {
        terms: Terms::none(),
        permit: Permit::everything(),
        username: None,
        password: None,
        version: Version::V3_1_1,
        client_id: "client".into(),
        is_assigned: false,
        is_bridge: false,
        clean_start: false,
        keep_alive: 0,
        will: None,
        session_expiry: None,
        receive_maximum,
        maximum_packet_size: u32::MAX,
        topic_alias_maximum: 0,
        wants_problem_information: true,
        wants_response_information: false,
        authentication_method: None,
        authentication_data: Vec::new(),
    }
}

fn copy(qos: QoS) -> MessageCopy {
    let message = MessageRef { qos, ..MessageRef::new("t", &[]) };
    MessageCopy {
        body: Some(Body::Held(Arc::new(message.to_message()))),
        subscription_ids: None,
        share: None,
        qos,
        retain: false,
        state: CopyState::Queued,
    }
}

fn ack(id: u16) -> Ack<'static> {
    Ack::with_reason(PacketId::new(id).expect("not zero"), ReasonCode::Success)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// [MQTT-2.2.1-4] [MQTT-4.9.0-1] [MQTT-4.4.0-1]
    #[test]
    fn identifiers_room_and_order_are_those_of_a_plain_list(
        used in 65_520..65_540_u64,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut play = Play::new(used);
        let mut oracle =
            Oracle { copies: Vec::new(), ordinals: used, receive_maximum: usize::from(u16::MAX), heard: Vec::new() };
        for step in steps {
            let step = match step {
                Step::Answer { choice } => oracle.answer(choice),
                other => Some(other),
            };
            let Some(step) = step else { continue };
            let is_right = !oracle.is_out_of_step(&step);
            if is_right {
                oracle.take(&step);
            }
            prop_assert_eq!(play.take(&step), is_right, "{:?}", step);
            prop_assert_eq!(&play.heard, &oracle.heard, "{:?}", step);
            let outbound = &play.session.outbound;
            prop_assert_eq!(outbound.queued_len() + outbound.in_flight_len(), oracle.copies.len());
            prop_assert_eq!(outbound.open(), oracle.copies.iter().filter(|copy| copy.is_seen).count());
        }
    }
}
