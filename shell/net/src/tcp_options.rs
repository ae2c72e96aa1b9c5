//! What TCP is asked for, set once on a listener: the kernel hands it on to every connection accepted there.

use std::io;
use std::time::Duration;

use socket2::{Socket, TcpKeepalive};

/// What is asked of TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpOptions {
    /// Connections the kernel completes before they are accepted; beyond it Clients try again by themselves.
    pub backlog: u16,
    /// Small packets leave at once instead of waiting for the acknowledgement of earlier ones.
    pub no_delay: bool,
    /// Probes that find out that a silent peer is gone. `None`: never.
    pub keep_alive: Option<KeepAliveProbes>,
    /// A peer that acknowledges nothing for so long is given up. `None`: as long as the kernel sees fit.
    /// It hits peers that read nothing for so long as well.
    pub user_timeout: Option<Duration>,
}

/// TCP keep-alive, which is not MQTT's: it works for Clients whose Keep Alive is 0, and wakes none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepAliveProbes {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Unanswered probes after which the peer is given up.
    pub count: u32,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self {
            backlog: 1024,
            no_delay: true,
            keep_alive: Some(KeepAliveProbes::default()),
            user_timeout: None,
        }
    }
}

impl Default for KeepAliveProbes {
    fn default() -> Self {
        Self { idle: Duration::from_secs(120), interval: Duration::from_secs(30), count: 4 }
    }
}

impl TcpOptions {
    pub(crate) fn apply(&self, socket: &Socket) -> io::Result<()> {
        socket.set_tcp_nodelay(self.no_delay)?;
        if let Some(probes) = &self.keep_alive {
            socket.set_tcp_keepalive(
                &TcpKeepalive::new()
                    .with_time(probes.idle)
                    .with_interval(probes.interval)
                    .with_retries(probes.count),
            )?;
        }
        #[cfg(target_os = "linux")]
        if self.user_timeout.is_some() {
            socket.set_tcp_user_timeout(self.user_timeout)?;
        }
        Ok(())
    }
}
