//! Signals: the first SIGTERM or SIGINT ends the node in good order, the second at once.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::server::{Handle, Stopper};

/// What a program reports that was told twice to end.
const STATUS_OF_HASTE: i32 = 1;

/// Runs a node until a signal ends it.
pub fn serve_until_signalled(node: Handle) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2])?;
    let (stopper, handle) = (node.stopper(), signals.handle());
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
            SIGHUP => {
                tracing::info!("SIGHUP does nothing yet: there is no configuration file to read again.")
            }
            _ => tracing::info!(
                "This signal does nothing here: the state of the broker is in its $SYS topics."
            ),
        }
    }
}
