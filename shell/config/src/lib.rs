//! What a node is told: one typed [`Config`] as plain data, whichever file it was written in.

mod config;

pub use config::{
    AcceptedVersion, Behaviour, Bridge, BridgeTopic, Config, Dialect, Direction, Durability, IpFamily,
    Limits, Listener, Log, LogDestination, LogType, Persistence, Plugin, Process, Protocol, ProtocolVersion,
    ProxyProtocol, QueuePolicy, ReloadType, Secret, Security, SharedStrategy, StartType, Sys, Tcp, Tls,
    TlsVersion, TopicDurability, WebSocket,
};
