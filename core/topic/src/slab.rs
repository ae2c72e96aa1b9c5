//! Values in one block of memory, named by keys of four bytes. A key stays good until its value is removed,
//! and a freed place is the first to be used again.

use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::ops::{Index, IndexMut};

pub(crate) struct Slab<T> {
    slots: Vec<Option<T>>,
    free: Vec<Key<T>>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }

    /// Keeps `value` and returns its key; in an empty slab this is [`Key::FIRST`], then [`Key::SECOND`].
    pub(crate) fn insert(&mut self, value: T) -> Key<T> {
        if let Some(key) = self.free.pop() {
            self.slots[key.place()] = Some(value);
            return key;
        }
        self.slots.push(Some(value));
        let number =
            u32::try_from(self.slots.len()).expect("four billion entries need more memory than there is");
        Key::new(NonZeroU32::new(number).expect("something was pushed"))
    }

    pub(crate) fn remove(&mut self, key: Key<T>) -> T {
        let value = self.slots[key.place()].take().expect(LIVE);
        self.free.push(key);
        value
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten()
    }
}

const LIVE: &str = "a key is dropped together with its value";

impl<T> Index<Key<T>> for Slab<T> {
    type Output = T;

    fn index(&self, key: Key<T>) -> &T {
        self.slots[key.place()].as_ref().expect(LIVE)
    }
}

impl<T> IndexMut<Key<T>> for Slab<T> {
    fn index_mut(&mut self, key: Key<T>) -> &mut T {
        self.slots[key.place()].as_mut().expect(LIVE)
    }
}

/// Names a value in the `Slab<T>` that gave the key out. It counts from one so that `Option<Key<T>>` has four
/// bytes.
pub(crate) struct Key<T> {
    number: NonZeroU32,
    of: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    pub(crate) const FIRST: Self = Self::new(NonZeroU32::MIN);
    pub(crate) const SECOND: Self = Self::new(NonZeroU32::MIN.saturating_add(1));

    const fn new(number: NonZeroU32) -> Self {
        Self { number, of: PhantomData }
    }

    pub(crate) const fn number(self) -> u32 {
        self.number.get()
    }

    const fn place(self) -> usize {
        self.number.get() as usize - 1
    }
}

// By hand, for `derive` would ask the same of `T`.
impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> PartialEq for Key<T> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<T> Eq for Key<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_places_are_used_again() {
        let mut slab = Slab::new();
        let [a, b] = [slab.insert("a"), slab.insert("b")];
        assert!(a == Key::FIRST && b == Key::SECOND);
        assert_eq!(slab.remove(a), "a");
        assert_eq!(slab.len(), 1);
        assert!(slab.insert("c") == a);
        assert_eq!((slab[a], slab[b], slab.len()), ("c", "b", 2));
    }

    #[test]
    fn optional_keys_take_four_bytes() {
        assert_eq!(size_of::<Option<Key<String>>>(), 4);
    }
}
