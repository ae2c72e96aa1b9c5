//! The way from CONNECT to the home shard, past the door.
//!
//! The rule: while a password is checked the connection waits as it is: nothing is read from it, and its time to connect
//! runs on.

use std::sync::Arc;

use martlet_auth::Verdict;
use martlet_net::{Frames, Phase};
use martlet_packet::ReasonCode;
use martlet_session::{ConnectRequest, ConnectionId, Violation};

use crate::accept::Addressee;
use crate::entrance::Answer;
use crate::log_target::NOTICE;
use crate::mailbox::Mail;
use crate::runner::Runner;

/// What became of a CONNECT whose password was checked.
#[derive(Debug)]
pub(crate) struct Judged {
    connection: ConnectionId,
    request: Box<ConnectRequest>,
    verdict: Verdict,
}

impl Runner {
    /// Asks the door whether a Client may enter. What is left of the bytes comes back when it is read on at once.
    pub(crate) fn judge<'a>(
        &mut self,
        id: ConnectionId,
        mut request: Box<ConnectRequest>,
        frames: Frames<'a>,
    ) -> Option<Frames<'a>> {
        let Phase::Opening(opening) = &mut self.connections.get(id)?.phase else { return None };
        let door = self.shared.doors.at(opening.listener);
        match door.ask(&mut request, &opening.peer) {
            Answer::Enter => {
                request.permit = door.permit(&request.client_id, request.username.as_deref());
                self.connect(id, request, frames)
            }
            Answer::Ask(accounts, credentials) => {
                opening.awaits_verdict = true;
                let (shared, runner) = (Arc::clone(&self.shared), self.number);
                let addressee = Addressee::of(&request);
                let reply = move |verdict| {
                    let judged = Judged { connection: id, request, verdict };
                    shared.mailboxes[runner].post(Mail::Judged(Box::new(judged)));
                };
                self.keep(id, frames);
                if !self.shared.doors.verify(accounts, credentials, reply) {
                    let why = Violation::new(ReasonCode::ServerBusy, "too many passwords wait to be checked");
                    self.refuse_entry(id, addressee, why);
                }
                None
            }
            Answer::Refuse(why) => {
                self.refuse_entry(id, Addressee::of(&request), why);
                None
            }
        }
    }

    /// A password was checked: goes on with its Client, if it still waits.
    pub(crate) fn judged(&mut self, Judged { connection: id, mut request, verdict }: Judged) {
        let Some(connection) = self.connections.get(id) else { return };
        let Phase::Opening(opening) = &mut connection.phase else { return };
        opening.awaits_verdict = false;
        let (listener, was_queued) = (opening.listener, std::mem::take(&mut connection.is_queued));
        if !verdict.is_welcome() {
            tracing::info!(target: NOTICE, "Client {} may not enter: {verdict}.", request.client_id);
            let why = Violation::new(ReasonCode::NotAuthorized, "user name or password is wrong");
            return self.refuse_entry(id, Addressee::of(&request), why);
        }
        // By the rules of now, should they have changed while it was checked.
        request.permit =
            self.shared.doors.at(listener).permit(&request.client_id, request.username.as_deref());
        let Some(frames) = self.take_frames(id, &[]) else { return };
        if let Some(frames) = self.connect(id, request, frames) {
            self.receive_frames(id, frames);
        }
        if was_queued {
            self.queue(id);
        }
    }

    pub(crate) fn refuse_entry(&mut self, id: ConnectionId, addressee: Addressee, why: Violation) {
        let bytes = self.refusal(addressee, &why);
        self.refuse(id, &bytes, why);
    }
}
