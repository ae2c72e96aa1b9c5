//! Who the Client is behind a proxy: by hand, and by HAProxy where the machine has it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that is wrong may fail, and says why it was skipped"
)]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Certificates, Kind, Node};
use martlet_net::{ListenerOptions, ProxyOptions, ProxyVersions, TrustedSources, WebSocketOptions};

fn trusted() -> TrustedSources {
    TrustedSources(vec!["127.0.0.0/8".parse().unwrap()])
}

fn behind_proxy(versions: ProxyVersions) -> ListenerOptions {
    let mut options = ListenerOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    options.proxy = Some(ProxyOptions { trusted: trusted(), versions, requires_tls: false });
    options
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket
}

fn echo(stream: &mut (impl Read + Write), bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
    let mut answer = vec![0; bytes.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, bytes);
}

#[test]
fn a_header_and_what_follows_it_may_come_together() {
    let node = Node::start(&behind_proxy(ProxyVersions::Both));
    let mut client = connect(node.address);
    client.write_all(b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 1883\r\nhello").unwrap();
    let mut answer = [0; 5];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"hello");
    assert_eq!(node.peer().forwarded, Some("192.0.2.7:56324".parse().unwrap()));
}

#[test]
fn nothing_else_is_let_in() {
    let node = Node::start(&behind_proxy(ProxyVersions::Both));
    connect(node.address).write_all(b"\x10\x0c\0\x04MQTT").unwrap();
    assert!(node.refusal().contains("no PROXY header"));
    let mut strict = behind_proxy(ProxyVersions::Both);
    strict.proxy = Some(ProxyOptions::default());
    let node = Node::start(&strict);
    connect(node.address).write_all(b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 1883\r\n").unwrap();
    assert!(node.refusal().contains("only trusted proxies"));
}

/// HAProxy with one frontend and one backend.
struct Haproxy {
    process: Child,
    address: SocketAddr,
}

impl Haproxy {
    /// Starts it if the machine has it. `bind` and `server` are what stands behind both addresses.
    fn start(folder: &Path, mode: &str, bind: &str, node: &Node, server: &str) -> Option<Self> {
        if Command::new("haproxy").arg("-v").output().is_err() {
            eprintln!("skipped: there is no program `haproxy`");
            return None;
        }
        // It gets the socket as its input: nobody can take the port meanwhile, and there is nothing to wait for.
        let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let to = node.address;
        let text = format!(
            "global\n  maxconn 100\ndefaults\n  mode {mode}\n  timeout connect 5s\n  timeout client 60s\n  \
             timeout server 60s\n  timeout tunnel 60s\n{forward}listen mqtt\n  bind fd@0 {bind}\n  \
             server node {to} {server}\n",
            forward = if mode == "http" { "  option forwardfor\n" } else { "" },
        );
        std::fs::write(folder.join("haproxy.cfg"), text).unwrap();
        let process = Command::new("haproxy")
            .args(["-f", "haproxy.cfg", "-db"])
            .current_dir(folder)
            .stdin(Stdio::from(OwnedFd::from(socket)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self { process, address })
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn haproxy_tells_the_address_in_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    for (versions, server) in [(ProxyVersions::V1, "send-proxy"), (ProxyVersions::V2, "send-proxy-v2")] {
        let node = Node::start(&behind_proxy(versions));
        let Some(haproxy) = Haproxy::start(folder.path(), "tcp", "", &node, server) else { return };
        let mut client = connect(haproxy.address);
        echo(&mut client, b"hello");
        let peer = node.peer();
        assert_eq!(peer.forwarded, Some(client.local_addr().unwrap()));
        assert_ne!(peer.address, client.local_addr().unwrap().into());
    }
}

#[test]
fn haproxy_tells_the_certificate_that_it_verified() {
    if !common::has_openssl() {
        eprintln!("skipped: there is no program `openssl`");
        return;
    }
    let certificates = Certificates::new();
    certificates.issue("server", &["localhost"], Kind::Good);
    certificates.issue("meter", &[], Kind::Good);
    let both =
        ["server.crt", "server.key"].map(|name| std::fs::read_to_string(certificates.path(name)).unwrap());
    std::fs::write(certificates.path("both.pem"), both.concat()).unwrap();
    let node = Node::start(&behind_proxy(ProxyVersions::V2));
    let bind = "ssl crt both.pem ca-file ca.crt verify required";
    let server = "send-proxy-v2-ssl-cn proxy-v2-options unique-id,authority";
    let Some(haproxy) = Haproxy::start(certificates.folder(), "tcp", bind, &node, server) else { return };
    let mut client = Command::new("openssl")
        .args(["s_client", "-connect", &haproxy.address.to_string(), "-quiet", "-servername", "mqtt.example"])
        .args(["-cert", "meter.crt", "-key", "meter.key"])
        .current_dir(certificates.folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    client.stdin.as_mut().unwrap().write_all(b"hello").unwrap();
    let mut answer = [0; 5];
    client.stdout.as_mut().unwrap().read_exact(&mut answer).unwrap();
    client.kill().unwrap();
    client.wait().unwrap();
    assert_eq!(&answer, b"hello");
    let peer = node.peer();
    assert_eq!(peer.common_name(), Some("meter"));
    let told = peer.proxied.unwrap();
    assert!(told.is_tls && told.tls_version.is_some());
    assert_eq!(told.server_name.as_deref(), Some("mqtt.example"));
}

#[test]
fn haproxy_forwards_websocket_with_the_clients_address() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = ListenerOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    options.websocket = Some(WebSocketOptions {
        paths: vec!["/mqtt".to_owned()],
        forwarders: trusted(),
        ..WebSocketOptions::default()
    });
    let node = Node::start(&options);
    let Some(haproxy) = Haproxy::start(folder.path(), "http", "", &node, "") else { return };
    let uri = format!("ws://{}/mqtt", haproxy.address).parse().unwrap();
    let request = tungstenite::ClientRequestBuilder::new(uri)
        .with_sub_protocol("mqtt")
        .with_header("X-Forwarded-For", "192.0.2.99");
    let (mut socket, response) = tungstenite::client(request, connect(haproxy.address)).unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "mqtt");
    socket.send(tungstenite::Message::binary(&b"hello"[..])).unwrap();
    assert_eq!(socket.read().unwrap().into_data(), &b"hello"[..]);
    socket.send(tungstenite::Message::Ping(b"there?"[..].into())).unwrap();
    assert_eq!(socket.read().unwrap(), tungstenite::Message::Pong(b"there?"[..].into()));
    let peer = node.peer();
    // All of this machine is trusted here, so that the address the Client claims is the one that counts.
    assert_eq!(peer.forwarded.map(|address| address.ip().to_string()).as_deref(), Some("192.0.2.99"));
    socket.close(None).unwrap();
    while socket.read().is_ok() {}
}

#[test]
fn text_frames_are_refused_by_their_code() {
    let mut options = ListenerOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    options.websocket = Some(WebSocketOptions::default());
    let node = Node::start(&options);
    let uri = format!("ws://{}/", node.address).parse().unwrap();
    let request = tungstenite::ClientRequestBuilder::new(uri).with_sub_protocol("mqtt");
    let (mut socket, _) = tungstenite::client(request, connect(node.address)).unwrap();
    socket.send(tungstenite::Message::text("hello")).unwrap();
    let tungstenite::Message::Close(Some(close)) = socket.read().unwrap() else { panic!("no Close frame") };
    assert_eq!(u16::from(close.code), 1003);
    assert!(node.refusal().contains("binary"));
}

#[test]
fn a_request_that_is_refused_is_answered_in_http() {
    let mut options = ListenerOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    options.websocket =
        Some(WebSocketOptions { paths: vec!["/mqtt".to_owned()], ..WebSocketOptions::default() });
    let node = Node::start(&options);
    let mut client = connect(node.address);
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("/mqtt"), "{answer}");
    assert!(node.refusal().contains("/mqtt"));
}
