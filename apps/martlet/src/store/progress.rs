//! A bar that shows how far something is, to people at a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use martlet_server::tools::Stage;

/// A bar on standard error; nothing where that is no terminal.
#[derive(Debug)]
pub(super) struct Bar {
    bar: ProgressBar,
    stage: Option<Stage>,
}

impl Bar {
    pub(super) fn new() -> Self {
        let style = ProgressStyle::with_template("{msg:20} [{bar:40}] {percent:>3} %  {eta} left");
        let bar = ProgressBar::new(0);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        Self { bar, stage: None }
    }

    /// So much of so much is done.
    pub(super) fn show(&mut self, stage: Stage, done: u64, total: u64) {
        if self.stage.replace(stage) != Some(stage) {
            self.bar.reset();
            self.bar.set_message(match stage {
                Stage::Log => "Reading records",
                Stage::Frames => "Verifying the log",
                Stage::Messages => "Reading messages",
            });
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    /// Gives the terminal back.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}
