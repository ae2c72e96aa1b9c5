//! What runners tell each other.
//!
//! The rule: a sleeping runner is woken once, however much mail it gets; a busy one is not woken at all.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use martlet_broker::sys::ClientBooks;
use martlet_broker::{Chunk, Counters};
use martlet_net::{Opening, Transport};
use martlet_record::CheckpointNumber;
use martlet_session::ConnectRequest;
use mio::{Registry, Token, Waker};
use parking_lot::Mutex;

use crate::commit::Completions;
use crate::fetch::ReadBack;
use crate::reload::Change;
use crate::verdict::Judged;

/// Something for a runner.
#[derive(Debug)]
pub(crate) enum Mail {
    /// A Client whose home is there.
    Adopt(Box<Adoption>),
    /// A Client whose password was checked.
    Judged(Box<Judged>),
    /// Messages for Sessions there.
    Messages(Chunk),
    /// The fate of batches that concern shards there, in log order.
    Completed(Completions),
    /// Messages that were read back from the log.
    ReadBack(Box<ReadBack>),
    /// A checkpoint began: the shards there are to write themselves down.
    WriteDown(CheckpointNumber),
    /// The store has room again, or has none any more.
    StoreChanged,
    /// The rules changed: whoever is connected is looked at again.
    LookAgain(Arc<Change>),
    /// A Message of the node for one Client.
    Answer { client_id: Box<str>, topic: &'static str, payload: Box<[u8]> },
    /// What your Clients subscribed to, please.
    ListSubscriptions,
    /// A line of the log, to be published under this topic.
    LogLine(Box<str>, Box<[u8]>),
    /// The sum of your counters, please.
    Count,
    /// The sum of a runner's counters.
    Counted(Box<Counted>),
    /// The node ends.
    Stop,
}

/// What one runner counted.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) counters: Counters,
    pub(crate) clients: ClientBooks,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
}

/// A Network Connection on its way to the runner of its home shard.
#[derive(Debug)]
pub(crate) struct Adoption {
    pub(crate) transport: Transport,
    pub(crate) opening: Opening,
    pub(crate) request: Box<ConnectRequest>,
    /// What came behind CONNECT.
    pub(crate) rest: Vec<u8>,
}

/// The mail of one runner.
#[derive(Debug)]
pub(crate) struct Mailbox {
    mail: Mutex<Vec<Mail>>,
    /// How much there is, so that an empty box is not locked.
    waiting: AtomicUsize,
    bytes: AtomicUsize,
    sleeps: AtomicBool,
    waker: Waker,
}

impl Mailbox {
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Self {
            mail: Mutex::default(),
            waiting: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            sleeps: AtomicBool::new(false),
            waker: Waker::new(registry, token)?,
        })
    }

    pub(crate) fn post(&self, mail: Mail) {
        self.bytes.fetch_add(mail.bytes(), Ordering::Relaxed);
        {
            let mut box_ = self.mail.lock();
            box_.push(mail);
            self.waiting.store(box_.len(), Ordering::SeqCst);
        }
        // Either this sees that the runner sleeps, or the runner sees the mail before it does.
        if self.sleeps.swap(false, Ordering::SeqCst) {
            self.waker.wake().expect("an eventfd that belongs to this process takes another count");
        }
    }

    /// All that came, in order.
    pub(crate) fn take(&self) -> Vec<Mail> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut box_ = self.mail.lock();
        self.waiting.store(0, Ordering::SeqCst);
        std::mem::take(&mut *box_)
    }

    /// Mail that was taken is dealt with.
    pub(crate) fn done(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) == 0
    }

    /// Bytes of Messages that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The runner is about to sleep; false when it must not, because there is mail.
    pub(crate) fn sleep(&self) -> bool {
        self.sleeps.store(true, Ordering::SeqCst);
        self.is_empty()
    }

    /// The runner is awake.
    pub(crate) fn wake_up(&self) {
        self.sleeps.store(false, Ordering::SeqCst);
    }
}

impl Mail {
    /// What it counts against [`crate::Config::mailbox_bytes_max`].
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Messages(chunk) => chunk.len_bytes(),
            Self::Completed(completions) => completions.bytes,
            Self::ReadBack(read) => read.bytes(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use martlet_broker::Destinations;

    use martlet_record::MessageRef;
    use mio::{Events, Poll};
    use std::time::Duration;

    const WAKE: Token = Token(7);

    fn wakes(poll: &mut Poll) -> usize {
        let mut events = Events::with_capacity(8);
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        events.iter().filter(|event| event.token() == WAKE).count()
    }

    #[test]
    fn a_sleeper_is_woken_once_and_a_busy_runner_never() {
        let mut poll = Poll::new().unwrap();
        let mailbox = Mailbox::new(poll.registry(), WAKE).unwrap();
        mailbox.post(Mail::Stop);
        assert_eq!(wakes(&mut poll), 0);
        assert!(!mailbox.sleep(), "there is mail");
        mailbox.wake_up();
        assert_eq!(mailbox.take().len(), 1);
        assert!(mailbox.sleep());
        mailbox.post(Mail::Count);
        mailbox.post(Mail::Stop);
        assert_eq!(wakes(&mut poll), 1);
        assert!(matches!(mailbox.take()[..], [Mail::Count, Mail::Stop]));
    }

    #[test]
    fn messages_that_wait_take_room_until_they_are_dealt_with() {
        let poll = Poll::new().unwrap();
        let mailbox = Mailbox::new(poll.registry(), WAKE).unwrap();
        let payload = vec![0; 10_000];
        let message = MessageRef::new("t", &payload);
        let mut chunk = Chunk::default();
        chunk.push(&message, Arc::new(Destinations::default()));
        mailbox.post(Mail::Messages(chunk));
        assert!(mailbox.bytes() >= 10_000);
        let bytes = mailbox.take().iter().map(Mail::bytes).sum();
        assert!(mailbox.bytes() >= 10_000, "it is taken, not dealt with");
        mailbox.done(bytes);
        assert_eq!(mailbox.bytes(), 0);
    }
}
