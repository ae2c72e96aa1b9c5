//! A broker in the test process.

use std::net::{Ipv4Addr, SocketAddr};

use martlet_packet::Version;
use martlet_server::{Config, Dialect, Handle, Listen, Server};

use crate::{Client, Stream};

/// A broker on a free port of 127.0.0.1. It ends in good order when it is dropped.
#[derive(Debug)]
pub struct Broker {
    node: Option<Handle>,
    address: SocketAddr,
}

impl Broker {
    /// With the defaults of the native dialect and one runner.
    pub fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// The same, with some settings of the test's.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(Dialect::NATIVE);
        config.listen = vec![Listen::at((Ipv4Addr::LOCALHOST, 0).into())];
        config.runners = std::num::NonZeroUsize::MIN;
        config.sys_interval = std::time::Duration::ZERO;
        change(&mut config);
        let node = Server::start(&config).expect("a broker starts on a free port");
        Self { address: node.addresses()[0], node: Some(node) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// An MQTT 3.1.1 client that has not connected.
    pub fn client(&self, client_id: &str) -> Client {
        Client::new(self.stream(), Version::V3_1_1, client_id)
    }

    /// An MQTT 5.0 client that has not connected.
    pub fn client_v5(&self, client_id: &str) -> Client {
        Client::new(self.stream(), Version::V5, client_id)
    }

    /// A TCP connection on which nothing was said.
    pub fn stream(&self) -> Stream {
        Stream::connect(self.address)
    }

    /// Tells it to end, and does not wait.
    pub fn begins_to_stop(&self) {
        self.node.iter().for_each(|node| node.stopper().stop());
    }

    /// Ends it in good order.
    ///
    /// # Panics
    /// When it fails.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop().expect("a broker ends without an error");
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        }
    }
}
