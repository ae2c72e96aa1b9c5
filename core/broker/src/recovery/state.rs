//! What must survive, in words, so that two states can be compared.

use std::fmt::Write;

use martlet_session::Session;

use crate::Shard;

impl Shard {
    /// All that must survive, in words, a line a Session: equal texts are equal states.
    pub fn durable_state(&self) -> Vec<String> {
        let sessions = self.sessions.iter().map(|(_, resident)| &resident.session);
        let kept = sessions.filter(|session| session.recorded);
        let mut lines: Vec<_> = kept.map(describe).collect();
        lines.sort();
        lines
    }
}

fn describe(session: &Session) -> String {
    let mut line = format!(
        "{} {} expiry={} next={} inbound={:?} will={:?}",
        session.number.0,
        session.client_id,
        session.expiry,
        session.outbound.next_ordinal().0,
        session.inbound,
        session.will.as_ref().map(|will| will.message.topic().to_owned()),
    );
    for (filter, subscription) in session.subscriptions.iter() {
        let _ = write!(line, " [{filter} {subscription:?}]");
    }
    for (ordinal, copy) in session.outbound.unfinished() {
        let message = copy.body.as_ref().map(|body| match body.held().filter(|_| body.stored().is_none()) {
            Some(message) => {
                let view = message.view();
                format!("{} {:?} {:?}", view.topic, view.payload, view.properties)
            }
            None => format!("{:?}", body.stored()),
        });
        let (qos, retain, ids) = (copy.qos, copy.retain, &copy.subscription_ids);
        let _ = write!(line, " ({} {message:?} {qos:?} {retain} {ids:?})", ordinal.0);
    }
    line
}
