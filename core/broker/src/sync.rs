//! The lock of the node-wide tables, and the counters of the routes.
//!
//! They are what they seem to be, except where every order of steps is to be tried: under `--cfg loom` the crate's own
//! tests get those of the checker, so that it is this code which is checked and no copy of it.

pub(crate) use kind::{AtomicU32, Ordering, RwLock};

#[cfg(not(all(test, loom)))]
mod kind {
    pub(crate) use std::sync::atomic::{AtomicU32, Ordering};

    pub(crate) use parking_lot::RwLock;
}

#[cfg(all(test, loom))]
mod kind {
    pub(crate) use loom::sync::atomic::{AtomicU32, Ordering};
    use loom::sync::{RwLockReadGuard, RwLockWriteGuard};

    /// The checker's lock with the face of `parking_lot`'s.
    #[derive(Debug)]
    pub(crate) struct RwLock<T>(loom::sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::RwLock::new(value))
        }

        pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().expect("nobody panics while holding it")
        }

        pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().expect("nobody panics while holding it")
        }
    }
}
