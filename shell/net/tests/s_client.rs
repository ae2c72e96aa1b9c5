//! TLS of a listener, seen from `openssl s_client`, where the machine has it; and what OpenSSL alone can serve.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
#[cfg(feature = "openssl")]
use std::sync::Arc;

use common::{Certificates, Kind, Node};
use martlet_net::{ClientCertificate, IdentityFiles, ListenerOptions, PeerInfo, TlsOptions, TlsVersion};

fn start(tls: TlsOptions) -> Node {
    let mut options = ListenerOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    options.tls = Some(tls);
    Node::start(&options)
}

fn options(certificates: &Certificates, name: &str) -> TlsOptions {
    let (certificate, key) =
        (certificates.path(&format!("{name}.crt")), certificates.path(&format!("{name}.key")));
    TlsOptions {
        identities: vec![IdentityFiles { certificate, key, password: None }],
        authority_file: Some(certificates.path("ca.crt")),
        ..TlsOptions::default()
    }
}

/// Has `s_client` say a line, and returns what it heard, and what it said of the connection.
fn say(node: &Node, folder: &Path, arguments: &[&str]) -> (String, String) {
    let mut client = Command::new("openssl")
        .args(["s_client", "-connect", &node.address.to_string(), "-quiet", "-no_ign_eof"])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = client.stdin.take().unwrap();
    let _closed_when_refused = input.write_all(b"hello\n");
    let mut heard = String::new();
    BufReader::new(client.stdout.as_mut().unwrap()).read_line(&mut heard).unwrap();
    drop(input);
    let output = client.wait_with_output().unwrap();
    (heard, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// `s_client` gets through; what was learnt of it.
fn through(node: &Node, folder: &Path, arguments: &[&str]) -> PeerInfo {
    let (heard, said) = say(node, folder, arguments);
    assert_eq!(heard, "hello\n", "{arguments:?}: {said}");
    node.peer()
}

/// `s_client` is refused: what it said, and why.
fn refused(node: &Node, folder: &Path, arguments: &[&str]) -> (String, String) {
    let (heard, said) = say(node, folder, arguments);
    assert_eq!(heard, "", "{arguments:?}");
    (said, node.refusal())
}

fn authority() -> Option<Certificates> {
    if !common::has_openssl() {
        eprintln!("skipped: there is no program `openssl`");
        return None;
    }
    let certificates = Certificates::new();
    certificates.issue("server", &["localhost"], Kind::Good);
    Some(certificates)
}

/// As people make them: `openssl x509 -req` without extensions gives version 1.
fn issue_v1(certificates: &Certificates, name: &str, days: &str) {
    let run = |arguments: &[&str]| {
        let output = common::openssl(arguments, certificates.folder()).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let (key, request, certificate) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.crt"));
    let subject = format!("/CN={name}");
    run(&["genrsa", "-out", &key, "2048"]);
    run(&["req", "-new", "-key", &key, "-out", &request, "-subj", &subject]);
    run(&[
        "x509",
        "-req",
        "-in",
        &request,
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-out",
        &certificate,
        "-days",
        days,
    ]);
    let shown =
        common::openssl(&["x509", "-in", &certificate, "-noout", "-text"], certificates.folder()).unwrap();
    assert!(String::from_utf8_lossy(&shown.stdout).contains("Version: 1 "));
}

#[test]
fn s_client_gets_through_by_each_version() {
    let Some(certificates) = authority() else { return };
    let node = start(options(&certificates, "server"));
    for (argument, version) in [("-tls1_2", TlsVersion::V1_2), ("-tls1_3", TlsVersion::V1_3)] {
        let peer =
            through(&node, certificates.folder(), &[argument, "-CAfile", "ca.crt", "-verify_return_error"]);
        assert_eq!(peer.tls_version(), Some(version));
    }
}

#[test]
fn authorities_in_between_are_shown_with_our_certificate() {
    let Some(certificates) = authority() else { return };
    certificates.issue_deeper("deep", "localhost");
    let all = ["ca.crt", "between.crt"].map(|name| std::fs::read_to_string(certificates.path(name)).unwrap());
    std::fs::write(certificates.path("all.crt"), all.concat()).unwrap();
    let mut deep = options(&certificates, "deep");
    deep.authority_file = Some(certificates.path("all.crt"));
    for min in [TlsVersion::V1_1, TlsVersion::V1_2] {
        deep.versions.min = min;
        if min == TlsVersion::V1_1 && !cfg!(feature = "openssl") {
            continue;
        }
        let node = start(deep.clone());
        through(&node, certificates.folder(), &["-CAfile", "ca.crt", "-verify_return_error"]);
    }
}

#[test]
fn our_own_certificate_may_be_of_version_1() {
    let Some(certificates) = authority() else { return };
    issue_v1(&certificates, "old", "30");
    let node = start(options(&certificates, "old"));
    for version in ["-tls1_2", "-tls1_3"] {
        through(&node, certificates.folder(), &[version, "-CAfile", "ca.crt", "-verify_return_error"]);
    }
}

#[test]
fn a_client_with_a_certificate_of_version_1_needs_openssl() {
    let Some(certificates) = authority() else { return };
    issue_v1(&certificates, "client", "30");
    let mut options = options(&certificates, "server");
    options.client_certificate = ClientCertificate::Required;
    let node = start(options);
    for version in ["-tls1_2", "-tls1_3"] {
        let arguments = [version, "-cert", "client.crt", "-key", "client.key"];
        if cfg!(feature = "openssl") {
            let peer = through(&node, certificates.folder(), &arguments);
            assert_eq!(peer.common_name(), Some("client"));
        } else {
            let (said, why) = refused(&node, certificates.folder(), &arguments);
            assert!(why.contains("`CN=client` is of X.509 version 1"), "{why}");
            assert!(said.contains("alert unsupported certificate"), "{said}");
        }
    }
}

#[cfg(feature = "openssl")]
#[test]
fn a_bad_certificate_of_version_1_is_refused() {
    let Some(certificates) = authority() else { return };
    let strangers = Certificates::new();
    issue_v1(&strangers, "stranger", "30");
    issue_v1(&certificates, "late", "0");
    issue_v1(&certificates, "revoked", "30");
    let shown =
        common::openssl(&["x509", "-in", "revoked.crt", "-noout", "-serial"], certificates.folder()).unwrap();
    let serial = String::from_utf8(shown.stdout).unwrap().trim().trim_start_matches("serial=").to_owned();
    let bytes: Vec<u8> =
        (0..serial.len()).step_by(2).map(|at| u8::from_str_radix(&serial[at..at + 2], 16).unwrap()).collect();
    certificates.revoke_serial(&bytes);
    let mut options = options(&certificates, "server");
    options.client_certificate = ClientCertificate::Required;
    options.revocation_file = Some(certificates.path("crl.pem"));
    let node = start(options);
    // One that is valid for no day has expired once its second is over.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while common::openssl(&["x509", "-in", "late.crt", "-noout", "-checkend", "0"], certificates.folder())
        .unwrap()
        .status
        .success()
    {
        assert!(std::time::Instant::now() < deadline);
    }
    // A certificate with the key of another: what it shows is not its own.
    for version in ["-tls1_2", "-tls1_3"] {
        for (owner, name, alert, words) in [
            (&strangers, "stranger", "unknown ca", "`CN=stranger` cannot be trusted: "),
            (
                &certificates,
                "late",
                "certificate expired",
                "`CN=late` cannot be trusted: certificate has expired",
            ),
            (
                &certificates,
                "revoked",
                "certificate revoked",
                "`CN=revoked` cannot be trusted: certificate revoked",
            ),
        ] {
            let (certificate, key) = (format!("{name}.crt"), format!("{name}.key"));
            let (said, why) = refused(&node, owner.folder(), &[version, "-cert", &certificate, "-key", &key]);
            assert!(why.contains(words), "{why}");
            assert!(said.contains(alert), "{said}");
        }
    }
}

/// The keys of two Clients.
#[cfg(feature = "openssl")]
struct Keys;

#[cfg(feature = "openssl")]
impl martlet_net::PskKeys for Keys {
    fn find(&self, identity: &[u8], key: &mut [u8]) -> Option<usize> {
        let found: &[u8] = match identity {
            b"meter" => &[0xDE, 0xAD, 0xBE, 0xEF],
            b"long" => &[7; 1000],
            _ => return None,
        };
        key.get_mut(..found.len())?.copy_from_slice(found);
        Some(found.len())
    }
}

#[cfg(feature = "openssl")]
#[test]
fn pre_shared_keys_work_in_both_versions() {
    let Some(certificates) = authority() else { return };
    let psk = martlet_net::PskOptions { hint: "which meter".to_owned(), keys: Arc::new(Keys) };
    let node = start(TlsOptions { psk: Some(psk), ..TlsOptions::default() });
    for (argument, version) in [("-tls1_2", TlsVersion::V1_2), ("-tls1_3", TlsVersion::V1_3)] {
        let identified = |name, key| [argument, "-psk_identity", name, "-psk", key];
        let peer = through(&node, certificates.folder(), &identified("meter", "deadbeef"));
        assert_eq!((peer.psk_identity(), peer.tls_version()), (Some("meter"), Some(version)));
        let (_, why) = refused(&node, certificates.folder(), &identified("nobody", "deadbeef"));
        assert!(why.contains("PSK identity `nobody`"), "{why}");
        let (_, why) = refused(&node, certificates.folder(), &identified("meter", "deadbeee"));
        assert!(!why.contains("dead"), "{why}");
        let (_, why) = refused(&node, certificates.folder(), &identified("long", "deadbeef"));
        assert!(why.contains("PSK identity `long`"), "{why}");
    }
    let told = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            &node.address.to_string(),
            "-tls1_2",
            "-psk_identity",
            "meter",
            "-psk",
            "deadbeef",
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&told.stdout).contains("PSK identity hint: which meter"));
}

#[cfg(feature = "openssl")]
#[test]
fn old_versions_and_suites_are_served_where_they_are_asked_for() {
    let Some(certificates) = authority() else { return };
    issue_v1(&certificates, "rsa", "30");
    let mut old = options(&certificates, "rsa");
    old.versions.min = TlsVersion::V1_0;
    let node = start(old);
    for (argument, version) in [
        ("-tls1", TlsVersion::V1_0),
        ("-tls1_1", TlsVersion::V1_1),
        ("-tls1_2", TlsVersion::V1_2),
        ("-tls1_3", TlsVersion::V1_3),
    ] {
        let peer = through(&node, certificates.folder(), &[argument, "-cipher", "ALL:@SECLEVEL=0"]);
        assert_eq!(peer.tls_version(), Some(version));
    }
    let mut suites = options(&certificates, "rsa");
    suites.ciphers = Some("AES256-SHA256:@SECLEVEL=0".to_owned());
    let node = start(suites);
    let peer = through(&node, certificates.folder(), &["-tls1_2", "-cipher", "AES256-SHA256:AES128-SHA256"]);
    assert_eq!(peer.tls.map(|tls| tls.cipher.into_string()).as_deref(), Some("AES256-SHA256"));
    let (_, why) = refused(&node, certificates.folder(), &["-tls1_2", "-cipher", "AES128-SHA256"]);
    assert!(why.contains("no cipher suite"), "{why}");
}

#[cfg(feature = "openssl")]
#[test]
fn openssl_says_which_certificate_it_refuses_and_why() {
    let Some(certificates) = authority() else { return };
    let strangers = Certificates::new();
    strangers.issue("stranger", &[], Kind::Good);
    certificates.issue("expired", &[], Kind::Expired);
    certificates.issue("early", &[], Kind::NotYetValid);
    certificates.issue("revoked", &[], Kind::Good);
    certificates.issue("good", &[], Kind::Good);
    certificates.revoke("revoked");
    let mut options = options(&certificates, "server");
    options.versions.min = TlsVersion::V1_1;
    options.client_certificate = ClientCertificate::Required;
    options.revocation_file = Some(certificates.path("crl.pem"));
    let node = start(options);
    for version in ["-tls1_2", "-tls1_3"] {
        let good = through(&node, certificates.folder(), &[version, "-cert", "good.crt", "-key", "good.key"]);
        assert_eq!(good.certificate().map(|it| &*it.subject), Some("CN=good,O=Martlet\\, Inc.,C=DE"));
        for (owner, name, alert, words) in [
            (&strangers, "stranger", "unknown ca", "CN=stranger"),
            (&certificates, "expired", "certificate expired", "certificate has expired"),
            (&certificates, "early", "bad certificate", "certificate is not yet valid"),
            (&certificates, "revoked", "certificate revoked", "certificate revoked"),
        ] {
            let (certificate, key) = (format!("{name}.crt"), format!("{name}.key"));
            let (said, why) = refused(&node, owner.folder(), &[version, "-cert", &certificate, "-key", &key]);
            assert!(why.contains(words) && why.contains(name), "{why}");
            assert!(said.contains(alert), "{alert}: {said}");
        }
        let (_, why) = refused(&node, certificates.folder(), &[version]);
        assert!(why.contains("showed no certificate"), "{why}");
    }
}

#[cfg(feature = "openssl")]
#[test]
fn a_key_may_be_encrypted() {
    let Some(certificates) = authority() else { return };
    let output = common::openssl(
        &["pkcs8", "-topk8", "-in", "server.key", "-out", "locked.key", "-passout", "pass:open sesame"],
        certificates.folder(),
    );
    assert!(output.unwrap().status.success());
    let mut locked = options(&certificates, "server");
    locked.identities[0].key = certificates.path("locked.key");
    let mut listener = ListenerOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    listener.tls = Some(locked.clone());
    let error = martlet_net::Listener::open(&listener).unwrap_err().to_string();
    assert!(error.contains("is encrypted, and no password is given"), "{error}");
    let password = martlet_net::KeyPassword("open sesame".to_owned().into());
    assert!(!format!("{password:?}").contains("sesame"));
    locked.identities[0].password = Some(password);
    let node = start(locked);
    assert!(!node.tls.as_ref().unwrap().is_openssl());
    through(&node, certificates.folder(), &["-CAfile", "ca.crt", "-verify_return_error"]);
}

#[cfg(feature = "openssl")]
#[test]
fn what_openssl_does_not_know_either_is_named() {
    let Some(certificates) = authority() else { return };
    for (ciphers, suites) in [(Some("HIGH:AES256-SHA:NONSENSE"), None), (None, Some("TLS_NONSENSE"))] {
        let mut options = options(&certificates, "server");
        (options.ciphers, options.ciphersuites) = (ciphers.map(str::to_owned), suites.map(str::to_owned));
        let mut listener = ListenerOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        listener.tls = Some(options);
        let error = martlet_net::Listener::open(&listener).unwrap_err().to_string();
        assert!(error.contains("NONSENSE") && !error.contains("AES256-SHA,"), "{error}");
    }
}

#[cfg(feature = "openssl")]
#[test]
fn certificates_are_exchanged_under_openssl_too() {
    let (Some(first), Some(second)) = (authority(), authority()) else { return };
    let old = |certificates: &Certificates| {
        let mut options = options(certificates, "server");
        options.versions.min = TlsVersion::V1_1;
        options
    };
    let node = start(old(&first));
    assert!(node.tls.as_ref().unwrap().is_openssl());
    through(&node, first.folder(), &["-CAfile", "ca.crt", "-verify_return_error"]);
    node.tls.as_ref().unwrap().exchange(&old(&second)).unwrap();
    through(&node, second.folder(), &["-CAfile", "ca.crt", "-verify_return_error"]);
}
