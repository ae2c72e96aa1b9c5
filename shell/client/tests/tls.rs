//! TLS against the server of the `openssl` program, with certificates as people make them. Where the program is missing
//! these tests say so and do nothing.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use martlet_client::{
    Client, ConnectOptions, Endpoint, Error, Identity, Psk, TlsOptions, TlsVersion, Version,
};

/// A CA, an impostor of the same name, and certificates of `localhost`, in a folder of their own.
struct Authority(tempfile::TempDir);

impl Authority {
    /// None where nobody can make certificates.
    #[expect(clippy::print_stderr, reason = "who reads the tests must know what was not tested")]
    fn new() -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("skipped: the program openssl is not installed");
            return None;
        }
        let authority = Self(tempfile::tempdir().unwrap());
        for name in ["ca", "impostor"] {
            authority.openssl(&format!(
                "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=test-ca -keyout {name}.key -out {name}.pem"
            ));
        }
        Some(authority)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self, line: &str) {
        let output =
            Command::new("openssl").args(line.split(' ')).current_dir(self.0.path()).output().unwrap();
        assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A certificate, signed by the named CA; without extensions it is one of version 1.
    fn issue(&self, name: &str, subject: &str, ca: &str, extensions: &str, days: &str) {
        self.openssl(&format!(
            "req -new -newkey rsa:2048 -nodes -subj {subject} -keyout {name}.key -out {name}.csr"
        ));
        std::fs::write(self.path("extensions"), extensions).unwrap();
        let more = if extensions.is_empty() { "" } else { " -extfile extensions" };
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {ca}.pem -CAkey {ca}.key -CAcreateserial -days {days} -out {name}.pem{more}"
        ));
    }

    fn trusting(&self, ca: &str) -> TlsOptions {
        TlsOptions { ca_file: Some(self.path(&format!("{ca}.pem"))), ..TlsOptions::default() }
    }

    fn identity(&self, name: &str) -> Option<Identity> {
        let [certificate, key] = ["pem", "key"].map(|kind| self.path(&format!("{name}.{kind}")));
        Some(Identity { certificate, key })
    }
}

const NAMED: &str = "subjectAltName=DNS:localhost,IP:127.0.0.1";

/// A server that accepts every CONNECT, be it sent or not, as soon as a handshake is done.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(folder: &Path, line: &str) -> Self {
        // The CONNACK of MQTT 3.1.1.
        const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0"])
            .args(line.split(' '))
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let accepts = lines.find_map(|line| Some(line.strip_prefix("ACCEPT ")?.to_owned())).unwrap();
        thread::spawn(move || {
            // It says this at the end of each handshake; what it is given then goes to the Client.
            lines.filter(|line| line.starts_with("CIPHER is")).try_for_each(|_| input.write_all(&CONNACK))
        });
        let port = accepts.rsplit(':').next().unwrap().parse().unwrap();
        Self { child, port }
    }

    fn with(authority: &Authority, name: &str, more: &str) -> Self {
        Self::start(authority.0.path(), format!("-cert {name}.pem -key {name}.key {more}").trim_end())
    }

    fn connect(&self, host: &str, tls: TlsOptions) -> Result<Client, Error> {
        let endpoint = Endpoint { tls: Some(tls), ..Endpoint::tcp(host, self.port) };
        let options = ConnectOptions {
            version: Version::V3_1_1,
            answer_timeout: Duration::from_secs(10),
            ..ConnectOptions::new("me")
        };
        Client::connect_to(endpoint, options)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whatever it still does, it is done with.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// The words of a refusal before CONNECT.
#[track_caller]
fn refusal(result: Result<Client, Error>) -> String {
    match result {
        Err(error @ (Error::Untrusted(_) | Error::Tls(_) | Error::TlsOptions(_))) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_is_known_by_its_names_in_both_versions() {
    let Some(authority) = Authority::new() else { return };
    authority.issue("named", "/CN=other", "ca", NAMED, "30");
    // Known by the common name alone; the same as a certificate of version 1.
    authority.issue("common", "/CN=localhost", "ca", "basicConstraints=CA:FALSE", "30");
    authority.issue("first", "/CN=localhost", "ca", "", "30");
    for name in ["named", "common", "first"] {
        for version in ["-tls1_2", "-tls1_3"] {
            let server = Server::with(&authority, name, version);
            server.connect("localhost", authority.trusting("ca")).unwrap();
        }
    }
    let server = Server::with(&authority, "named", "");
    server.connect("127.0.0.1", authority.trusting("ca")).unwrap();
}

#[test]
fn who_cannot_prove_it_is_refused() {
    let Some(authority) = Authority::new() else { return };
    authority.issue("named", "/CN=localhost", "ca", NAMED, "30");
    authority.issue("first", "/CN=localhost", "ca", "", "30");
    authority.issue("expired", "/CN=localhost", "ca", NAMED, "-1");
    authority.issue("first-expired", "/CN=localhost", "ca", "", "-1");
    authority.issue("elsewhere", "/CN=localhost", "ca", "subjectAltName=DNS:elsewhere.example", "30");
    authority.issue("first-elsewhere", "/CN=elsewhere.example", "ca", "", "30");
    for (name, ca, why) in [
        ("named", "impostor", "BadSignature"),
        ("first", "impostor", "BadSignature"),
        ("expired", "ca", "expired"),
        ("first-expired", "ca", "Expired"),
        ("elsewhere", "ca", "not valid for name"),
        ("first-elsewhere", "ca", "NotValidForName"),
    ] {
        let server = Server::with(&authority, name, "");
        let words = refusal(server.connect("localhost", authority.trusting(ca)));
        assert!(words.to_lowercase().contains(&why.to_lowercase()), "{name}: {words}");
    }
}

#[test]
fn any_name_will_do_if_asked_for_but_not_any_signature() {
    let Some(authority) = Authority::new() else { return };
    for (name, extensions) in [("elsewhere", "subjectAltName=DNS:elsewhere.example"), ("first", "")] {
        authority.issue(name, "/CN=elsewhere.example", "ca", extensions, "30");
        let server = Server::with(&authority, name, "");
        let anyone = |ca| TlsOptions { accepts_any_name: true, ..authority.trusting(ca) };
        server.connect("localhost", anyone("ca")).unwrap();
        refusal(server.connect("localhost", anyone("impostor")));
    }
}

#[test]
fn a_folder_of_certificates_is_trusted() {
    let Some(authority) = Authority::new() else { return };
    authority.issue("named", "/CN=localhost", "ca", NAMED, "30");
    let server = Server::with(&authority, "named", "");
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(authority.path("ca.pem"), folder.path().join("0a1b2c3d.0")).unwrap();
    std::fs::write(folder.path().join("README"), "no certificate").unwrap();
    let options = TlsOptions { ca_path: Some(folder.path().to_owned()), ..TlsOptions::default() };
    server.connect("localhost", options).unwrap();
}

#[test]
fn we_show_a_certificate_to_who_wants_one() {
    let Some(authority) = Authority::new() else { return };
    authority.issue("named", "/CN=localhost", "ca", NAMED, "30");
    authority.issue("client", "/CN=client", "ca", "", "30");
    authority.issue("stranger", "/CN=client", "impostor", "", "30");
    for version in ["-tls1_2", "-tls1_3"] {
        let connect = |identity| {
            let more = format!("{version} -Verify 1 -verify_return_error -CAfile ca.pem");
            let server = Server::with(&authority, "named", &more);
            server.connect("localhost", TlsOptions { identity, ..authority.trusting("ca") })
        };
        connect(authority.identity("client")).unwrap();
        // In TLS 1.3 the refusal comes after our handshake is done.
        assert!(matches!(connect(authority.identity("stranger")), Err(Error::Tls(_) | Error::Lost(_))));
        assert!(matches!(connect(None), Err(Error::Tls(_) | Error::Lost(_))));
    }
}

#[test]
fn files_are_checked_before_anybody_is_called() {
    let Some(authority) = Authority::new() else { return };
    authority.issue("client", "/CN=client", "ca", "", "30");
    let nowhere = |tls| {
        let endpoint = Endpoint { tls: Some(tls), ..Endpoint::tcp("127.0.0.1", 1) };
        refusal(Client::connect_to(endpoint, ConnectOptions::new("me")))
    };
    let missing = TlsOptions { ca_file: Some(authority.path("missing.pem")), ..TlsOptions::default() };
    assert!(nowhere(missing).contains("No such file"));
    let [certificate, key] = ["client.pem", "ca.key"].map(|name| authority.path(name));
    let mixed = TlsOptions { identity: Some(Identity { certificate, key }), ..authority.trusting("ca") };
    assert!(nowhere(mixed).contains("is not the key of"));
}

#[test]
fn the_version_and_the_ciphers_are_those_asked_for() {
    let Some(authority) = Authority::new() else { return };
    authority.issue("named", "/CN=localhost", "ca", NAMED, "30");
    let old = Server::with(&authority, "named", "-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256");
    let newest = TlsOptions { oldest: Some(TlsVersion::V1_3), ..authority.trusting("ca") };
    refusal(old.connect("localhost", newest));
    let ciphers = |list: &str| TlsOptions { ciphers: Some(list.to_owned()), ..authority.trusting("ca") };
    refusal(old.connect("localhost", ciphers("ECDHE-RSA-AES256-GCM-SHA384")));
    old.connect("localhost", ciphers("ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256")).unwrap();
}

const KEY: [u8; 4] = [0x0A, 0x1B, 0x2C, 0x3D];

fn psk(key: &[u8]) -> TlsOptions {
    let psk = Psk { identity: "thing".to_owned(), key: key.to_vec() };
    TlsOptions { psk: Some(psk), ..TlsOptions::default() }
}

#[test]
#[cfg(feature = "openssl")]
fn a_key_both_know_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), "-nocert -tls1_2 -psk_identity thing -psk 0a1b2c3d");
    server.connect("localhost", psk(&KEY)).unwrap();
    refusal(server.connect("localhost", psk(&[1])));
}

#[test]
#[cfg(feature = "openssl")]
fn openssl_reads_its_own_lists_and_trusts_no_more_than_rustls() {
    let Some(authority) = Authority::new() else { return };
    authority.issue("first", "/CN=localhost", "ca", "", "30");
    let server = Server::with(&authority, "first", "");
    let list = |ca| TlsOptions { ciphers: Some("HIGH:!aNULL".to_owned()), ..authority.trusting(ca) };
    server.connect("localhost", list("ca")).unwrap();
    refusal(server.connect("localhost", list("impostor")));
    refusal(server.connect("127.0.0.1", list("ca")));
}

#[test]
#[cfg(not(feature = "openssl"))]
fn what_needs_openssl_says_so() {
    let endpoint = Endpoint { tls: Some(psk(&KEY)), ..Endpoint::tcp("127.0.0.1", 1) };
    assert!(refusal(Client::connect_to(endpoint, ConnectOptions::new("me"))).contains("--features openssl"));
}
