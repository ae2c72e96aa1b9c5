//! A broker in the test process.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use martlet_packet::Version;
use martlet_server::{Address, Config, Dialect, Handle, Listen, Server, Source};

use crate::{Client, Stream};

/// A configuration that stands in no file.
struct Text(String);

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
        Self::start_configured(&config)
    }

    /// With what `mosquitto.conf` says; but for their number, its ports are free ones.
    ///
    /// # Panics
    /// When it cannot be used, or does not start.
    pub fn start_written(text: &str) -> Self {
        Self::start_configured(&configured(text))
    }

    fn start_configured(config: &Config) -> Self {
        let node = Server::start(config).expect("a broker starts on a free port");
        let address = node.addresses().first().copied().unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into());
        Self { address, node: Some(node) }
    }

    /// Has it read its configuration again, which is this text now.
    pub fn reads_again(&self, text: &str) {
        let node = self.node.as_ref().expect("it runs");
        node.stopper().reload(Box::new(Text(text.to_owned())));
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

impl Source for Text {
    fn read(&mut self) -> Result<Config, String> {
        read(&self.0).map_err(|error| error.to_string())
    }

    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

fn configured(text: &str) -> Config {
    let mut config = read(text).expect("the configuration can be used");
    config.runners = std::num::NonZeroUsize::MIN;
    config.sys_interval = std::time::Duration::ZERO;
    config
}

/// What `mosquitto.conf` with this text makes of a node.
fn read(text: &str) -> Result<Config, Box<dyn std::error::Error>> {
    let options = martlet_config::Options {
        dialect: Some(martlet_config::Dialect::Mosquitto),
        format: Some(martlet_config::Format::Mosquitto),
        strict: false,
    };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("mosquitto.conf");
    std::fs::write(&file, text)?;
    let loaded = martlet_config::read(&file, &options)
        .map_err(|failure| martlet_config::render(&failure.reports, false))?;
    let mut config = martlet_server::configure(&loaded.config)?.config;
    for listen in &mut config.listen {
        if let Address::Tcp { port, .. } = &mut listen.options.address {
            *port = 0;
        }
    }
    Ok(config)
}

impl Drop for Broker {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        }
    }
}
