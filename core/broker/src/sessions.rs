//! The Sessions of one shard: found by slot, and by Client Identifier.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use martlet_record::{SessionNumber, Time};
use martlet_session::{ConnectionId, Session};

use crate::Ledger;

/// Sessions in fixed places.
#[derive(Debug)]
pub(crate) struct Sessions {
    slots: Vec<Option<Box<Resident>>>,
    free: Vec<u32>,
    by_client: HashTable<u32>,
    hasher: FixedState,
}

/// A Session and what its shard notes beside it.
#[derive(Debug)]
pub(crate) struct Resident {
    pub(crate) session: Session,
    /// The deadline of its entry in the timers.
    pub(crate) armed: Option<Time>,
    /// The books of its Client, once there is something to book.
    pub(crate) tally: Option<Box<Ledger>>,
    /// Its first dropped Message was told.
    pub(crate) drop_told: bool,
    /// Its first refused PUBLISH was told.
    pub(crate) refusal_told: bool,
    /// Publishers to it are refused.
    pub(crate) gate_is_closed: bool,
    /// It is among those the journal will hear were sent copies.
    pub(crate) is_sending: bool,
}

impl Resident {
    /// The books of its Client, with what is in flight and what waits.
    pub(crate) fn ledger(&self) -> Ledger {
        Ledger {
            in_flight: self.session.outbound.in_flight_len() as u64,
            stored: self.session.outbound.queued_len() as u64,
            ..self.tally.as_deref().copied().unwrap_or_default()
        }
    }
}

impl Sessions {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_client: HashTable::new(),
            hasher: FixedState::with_seed(seed),
        }
    }

    pub(crate) fn insert(&mut self, session: Session) -> u32 {
        let hash = self.hasher.hash_one(&*session.client_id);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("fewer Sessions than four thousand million")
        });
        self.slots[slot as usize] = Some(Box::new(Resident {
            session,
            armed: None,
            tally: None,
            drop_told: false,
            refusal_told: false,
            gate_is_closed: false,
            is_sending: false,
        }));
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.by_client.insert_unique(hash, slot, |slot| hash_of(slots, hasher, *slot));
        slot
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<Session> {
        let resident = self.slots.get_mut(slot as usize)?.take()?;
        let hash = self.hasher.hash_one(&*resident.session.client_id);
        if let Ok(entry) = self.by_client.find_entry(hash, |other| *other == slot) {
            entry.remove();
        }
        self.free.push(slot);
        Some(resident.session)
    }

    pub(crate) fn find(&self, client_id: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(client_id);
        let same = |slot: &u32| {
            self.slots[*slot as usize]
                .as_ref()
                .is_some_and(|resident| *resident.session.client_id == *client_id)
        };
        self.by_client.find(hash, same).copied()
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&Resident> {
        self.slots.get(slot as usize)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut Resident> {
        self.slots.get_mut(slot as usize)?.as_deref_mut()
    }

    /// The Session in this place, if it still is that one.
    pub(crate) fn numbered(&mut self, slot: u32, number: SessionNumber) -> Option<&mut Resident> {
        self.get_mut(slot).filter(|resident| resident.session.number == number)
    }

    /// The Session in this place, if that Network Connection is its own.
    pub(crate) fn connected(&mut self, slot: u32, connection: ConnectionId) -> Option<&mut Resident> {
        let is_its = |resident: &&mut Resident| {
            resident.session.connection.as_ref().is_some_and(|own| own.id == connection)
        };
        self.get_mut(slot).filter(is_its)
    }

    /// Places there are, taken or not.
    pub(crate) fn slots(&self) -> u32 {
        u32::try_from(self.slots.len()).expect("a slot is a u32")
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Resident)> {
        (0..).zip(&self.slots).filter_map(|(slot, resident)| Some((slot, resident.as_deref()?)))
    }
}

fn hash_of(slots: &[Option<Box<Resident>>], hasher: &FixedState, slot: u32) -> u64 {
    let resident = slots[slot as usize].as_ref().expect("an indexed slot is taken");
    hasher.hash_one(&*resident.session.client_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_for_each_session_is_small() {
        assert!(size_of::<Resident>() <= 144, "{}", size_of::<Resident>());
    }
}
