//! The brokers under test, each started afresh on a free port for every scenario. The one rule: a broker that dies, or
//! does not end in order when told to, is a failure of the scenario.

use crate::group::Group;
use anyhow::{Context, bail};
use rustix::process::Signal;
use std::fmt;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const START: Duration = Duration::from_secs(10);
const STOP: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brand {
    Martlet,
    Mosquitto,
}

/// What a scenario asks of a broker beyond its defaults.
#[derive(Clone, Copy, Default)]
pub(crate) struct Settings {
    /// Messages a session may have queued.
    pub(crate) queue_messages_max: Option<u32>,
    /// Mosquitto writes two lines for each connection, which costs it time; Martlet does so only when asked to.
    pub(crate) quiet: bool,
}

/// Where to find the programs, and where to write.
pub(crate) struct Yard {
    /// Martlet's binary, if it takes part.
    pub(crate) martlet: Option<PathBuf>,
    /// A folder for configuration and logs.
    pub(crate) folder: PathBuf,
}

/// A running broker.
pub(crate) struct Broker {
    pub(crate) address: SocketAddr,
    pub(crate) log: PathBuf,
    group: Group,
}

impl Brand {
    fn command(self, port: u16, settings: Settings, yard: &Yard, name: &str) -> anyhow::Result<Command> {
        match self {
            Brand::Martlet => martlet(port, settings, yard),
            Brand::Mosquitto => mosquitto(port, settings, yard, name),
        }
    }
}

impl fmt::Display for Brand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Brand::Martlet => "Martlet",
            Brand::Mosquitto => "Mosquitto",
        })
    }
}

impl Broker {
    /// Starts the broker and waits until it accepts connections.
    pub(crate) fn start(
        brand: Brand,
        settings: Settings,
        yard: &Yard,
        scenario: &str,
    ) -> anyhow::Result<Self> {
        let name = format!("{scenario}.{}", brand.to_string().to_lowercase());
        let port = free_port().context("no free port")?;
        let log = yard.folder.join(format!("{name}.log"));
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = brand.command(port, settings, yard, &name)?;
        command.current_dir(&yard.folder).stdout(file.try_clone()?).stderr(file);
        let (group, _) = Group::spawn(&mut command).with_context(|| format!("cannot start {brand}"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut broker = Broker { address, log, group };
        broker
            .await_listening()
            .with_context(|| format!("{brand} did not start; its log is {}", broker.log.display()))?;
        Ok(broker)
    }

    fn await_listening(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.group.wait(LOOK) {
                bail!("it ended with {status}");
            }
            if Instant::now() > deadline {
                bail!("it does not accept connections");
            }
        }
        Ok(())
    }

    /// Tells the broker to end, and says what was wrong with how it did.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        if let Some(status) = self.group.wait(Duration::ZERO) {
            return Err(format!("the broker did not survive: {status}"));
        }
        self.group.signal(Signal::TERM);
        match self.group.wait(STOP) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("told to end, the broker ended with {status}")),
            None => Err(format!("told to end, the broker still ran after {STOP:?}")),
        }
    }
}

fn martlet(port: u16, settings: Settings, yard: &Yard) -> anyhow::Result<Command> {
    let mut command = Command::new(yard.martlet.as_deref().context("Martlet was not built")?);
    command.args(["broker", "--durability", "memory", "-p", &port.to_string()]);
    if let Some(messages) = settings.queue_messages_max {
        command.args(["--queue-messages-max", &messages.to_string()]);
    }
    Ok(command)
}

/// Limits need a configuration file.
fn mosquitto(port: u16, settings: Settings, yard: &Yard, name: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(mosquitto_binary());
    let Some(messages) = settings.queue_messages_max else {
        command.args(["-p", &port.to_string()]);
        return Ok(command);
    };
    let file = yard.folder.join(format!("{name}.conf"));
    let mut text = format!(
        "listener {port} 127.0.0.1\nallow_anonymous true\nsys_interval 1\nmax_queued_messages {messages}\n"
    );
    if settings.quiet {
        text.push_str("log_type error\nlog_type warning\n");
    }
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    command.arg("-c").arg(file);
    Ok(command)
}

/// Debian puts it where only root's search path leads.
fn mosquitto_binary() -> &'static Path {
    let debian = Path::new("/usr/sbin/mosquitto");
    if debian.exists() { debian } else { Path::new("mosquitto") }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// The first line of what the broker says about its version.
pub(crate) fn version(brand: Brand, yard: &Yard) -> Option<String> {
    let output = match brand {
        Brand::Martlet => Command::new(yard.martlet.as_deref()?).arg("--version").output(),
        Brand::Mosquitto => Command::new(mosquitto_binary()).arg("-h").output(),
    };
    let text = String::from_utf8(output.ok()?.stdout).ok()?;
    text.lines().next().and_then(|line| line.split_whitespace().last()).map(str::to_owned)
}
