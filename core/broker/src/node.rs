//! What all shards of a node share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use martlet_access::Access;
use martlet_record::Room;

use crate::delayed::DelayedTotals;
use crate::gates::Gates;
use crate::{Retained, Routes, Settings};

/// The node-wide tables and settings.
#[derive(Debug)]
pub struct Node {
    /// What the operator chose when the node began; shards may have been told something else since.
    pub settings: Arc<Settings>,
    /// Who wants what.
    pub routes: Routes,
    /// The last Message of each Topic Name that asked to be kept.
    pub retained: Retained,
    /// What the journal takes at the moment: whoever owns it says so.
    room: AtomicU8,
    /// Sessions whose queue must not grow.
    pub(crate) gates: Gates,
    /// What waits under `$delayed`.
    pub(crate) delayed: DelayedTotals,
    /// Where chance comes from, so that a run can be repeated.
    pub(crate) seed: u64,
}

impl Node {
    /// An empty node. The seed keeps strangers from foreseeing hashes and choices.
    pub fn new(settings: impl Into<Arc<Settings>>, seed: u64) -> Self {
        Self {
            settings: settings.into(),
            routes: Routes::new(seed),
            retained: Retained::new(seed),
            gates: Gates::new(),
            delayed: DelayedTotals::default(),
            room: AtomicU8::new(Room::Open as u8),
            seed,
        }
    }

    /// The rules that hold in each realm (see [`martlet_session::Terms::realm`]) from here on: by them it is decided
    /// whether the publisher of a retained message still may. None: nobody is asked about.
    pub fn set_accesses(&self, accesses: Vec<Arc<Access>>) {
        self.routes.permits.set_accesses(accesses);
    }

    /// What the journal takes at the moment.
    pub fn room(&self) -> Room {
        let room = self.room.load(Ordering::Relaxed);
        let all = [Room::Open, Room::Reserve, Room::DrainOnly, Room::Failed];
        all.into_iter().find(|known| *known as u8 == room).unwrap_or(Room::Failed)
    }

    /// The journal takes more, or less, from here.
    pub fn set_room(&self, room: Room) {
        self.room.store(room as u8, Ordering::Relaxed);
    }
}
