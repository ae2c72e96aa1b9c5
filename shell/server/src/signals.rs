//! Signals: the first SIGTERM or SIGINT ends the node in good order, the second at once; SIGHUP has the configuration
//! read again, SIGUSR1 a checkpoint written, SIGUSR2 the subscriptions printed.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::control::{Order, Source};
use crate::server::{Handle, Stopper};

/// What a program reports that was told twice to end.
const STATUS_OF_HASTE: i32 = 1;

/// Runs a node until a signal ends it. What it was configured with is read again from `source`.
pub fn serve_until_signalled(node: Handle, source: Option<Box<dyn Source>>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2])?;
    let (stopper, handle) = (node.stopper(), signals.handle());
    if let Some(source) = source {
        stopper.order(Order::Watch(source));
    }
    let listener =
        thread::Builder::new().name("signals".to_owned()).spawn(move || listen(&mut signals, &stopper))?;
    let ended = node.join();
    handle.close();
    // It ends with its signals; should it not, the node's own end is what counts.
    drop(listener.join());
    ended
}

fn listen(signals: &mut Signals, stopper: &Stopper) {
    let mut is_stopping = false;
    for signal in signals.forever() {
        match signal {
            SIGTERM | SIGINT if is_stopping => std::process::exit(STATUS_OF_HASTE),
            SIGTERM | SIGINT => {
                tracing::info!("Shutting down. A second signal ends the broker at once.");
                is_stopping = true;
                stopper.stop();
            }
            SIGHUP => stopper.reload_now(),
            SIGUSR1 => stopper.order(Order::Checkpoint),
            _ => stopper.order(Order::PrintTree),
        }
    }
}
