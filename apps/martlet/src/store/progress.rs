//! A bar that shows how far something is, to people at a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use martlet_server::tools::Stage;

/// A bar on standard error for each stage; nothing where that is no terminal.
#[derive(Debug, Default)]
pub(super) struct Bar(Option<(Stage, ProgressBar)>);

impl Bar {
    /// So much of so much is done.
    pub(super) fn show(&mut self, stage: Stage, done: u64, total: u64) {
        match &self.0 {
            Some((shown, bar)) if *shown == stage => {
                bar.set_length(total);
                bar.set_position(done);
            }
            _ => {
                self.clear();
                self.0 = Some((stage, begin(stage, total)));
            }
        }
    }

    /// Gives the terminal back.
    pub(super) fn clear(&mut self) {
        if let Some((_, bar)) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}

fn begin(stage: Stage, total: u64) -> ProgressBar {
    let message = match stage {
        Stage::Log => "Reading records",
        Stage::Frames => "Reading the log",
        Stage::Messages => "Reading messages",
    };
    let style = ProgressStyle::with_template("{msg:16} [{bar:40}] {percent:>3} %  {eta} left");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_message(message).with_style(style.progress_chars("=> "))
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}
