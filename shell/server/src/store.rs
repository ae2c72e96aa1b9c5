//! The store of a node: opened, read and folded before anybody is listened to.

use std::ops::Range;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use martlet_broker::{Node, Notice, Outbox, Recovery, Shard};
use martlet_disk::{Folder, OpenError, Opened, Recovered};
use martlet_record::{Batch, Damaged, Now, Position, ShardId};

use crate::Config;
use crate::journal::{InMemory, NodeJournal};
use crate::shared::Shared;
use crate::token;

/// Messages read at once at the start.
const READ_AT_ONCE: usize = 65_536;

/// What a node begins with.
pub(crate) struct Beginning {
    pub(crate) node: Arc<Node>,
    pub(crate) shards: Vec<Shard>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) journal: NodeJournal,
    /// How the store finds the node once it is there.
    pub(crate) listener: Listener,
}

/// How the store finds the node it serves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listener(Arc<OnceLock<Weak<Shared>>>);

impl Listener {
    /// From here the node hears from its store, first what was said before.
    pub(crate) fn introduce(&self, shared: &Arc<Shared>) {
        let is_first = self.0.set(Arc::downgrade(shared)).is_ok();
        debug_assert!(is_first, "a store serves one node");
        shared.hear_from_store();
    }

    fn hear(&self) {
        if let Some(shared) = self.0.get().and_then(Weak::upgrade) {
            shared.hear_from_store();
        }
    }
}

/// Opens the store and folds what it holds, or begins with nothing where nothing is kept.
pub(crate) fn begin(
    config: &Config,
    new_node: impl Fn() -> Arc<Node>,
    now: impl Fn() -> Now,
) -> Result<Beginning, OpenError> {
    let listener = Listener::default();
    let Some(store) = &config.store else {
        let node = new_node();
        let shards = ShardId::all().map(|id| Shard::new(id, Arc::clone(&node))).collect();
        let journal = NodeJournal::Memory(InMemory::default());
        return Ok(Beginning { node, shards, notices: Vec::new(), journal, listener });
    };
    let began = Instant::now();
    let mut opened = martlet_disk::open(token::take(store)?, &store.log)?;
    let mut out = Outbox::default();
    let (node, recovery) = fold(&mut opened, new_node)?;
    let shards = finish(recovery, &opened, &now, &mut out);
    tell_how_long(began.elapsed(), &shards);
    let heard = listener.clone();
    let disk = opened.start(Box::new(move || heard.hear()))?;
    Ok(Beginning { node, shards, notices: out.notices, journal: NodeJournal::Disk(disk), listener })
}

/// Folds the log. If records are missing it is folded again, and told where: only then is it known.
fn fold(
    opened: &mut Opened<Folder>,
    new_node: impl Fn() -> Arc<Node>,
) -> Result<(Arc<Node>, Recovery), OpenError> {
    let mut lost: Vec<Range<u64>> = Vec::new();
    loop {
        let node = new_node();
        let begin = if opened.begins_at_checkpoint() { Recovery::from_checkpoint } else { Recovery::new };
        let mut recovery = begin(Arc::clone(&node));
        let mut gaps = lost.iter().peekable();
        let mut take = |batch: Batch, position: Position| {
            while gaps.next_if(|gap| gap.end <= position.0).is_some() {
                recovery.gap();
            }
            recovery.fold(&batch, position);
        };
        let found = opened.recover(&mut take, &mut |_, _| {})?;
        if found.lost == lost {
            tell_what_is_missing(&found);
            return Ok((node, recovery));
        }
        lost = found.lost;
    }
}

/// Reads what must be at hand, and begins with the shards.
fn finish(
    mut recovery: Recovery,
    opened: &Opened<Folder>,
    now: &impl Fn() -> Now,
    out: &mut Outbox,
) -> Vec<Shard> {
    for wanted in recovery.unread().chunks(READ_AT_ONCE) {
        for (stored, read) in wanted.iter().zip(opened.read(wanted, now())) {
            let read =
                read.inspect_err(|error| tracing::error!("A retained or delayed message is lost: {error}."));
            recovery.read(*stored, read.map(Arc::new).map_err(|_| Damaged));
        }
    }
    recovery.finish(now(), out)
}

/// The end of the log was not whole, or a repair took something out.
fn tell_what_is_missing(found: &Recovered) {
    if let Some(torn) = &found.torn {
        tracing::info!(
            "The last {} bytes of the store were not whole (segment {}, byte {}): the broker was killed while it wrote them, and nobody had been told that they were safe.",
            torn.bytes,
            torn.segment,
            torn.offset,
        );
    }
    for lost in &found.lost {
        tracing::warn!(
            "The positions {} to {} of the store are missing since a repair.",
            lost.start,
            lost.end
        );
    }
}

/// A start that took long is worth a word.
fn tell_how_long(took: Duration, shards: &[Shard]) {
    let (mut sessions, mut messages) = (0, 0);
    for shard in shards {
        let counters = shard.counters();
        sessions += counters.sessions;
        messages += counters.ledger.stored + counters.ledger.in_flight;
    }
    tracing::info!(
        "The store holds {sessions} sessions and {messages} messages for them; read in {took:.1?}."
    );
}
