//! What a node is told: one typed [`Config`] as plain data, whichever file it was written in.

mod check;
mod config;
mod describe;
mod effective;
mod files;
mod key;
mod mosquitto;
mod names;
mod native;
mod nearest;
mod origin;
mod read;
mod report;
mod slot;
mod source;

pub use config::{
    AcceptedVersion, Behaviour, Bridge, BridgeTopic, Config, Dialect, Direction, Durability, IpFamily,
    Limits, Listener, Log, LogDestination, LogType, Persistence, Plugin, Process, Protocol, ProtocolVersion,
    ProxyProtocol, QueuePolicy, ReloadType, Secret, Security, SharedStrategy, StartType, Sys, Tcp, Tls,
    TlsVersion, TopicDurability, WebSocket,
};
pub use describe::markdown;
pub use effective::{Difference, Row, differences, rows};
pub use files::{Disk, Files};
pub use key::{Bounds, Key, Kind, Reload, Scope, Status, Unit, keys};
pub use native::to_toml;
pub use origin::{Origin, Origins};
pub use read::{Failure, Format, Loaded, Options, read, read_with, render};
pub use report::{Report, Severity};
pub use slot::Value;
