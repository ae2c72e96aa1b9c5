//! AUTH on an open Network Connection: re-authentication (§4.12.1).

use martlet_packet::{Auth, ReasonCode};
use martlet_session::{AuthStep, Exchange, Violation, encode_auth};

use crate::Shard;
use crate::outbox::Outbox;

impl Shard {
    /// AUTH: begins or continues a re-authentication with the method of the CONNECT [MQTT-4.12.1-1].
    pub(crate) fn receive_auth(
        &mut self,
        slot: u32,
        auth: &Auth<'_>,
        out: &mut Outbox,
    ) -> Result<(), Violation> {
        let Some(resident) = self.sessions.get_mut(slot) else { return Ok(()) };
        let session = &mut resident.session;
        let client_id = &session.client_id;
        let Some(connection) = session.connection.as_deref_mut() else { return Ok(()) };
        let Some(state) = connection.authentication() else {
            return Err(Violation::protocol("AUTH without an Authentication Method in CONNECT"));
        };
        if auth.properties.authentication_method() != Some(&*state.method) {
            return Err(Violation::protocol("AUTH must name the Authentication Method of the CONNECT"));
        }
        let exchange = match (auth.reason, state.exchange.take()) {
            (ReasonCode::ReAuthenticate, None) => {
                let known = &self.settings.authenticators;
                known
                    .iter()
                    .find(|known| known.method() == &*state.method)
                    .map(|known| known.begin(client_id))
            }
            (ReasonCode::ContinueAuthentication, exchange) => exchange,
            _ => None,
        };
        let Some(mut exchange) = exchange else {
            return Err(Violation::protocol("AUTH does not fit the exchange under way"));
        };
        let data = auth.properties.authentication_data().unwrap_or_default();
        let (reason, data, next): (_, _, Option<Box<dyn Exchange>>) = match exchange.step(data) {
            AuthStep::Continue(data) => (ReasonCode::ContinueAuthentication, data, Some(exchange)),
            AuthStep::Success(data) => (ReasonCode::Success, data, None),
            // [MQTT-4.12.1-2]
            AuthStep::Failure(reason) => return Err(Violation::new(reason, "the re-authentication failed")),
        };
        state.exchange = next;
        let method = state.method.clone();
        let outgoing = out.outgoing(connection.id);
        self.counters.answers_sent += 1;
        connection.reply(outgoing, None, |bytes| encode_auth(reason, &method, &data, bytes));
        Ok(())
    }
}
