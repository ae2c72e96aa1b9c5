//! Takes damage out of a store, so that the rest can be used.

use std::path::Path;

use martlet_disk::{Folder, OpenError, Repaired};

use super::Store;
use super::scratch::must_have_store;

impl Store {
    /// Takes out what a check finds missing in the log. What is changed is copied to quarantine first.
    ///
    /// Whoever checked the store before gave up its lock; what is taken out is what is damaged now.
    pub fn repair(folder: &Path) -> Result<Vec<Repaired>, OpenError> {
        must_have_store(folder)?;
        martlet_disk::inspect(Folder::take(folder, false)?)?.repair()
    }
}
