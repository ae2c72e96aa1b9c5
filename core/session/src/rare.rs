//! Values that most of their owners never need.

use std::ops::{Deref, DerefMut};

/// One word until somebody changes it: read as vacant, allocated when it is first written.
#[derive(Debug, Default)]
pub struct Rare<T>(Option<Box<T>>);

/// A type with a value that stands for "never written".
pub trait Vacant: Default + 'static {
    /// That value; it must equal the default.
    fn vacant() -> &'static Self;
}

impl<T: Vacant> Rare<T> {
    /// The value, if it was ever written.
    pub fn written(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }
}

impl<T: Vacant> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or_else(|| T::vacant())
    }
}

impl<T: Vacant> DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}
