//! The journal on disk: a segmented write-ahead log with group commit, recovery and compaction.
//!
//! ```text
//! shards ──batches──▶ Disk ──▶ Log::submit, Log::step ──▶ one frame ──▶ segment 7 │ next │ reserve
//!        ◀─completions─                     └─jobs─▶ helpers: room, syncs, liveness, bodies that move
//! ```
//!
//! [`open()`] finds the newest complete checkpoint, [`Opened::recover`] reads the records back from there, and
//! [`Opened::start`] puts threads around the [`Log`], which itself knows neither threads nor clocks. [`inspect()`] looks at
//! a store that nobody writes.
//!
//! The one rule: nothing is reported as committed before the disk has it as safely as it was asked to.
#![forbid(unsafe_code)]

pub mod files;
mod folder;
mod settings;

mod error;
mod frame;
mod meta;
mod names;
mod scan;

mod mend;
mod open;
mod read;
mod recover;
mod shelf;

mod apart;
mod checkpoint;
mod compact;
mod job;
mod liveness;
mod log;
mod stats;
mod supply;
mod waiting;
mod writer;

mod dump;
mod inspect;
mod repair;

mod commit;
mod disk;
mod fetch;
mod shared;

pub use disk::{Disk, Reply};
pub use dump::{Content, Frame, FrameHead};
pub use error::{Damage, OpenError, ReadError};
pub use folder::Folder;
pub use inspect::{Inspection, Problem, SegmentStat, StoreStat, inspect};
pub use job::{Done, Job};
pub use log::Log;
pub use open::{Opened, open};
pub use recover::{Recovered, Torn};
pub use repair::Repaired;
pub use settings::Settings;
pub use stats::{LastCheckpoint, Latency, Stats};
