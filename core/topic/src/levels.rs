//! The texts of levels, each kept once however many nodes use it. Whoever takes a key by `keep` gives it back
//! by `release`; a text nobody uses is gone.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

use crate::slab::{Key, Slab};
use crate::topic_filter::{MULTI, SINGLE};

pub(crate) type LevelKey = Key<Level>;

pub(crate) struct Level {
    text: Box<str>,
    users: u32,
}

pub(crate) struct Levels {
    texts: Slab<Level>,
    keys: HashTable<LevelKey>,
    state: FixedState,
}

impl Levels {
    /// The key of `+`, in every instance.
    pub(crate) const SINGLE: LevelKey = Key::FIRST;
    /// The key of `#`, in every instance.
    pub(crate) const MULTI: LevelKey = Key::SECOND;

    pub(crate) fn new(seed: u64) -> Self {
        let mut levels =
            Self { texts: Slab::new(), keys: HashTable::new(), state: FixedState::with_seed(seed) };
        levels.keep(SINGLE);
        levels.keep(MULTI);
        levels
    }

    /// The key of `text`, if some node uses it.
    pub(crate) fn find(&self, text: &str) -> Option<LevelKey> {
        let same = |&key: &LevelKey| *self.texts[key].text == *text;
        self.keys.find(hash(&self.state, text), same).copied()
    }

    /// The key of `text`, used once more than before.
    pub(crate) fn keep(&mut self, text: &str) -> LevelKey {
        if let Some(key) = self.find(text) {
            self.texts[key].users += 1; // Fewer than there are nodes, whose keys are `u32` as well.
            return key;
        }
        let key = self.texts.insert(Level { text: text.into(), users: 1 });
        let Self { texts, keys, state } = self;
        keys.insert_unique(hash(state, text), key, |&key| hash(state, &texts[key].text));
        key
    }

    /// Ends one use of `key`.
    pub(crate) fn release(&mut self, key: LevelKey) {
        self.texts[key].users -= 1;
        if self.texts[key].users > 0 {
            return;
        }
        let level = self.texts.remove(key);
        let entry = self.keys.find_entry(hash(&self.state, &level.text), |&other| other == key);
        entry.ok().expect("every text has its key").remove();
    }

    pub(crate) fn text(&self, key: LevelKey) -> &str {
        &self.texts[key].text
    }
}

fn hash(state: &FixedState, text: &str) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(text.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_have_known_keys() {
        let levels = Levels::new(7);
        assert!(levels.find("+") == Some(Levels::SINGLE));
        assert!(levels.find("#") == Some(Levels::MULTI));
    }

    #[test]
    fn a_text_lives_as_long_as_it_is_used() {
        let mut levels = Levels::new(7);
        let key = levels.keep("a");
        assert!(levels.keep("a") == key);
        levels.release(key);
        assert_eq!(levels.find("a").map(|key| levels.text(key)), Some("a"));
        levels.release(key);
        assert!(levels.find("a").is_none());
    }
}
