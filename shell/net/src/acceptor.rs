//! Takes new connections from all listeners, a bounded number at a time, and refuses instead of failing.
//!
//! The rule: whatever the system is short of, accepting never spins. When no descriptor is left, the one in reserve
//! is spent on telling the peer so.

use std::io;
use std::time::Duration;

use martlet_record::{Need, Time};
use mio::{Registry, Token};
use rustix::io::Errno;

use crate::reserve::Reserve;
use crate::{Listener, PeerAddress, Transport};

/// Milliseconds for which nothing is accepted after the system could not even do that.
const PAUSE_MILLIS: u64 = 100;
/// How often a full table is worth a line in the log.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);

/// All listeners of a node.
#[derive(Debug)]
pub struct Acceptor {
    listeners: Vec<Listener>,
    reserve: Reserve,
    /// Some listener may have a connection.
    is_ready: bool,
    paused_until: Option<Time>,
    complained: Option<Time>,
}

/// A connection as the acceptor hands it over.
#[derive(Debug)]
pub struct Accepted {
    /// Its socket, and what lies on it.
    pub socket: Transport,
    /// Who it is.
    pub peer: PeerAddress,
    /// Which of the listeners it came to, in the order of [`Acceptor::new`].
    pub listener: usize,
    /// How safe what it is promised must be, if its listener says.
    pub need: Option<Need>,
    /// It took the last descriptor: refuse it and close it at once.
    pub is_surplus: bool,
}

impl Acceptor {
    /// Accepts from these listeners.
    pub fn new(listeners: Vec<Listener>) -> io::Result<Self> {
        let reserve = Reserve::new()?;
        Ok(Self { listeners, reserve, is_ready: true, paused_until: None, complained: None })
    }

    /// Asks to be told of new connections, under `token`.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.listeners.iter_mut().try_for_each(|listener| listener.register(registry, token))
    }

    /// A listener has a connection.
    pub fn wake(&mut self) {
        self.is_ready = true;
    }

    /// There may be more to accept now.
    pub fn is_ready(&self) -> bool {
        self.is_ready && self.paused_until.is_none()
    }

    /// When to try again, if it had to stop.
    pub fn paused_until(&self) -> Option<Time> {
        self.paused_until
    }

    /// Accepts the next connection; `None` when there is none or the system is short of something.
    pub fn accept(&mut self, now: Time) -> Option<Accepted> {
        self.paused_until = self.paused_until.filter(|until| *until > now);
        if !self.is_ready() {
            return None;
        }
        while let Some(accepted) = self.accept_any() {
            match accepted {
                Ok(accepted) => return Some(accepted),
                Err(error) if is_peers_fault(&error) => {}
                Err(_) => {
                    self.paused_until = Some(now.after_millis(PAUSE_MILLIS));
                    return None;
                }
            }
        }
        self.is_ready = false;
        None
    }

    /// The connection that got the reserved descriptor is closed: hold it back again.
    /// True when it is time to say so in the log.
    pub fn refused(&mut self, now: Time) -> bool {
        self.reserve.restore();
        let is_due = self.complained.is_none_or(|at| now.since(at) >= COMPLAINT_INTERVAL);
        if is_due {
            self.complained = Some(now);
        }
        is_due
    }

    fn accept_any(&mut self) -> Option<io::Result<Accepted>> {
        let mut taken = self.take(false);
        if let Some(Err(error)) = &taken
            && is_out_of_descriptors(error)
        {
            self.reserve.restore();
            if self.reserve.give_up() {
                taken = self.take(true);
                if !matches!(taken, Some(Ok(_))) {
                    self.reserve.restore();
                }
            }
        }
        taken
    }

    fn take(&self, is_surplus: bool) -> Option<io::Result<Accepted>> {
        self.listeners.iter().enumerate().find_map(|(number, listener)| match listener.accept() {
            Ok((socket, peer)) => {
                Some(Ok(Accepted { socket, peer, listener: number, need: listener.need(), is_surplus }))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => Some(Err(error)),
        })
    }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// The connection was gone before it was accepted: the next one may be well.
fn is_peers_fault(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ListenerOptions;
    use std::net::{Ipv4Addr, SocketAddr, TcpStream as StdStream};

    #[test]
    fn connections_of_all_listeners_are_accepted_until_there_are_none() {
        let options = ListenerOptions::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let listeners = vec![Listener::open(&options).unwrap(), Listener::open(&options).unwrap()];
        let addresses: Vec<_> = listeners.iter().map(Listener::address).collect();
        let mut acceptor = Acceptor::new(listeners).unwrap();
        let clients: Vec<_> =
            addresses.iter().chain(&addresses).map(|at| StdStream::connect(at).unwrap()).collect();
        let accepted: Vec<_> = std::iter::from_fn(|| acceptor.accept(Time::START))
            .map(|accepted| (accepted.listener, accepted.peer))
            .collect();
        assert_eq!(accepted.len(), clients.len());
        assert!(!acceptor.is_ready());
        for (number, client) in clients.iter().enumerate() {
            let peer = PeerAddress::Inet(client.local_addr().unwrap());
            assert!(accepted.contains(&(number % 2, peer)));
        }
    }
}
