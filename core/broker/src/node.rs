//! What all shards of a node share.

use crate::{Retained, Routes, Settings};

/// The node-wide tables and settings.
#[derive(Debug)]
pub struct Node {
    /// What the operator chose.
    pub settings: Settings,
    /// Who wants what.
    pub routes: Routes,
    /// The last Message of each Topic Name that asked to be kept.
    pub retained: Retained,
    /// Where chance comes from, so that a run can be repeated.
    pub(crate) seed: u64,
}

impl Node {
    /// An empty node. The seed keeps strangers from foreseeing hashes and choices.
    pub fn new(settings: Settings, seed: u64) -> Self {
        Self { settings, routes: Routes::new(seed), retained: Retained::new(seed), seed }
    }
}
