//! Words with the manager of services (systemd): one datagram each, to the socket it named.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Where the manager listens, if there is one.
const SOCKET: &str = "NOTIFY_SOCKET";

/// What the manager is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Clients can connect.
    Ready,
    /// The configuration is read again; `Ready` follows.
    Reloading,
}

/// Tells the manager of services, if there is one.
pub(crate) fn tell_manager(state: State) {
    let Some(socket) = env::var_os(SOCKET) else { return };
    if let Err(error) = send(&socket, &state.words()) {
        tracing::warn!("The manager of services was not told ({}): {error}.", socket.display());
    }
}

impl State {
    fn words(self) -> String {
        match self {
            Self::Ready => "READY=1".to_owned(),
            Self::Reloading => {
                let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
                let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
                format!("RELOADING=1\nMONOTONIC_USEC={micros}")
            }
        }
    }
}

fn send(socket: &OsStr, words: &str) -> io::Result<()> {
    let address = match socket.as_bytes().split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(words.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_hears_what_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let mut heard = [0; 100];
        send(path.as_os_str(), &State::Ready.words()).unwrap();
        let count = manager.recv(&mut heard).unwrap();
        assert_eq!(&heard[..count], b"READY=1");
        send(path.as_os_str(), &State::Reloading.words()).unwrap();
        let count = manager.recv(&mut heard).unwrap();
        let text = String::from_utf8_lossy(&heard[..count]).into_owned();
        assert!(
            text.starts_with("RELOADING=1\nMONOTONIC_USEC=") && text.ends_with(char::is_numeric),
            "{text}"
        );
    }
}
