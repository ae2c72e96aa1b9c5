//! Two network namespaces with a cable between them, and a way to lose every packet on it.
//!
//! The rule: the machine's own network is never touched.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, ensure};
use martlet_witness::cleanup::{self, Leftover};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where the broker listens in its namespace.
pub(crate) const BROKER_PORT: u16 = 1883;

const BROKER_CABLE: Ipv4Addr = Ipv4Addr::new(10, 213, 77, 1);
const PEER_CABLE: Ipv4Addr = Ipv4Addr::new(10, 213, 77, 2);

/// A namespace that lives until it is dropped.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    fn new(side: &str) -> Result<Self> {
        let name = format!("martlet-trial-{}-{side}", std::process::id());
        cleanup::register(Leftover::Namespace(name.clone()));
        let namespace = Self { name };
        ip(&["netns", "add", &namespace.name])?;
        Ok(namespace)
    }

    /// Runs `work` in this namespace. Sockets made and processes started there stay in it.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let file = Path::new("/run/netns").join(&self.name);
        thread::scope(|scope| {
            // Its own thread: a namespace is a property of the thread, and this one ends with `work`.
            let inside = scope.spawn(|| {
                let file = File::open(&file).with_context(|| format!("opening {}", file.display()))?;
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                    .context("entering a network namespace")?;
                work()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn ip(&self, arguments: &[&str]) -> Result<()> {
        ip(&[&["-n", &self.name], arguments].concat())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // It may never have been made; then there is nothing to delete and nothing to say.
        drop(Command::new("ip").args(["netns", "del", &self.name]).stderr(Stdio::null()).status());
        cleanup::forget(&Leftover::Namespace(self.name.clone()));
    }
}

/// The broker's namespace and the peers', joined by a cable.
///
/// A broker without configuration listens on loopback only. So the peers' namespace has no loopback of its own and
/// routes 127.0.0.1 through the cable: to the broker a peer is remote, yet no broker needs a special configuration.
pub(crate) struct Cable {
    pub(crate) broker: Namespace,
    pub(crate) peers: Namespace,
}

impl Cable {
    /// Lays the cable.
    pub(crate) fn lay() -> Result<Self> {
        let cable = Self { broker: Namespace::new("broker")?, peers: Namespace::new("peers")? };
        let Self { broker, peers } = &cable;
        broker.ip(&[
            "link",
            "add",
            "cable",
            "type",
            "veth",
            "peer",
            "name",
            "cable",
            "netns",
            &peers.name,
        ])?;
        broker.ip(&["link", "set", "lo", "up"])?;
        for (side, address) in [(broker, BROKER_CABLE), (peers, PEER_CABLE)] {
            side.ip(&["addr", "add", &format!("{address}/30"), "dev", "cable"])?;
            side.ip(&["link", "set", "cable", "up"])?;
            side.run(|| Ok(fs::write("/proc/sys/net/ipv4/conf/cable/route_localnet", "1")?))?;
        }
        peers.ip(&["route", "add", "127.0.0.1/32", "dev", "cable", "src", &PEER_CABLE.to_string()])?;
        Ok(cable)
    }

    /// Where peers and watchers alike find the broker.
    pub(crate) fn address() -> SocketAddr {
        (Ipv4Addr::LOCALHOST, BROKER_PORT).into()
    }

    /// From now on every packet is lost in both directions, without an error, a FIN or a lost carrier on either side:
    /// both ends address their frames to a neighbour that is not there.
    pub(crate) fn lose_everything(&self) -> Result<()> {
        let nobody = "02:00:00:00:00:99";
        let misdirect = |side: &Namespace, to: Ipv4Addr| {
            side.ip(&[
                "neigh",
                "replace",
                &to.to_string(),
                "lladdr",
                nobody,
                "dev",
                "cable",
                "nud",
                "permanent",
            ])
        };
        misdirect(&self.broker, PEER_CABLE)?;
        misdirect(&self.peers, Ipv4Addr::LOCALHOST)
    }
}

/// Why no namespace can be made here, if so.
pub(crate) fn obstacle() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("making network namespaces needs root");
    }
    let version = Command::new("ip").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if version.is_err() {
        return Some("making network namespaces needs the program `ip` (iproute2)");
    }
    None
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output().context("starting ip")?;
    ensure!(
        output.status.success(),
        "ip {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
