//! The flags about TLS. TLS is spoken when a flag, the URL or the port 8883 asks for it.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use martlet_client::{Identity, Psk, TlsOptions, TlsVersion};

/// How to speak TLS.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub(super) struct TlsArgs {
    /// A file of certificates to trust (PEM)
    #[arg(long, value_name = "FILE")]
    cafile: Option<PathBuf>,
    /// A folder of files of certificates to trust (PEM)
    #[arg(long, value_name = "DIRECTORY")]
    capath: Option<PathBuf>,
    /// Trust what this machine trusts
    #[arg(long)]
    tls_use_os_certs: bool,
    /// Our certificate (PEM), where the broker wants one
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// The key of our certificate (PEM)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The form of the key: only pem
    #[arg(long, value_name = "FORM")]
    keyform: Option<String>,
    /// Accept a certificate that bears another name than the broker's: who sits between may pose as it
    #[arg(long)]
    insecure: bool,
    /// The oldest version to accept: tlsv1.3, tlsv1.2 or tlsv1.1 [default: tlsv1.2]
    #[arg(long, value_name = "VERSION", value_parser = parse_version)]
    tls_version: Option<TlsVersion>,
    /// The ciphers to offer up to TLS 1.2, by OpenSSL's names
    #[arg(long, value_name = "LIST")]
    ciphers: Option<String>,
    /// The protocol to ask for (ALPN)
    #[arg(long, value_name = "PROTOCOL")]
    tls_alpn: Option<String>,
    /// A key both sides know, in hexadecimal, in place of certificates (needs OpenSSL)
    #[arg(long, value_name = "HEX-KEY", value_parser = parse_key)]
    psk: Option<Secret>,
    /// The name the broker knows the key by
    #[arg(long, value_name = "IDENTITY")]
    psk_identity: Option<String>,
    /// Speak no TLS, whatever else says so
    #[arg(long)]
    no_tls: bool,
    #[arg(long, hide = true, value_name = "ENGINE")]
    tls_engine: Option<String>,
    #[arg(long, hide = true, value_name = "SHA1")]
    tls_engine_kpass_sha1: Option<String>,
}

/// A key that is shown nowhere.
#[derive(Clone)]
struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("secret")
    }
}

impl TlsArgs {
    /// Refuses what contradicts itself or cannot be done.
    pub(super) fn check(&self) -> Result<()> {
        if self.tls_engine.is_some() || self.tls_engine_kpass_sha1.is_some() {
            bail!("engines of OpenSSL cannot be used: give the key as a PEM file with --key");
        }
        match self.keyform.as_deref() {
            None | Some("pem") => {}
            Some("engine") => {
                bail!("keys of an engine cannot be used: give the key as a PEM file with --key")
            }
            Some(_) => bail!("Problem setting key form, it must be one of 'pem' or 'engine'."),
        }
        if self.cert.is_some() != self.key.is_some() {
            bail!("Both certfile and keyfile must be provided if one of them is set.");
        }
        if self.keyform.is_some() && self.key.is_none() {
            bail!("If keyform is set, keyfile must be also specified.");
        }
        if self.psk.is_some() && (self.cafile.is_some() || self.capath.is_some()) {
            bail!("Only one of --psk or --cafile/--capath may be used at once.");
        }
        if self.psk.is_some() && self.psk_identity.is_none() {
            bail!("--psk-identity required if --psk used.");
        }
        Ok(())
    }

    /// Whether the flags name certificates to trust, or a key.
    pub(super) const fn names_trust(&self) -> bool {
        (self.cafile.is_some() || self.capath.is_some() || self.psk.is_some()) && !self.no_tls
    }

    /// Whether what is said is hidden by certificates somebody named.
    pub(super) const fn names_certificates(&self) -> bool {
        (self.cafile.is_some() || self.capath.is_some()) && !self.no_tls
    }

    /// How to speak TLS, if it is to be spoken. `is_implied` says whether the URL or the port asks for it.
    pub(super) fn options(&self, is_implied: bool) -> Option<TlsOptions> {
        if self.no_tls || !(is_implied || self.names_trust() || self.tls_use_os_certs) {
            return None;
        }
        let identity = self.cert.clone().zip(self.key.clone());
        let psk = self.psk.clone().zip(self.psk_identity.clone());
        Some(TlsOptions {
            ca_file: self.cafile.clone(),
            ca_path: self.capath.clone(),
            trusts_system: self.tls_use_os_certs,
            identity: identity.map(|(certificate, key)| Identity { certificate, key }),
            accepts_any_name: self.insecure,
            oldest: self.tls_version,
            ciphers: self.ciphers.clone(),
            alpn: self.tls_alpn.clone(),
            psk: psk.map(|(Secret(key), identity)| Psk { identity, key }),
        })
    }
}

fn parse_version(text: &str) -> Result<TlsVersion, String> {
    match text {
        "tlsv1.3" => Ok(TlsVersion::V1_3),
        "tlsv1.2" => Ok(TlsVersion::V1_2),
        "tlsv1.1" => Ok(TlsVersion::V1_1),
        _ => Err("a version is tlsv1.3, tlsv1.2 or tlsv1.1".to_owned()),
    }
}

/// Two digits are a byte; with an odd number of them the first stands alone.
fn parse_key(text: &str) -> Result<Secret, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("a key is a hexadecimal number, without 0x".to_owned());
    }
    let digits = if text.len() % 2 == 1 { format!("0{text}") } else { text.to_owned() };
    let pairs = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16));
    Ok(Secret(pairs.collect::<Result<_, _>>().expect("only digits are here")))
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    fn parse(line: &str) -> TlsArgs {
        let command = TlsArgs::augment_args(Command::new("t").no_binary_name(true));
        TlsArgs::from_arg_matches(&command.get_matches_from(line.split_whitespace())).unwrap()
    }

    #[test]
    fn tls_is_spoken_when_something_asks_for_it() {
        for (line, is_implied, is_spoken) in [
            ("", false, false),
            ("", true, true),
            ("--cafile a", false, true),
            ("--tls-use-os-certs", false, true),
            ("--insecure", false, false),
            ("--cafile a --no-tls", true, false),
        ] {
            assert_eq!(parse(line).options(is_implied).is_some(), is_spoken, "{line}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "--cert a",
            "--key a",
            "--keyform pem",
            "--psk 12",
            "--psk 12 --psk-identity a --cafile b",
            "--tls-engine x",
            "--keyform engine --key a --cert b",
        ] {
            assert!(parse(line).check().is_err(), "{line}");
        }
        assert!(parse("--cert a --key b --keyform pem").check().is_ok());
    }

    #[test]
    fn a_key_is_hexadecimal() {
        assert_eq!(parse_key("0aF").map(|key| key.0), Ok(vec![0, 0xAF]));
        assert!(parse_key("0x12").is_err() && parse_key("").is_err());
        assert_eq!(format!("{:?}", parse_key("0a")), "Ok(secret)");
    }
}
