//! The journal on disk: a segmented write-ahead log with group commit, recovery and compaction.
//!
//! The one rule: nothing is reported as committed before the disk has it as safely as it was asked to.

pub mod files;
