//! The threads that hash passwords, so that no thread that serves Clients ever does.
//!
//! The queue before them has a limit: when it is full whoever asks is told at once, and can turn the Client away as it
//! turns away others when it is busy.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};

use crate::accounts::Tally;
use crate::{Accounts, Credentials, Verdict};

/// What is called with the answer, on a thread of the verifier.
type Reply = Box<dyn FnOnce(Verdict) + Send>;

/// A few threads that check credentials.
#[derive(Debug)]
pub struct Verifier {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// The queue is full. The reply is given back, and was not called.
pub struct Busy(pub Reply);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    queue_max: usize,
    tally: Tally,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Question>,
    is_closed: bool,
}

struct Question {
    accounts: Arc<Accounts>,
    credentials: Credentials,
    reply: Reply,
}

impl Verifier {
    /// Starts the threads. At most `queue_max` questions wait for one.
    pub fn start(threads: usize, queue_max: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            changed: Condvar::new(),
            queue_max,
            tally: Tally::default(),
        });
        let mut verifier = Self { shared, threads: Vec::new() };
        for number in 0..threads.max(1) {
            let shared = Arc::clone(&verifier.shared);
            let thread =
                thread::Builder::new().name(format!("verifier {number}")).spawn(move || shared.work())?;
            verifier.threads.push(thread);
        }
        Ok(verifier)
    }

    /// Asks whether a Client may enter. `reply` is called once, on a thread of the verifier, unless that stops before.
    pub fn ask(
        &self,
        accounts: Arc<Accounts>,
        credentials: Credentials,
        reply: impl FnOnce(Verdict) + Send + 'static,
    ) -> Result<(), Busy> {
        let reply: Reply = Box::new(reply);
        let mut queue = self.shared.queue.lock();
        if queue.waiting.len() >= self.shared.queue_max {
            return Err(Busy(reply));
        }
        queue.waiting.push_back(Question { accounts, credentials, reply });
        self.shared.changed.notify_one();
        Ok(())
    }

    /// What was hashed so far.
    pub fn tally(&self) -> &Tally {
        &self.shared.tally
    }
}

/// What waits is dropped unanswered; what is being answered is waited for.
impl Drop for Verifier {
    fn drop(&mut self) {
        let unanswered = {
            let mut queue = self.shared.queue.lock();
            queue.is_closed = true;
            std::mem::take(&mut queue.waiting)
        };
        self.shared.changed.notify_all();
        drop(unanswered);
        for thread in self.threads.drain(..) {
            // It fails only if a reply panicked, which was reported where it did.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn work(&self) {
        while let Some(Question { accounts, credentials, reply }) = self.next() {
            let verdict = accounts.check(&credentials, &self.tally);
            drop(credentials);
            reply(verdict);
        }
    }

    fn next(&self) -> Option<Question> {
        let mut queue = self.queue.lock();
        loop {
            if queue.is_closed {
                return None;
            }
            if let Some(question) = queue.waiting.pop_front() {
                return Some(question);
            }
            self.changed.wait(&mut queue);
        }
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} waiting", self.waiting.len())
    }
}

impl std::fmt::Debug for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the queue of the verifier is full")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::{PasswordFile, PasswordHash, Scheme};

    fn accounts() -> Arc<Accounts> {
        let hash = PasswordHash::new(&"secret".into(), Scheme::DEFAULT).unwrap();
        let file = PasswordFile::parse(format!("ada:{hash}").as_bytes()).0;
        Arc::new(Accounts::new(false, None, Some(Arc::new(file))))
    }

    fn ada(password: &str) -> Credentials {
        Credentials { client_id: "c".into(), username: Some("ada".into()), password: Some(password.into()) }
    }

    #[test]
    fn each_question_is_answered_once_by_one_hash() {
        let verifier = Verifier::start(2, 100).unwrap();
        let (sender, answers) = channel();
        let accounts = accounts();
        for number in 0..20 {
            let sender = sender.clone();
            let password = if number % 2 == 0 { "secret" } else { "wrong" };
            let reply = move |verdict| sender.send((number, verdict)).unwrap();
            verifier.ask(Arc::clone(&accounts), ada(password), reply).unwrap();
        }
        drop(sender);
        let mut answers: Vec<_> = answers.iter().collect();
        answers.sort_by_key(|(number, _)| *number);
        assert_eq!(answers.len(), 20);
        for (number, verdict) in answers {
            assert_eq!(verdict.is_welcome(), number % 2 == 0);
        }
        assert_eq!((verifier.tally().hashes(), verifier.tally().cost()), (20, 20 * Scheme::DEFAULT.cost()));
    }

    /// A verifier whose one thread waits inside a reply until something is sent.
    fn stuck(queue_max: usize) -> (Verifier, Sender<()>) {
        let verifier = Verifier::start(1, queue_max).unwrap();
        let (go_on, waits): (_, Receiver<()>) = channel();
        let (started, is_stuck) = channel();
        let reply = move |_| {
            started.send(()).unwrap();
            // Also when the sender is gone.
            let _ = waits.recv();
        };
        verifier.ask(accounts(), ada("secret"), reply).unwrap();
        is_stuck.recv().unwrap();
        (verifier, go_on)
    }

    #[test]
    fn a_full_queue_gives_the_reply_back() {
        let (verifier, go_on) = stuck(2);
        let (sender, answers) = channel();
        for _ in 0..2 {
            let sender = sender.clone();
            verifier.ask(accounts(), ada("secret"), move |verdict| sender.send(verdict).unwrap()).unwrap();
        }
        let Busy(reply) = verifier
            .ask(accounts(), ada("secret"), move |verdict| sender.send(verdict).unwrap())
            .unwrap_err();
        reply(Verdict::UnknownUser);
        assert_eq!(answers.recv(), Ok(Verdict::UnknownUser), "before any that waits");
        go_on.send(()).unwrap();
        assert_eq!(answers.iter().collect::<Vec<_>>(), [Verdict::Welcome; 2]);
    }

    #[test]
    fn what_waits_when_it_stops_is_not_answered() {
        let (verifier, go_on) = stuck(10);
        let (sender, answers) = channel();
        verifier.ask(accounts(), ada("secret"), move |verdict| sender.send(verdict).unwrap()).unwrap();
        let stops = thread::spawn(move || drop(verifier));
        assert!(answers.recv().is_err(), "the reply was dropped, not called");
        go_on.send(()).unwrap();
        stops.join().unwrap();
    }
}
