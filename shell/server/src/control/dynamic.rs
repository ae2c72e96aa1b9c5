//! Dynamic security: requests that Clients publish to `$CONTROL/dynamic-security/v1`, their answers, and what they change.

use std::sync::Arc;

use martlet_auth::{Admin, DynamicSecurity, Error};

use crate::Config;
use crate::entrance::Dynamic;
use crate::mailbox::Mail;
use crate::reload::{Change, Kick};
use crate::shared::Shared;

/// Where requests come from.
const REQUESTS: &str = "$CONTROL/dynamic-security/v1";
/// Where answers go.
const ANSWERS: &str = "$CONTROL/dynamic-security/v1/response";

/// Something a Client asked of the node.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) client_id: Box<str>,
    pub(crate) username: Option<Box<str>>,
    pub(crate) topic: Box<str>,
    pub(crate) payload: Box<[u8]>,
}

/// What administers dynamic security, where there is any.
#[derive(Debug, Default)]
pub(crate) struct Administration(Option<DynamicSecurity>);

impl Administration {
    /// Reads the file, if one is named.
    pub(crate) fn open(config: &Config) -> Result<Self, Error> {
        let Some(path) = &config.dynamic_security else { return Ok(Self(None)) };
        let (dynamic, problems) = DynamicSecurity::open(path)?;
        problems.iter().for_each(|problem| tracing::warn!("{}: {problem}", path.display()));
        Ok(Self(Some(dynamic)))
    }

    /// What it says at the moment.
    pub(crate) fn rules(&self) -> Option<Dynamic> {
        let dynamic = self.0.as_ref()?;
        Some(Dynamic { members: Arc::clone(dynamic.members()), roles: Arc::clone(dynamic.roles()) })
    }

    /// Does what a Client asks for, and answers it.
    pub(super) fn carry_out(&mut self, request: Request, shared: &Shared) {
        let Some(dynamic) = self.0.as_mut().filter(|_| *request.topic == *REQUESTS) else { return };
        let by = Admin { client_id: &request.client_id, username: request.username.as_deref() };
        let handled = dynamic.handle(&request.payload, by);
        handled.log.iter().for_each(|line| tracing::info!("{line}"));
        if let Some(error) = &handled.error {
            tracing::error!("dynsec: {error}");
        }
        // Whoever hears that it is done finds it done.
        if handled.effects.has_changed
            && let Some(rules) = self.rules()
        {
            shared.doors.replace_dynamic(&rules);
            let kicks = handled.effects.kick.into_iter().map(Kick::of).collect();
            shared.look_again(Change::Dynamic(kicks));
        }
        shared.answer(request.client_id, ANSWERS, handled.response.into());
    }
}

impl Shared {
    /// Sends one Client a Message of the node.
    fn answer(&self, client_id: Box<str>, topic: &'static str, payload: Box<[u8]>) {
        let home = martlet_record::ShardId::home_of(&client_id);
        self.mailboxes[self.runner_of(home)].post(Mail::Answer { client_id, topic, payload });
    }
}
