//! Power cuts for the log.
//!
//! A [`Process`] lives off a made-up [`Story`] with the real log on [`SimulatedFiles`], which write down every step. Then
//! its [`Life`] is ended at every step: by a kill, which leaves what was written, or by a power cut, which leaves what was
//! synced and any part of the rest. Each time the store is opened again, and what it gives back must be what the first so
//! many batches lead to: all that were promised, each whole, and none out of order.
//!
//! The one rule: the oracle ([`Model`]) is slow and obvious, and shares no code with what it judges.

mod books;
mod broker;
mod chance;
mod damage;
mod disk;
mod files;
mod frames;
mod history;
mod life;
mod model;
mod process;
mod story;

pub use books::{Books, Commit};
pub use broker::broker_history;
pub use chance::Chance;
pub use damage::AtRest;
pub use disk::{Disk, Event, FileId, SECTOR};
pub use files::{Faults, SimulatedFile, SimulatedFiles};
pub use frames::frames;
pub use history::{Cuts, Failure, Plan, any_history, history};
pub use life::{Also, Broken, End, Ended, Life, Recovered, is_same, recover, settings};
pub use model::{Fold, Model, ModelSession};
pub use process::{Driver, Process, moment};
pub use story::Story;
