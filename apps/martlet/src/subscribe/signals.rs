//! SIGINT and SIGTERM as something to wait for beside the socket.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};

/// Becomes readable when a signal comes.
pub(crate) struct Signals(UnixStream);

impl Signals {
    pub(crate) fn new() -> Result<Self> {
        let (signals, sender) = UnixStream::pair().context("cannot make a pair of sockets")?;
        for signal in [SIGINT, SIGTERM] {
            let sender = sender.try_clone().context("cannot copy a socket")?;
            signal_hook::low_level::pipe::register(signal, sender).context("cannot catch signals")?;
        }
        Ok(Self(signals))
    }

    /// Whether a signal has come.
    pub(crate) fn came(&self) -> bool {
        // An error would say that none can be told apart from silence: none came.
        self.wait(Duration::from_nanos(1)).unwrap_or(false)
    }

    /// Waits for a signal, at most so long. Says whether one came.
    pub(crate) fn wait(&self, timeout: Duration) -> io::Result<bool> {
        // A time-out of zero would wait for ever.
        self.0.set_read_timeout(Some(timeout.max(Duration::from_nanos(1))))?;
        match (&self.0).read(&mut [0]) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.wait(timeout),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
