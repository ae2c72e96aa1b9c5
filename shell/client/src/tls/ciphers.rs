//! Names of ciphers as OpenSSL has them. A list of plain names goes to rustls; a list in OpenSSL's language of sets
//! (`HIGH:!aNULL`) is OpenSSL's.

use rustls::CipherSuite;
use rustls::crypto::CryptoProvider;

/// What may be offered up to TLS 1.2. TLS 1.3 has its own, which no such list names in Mosquitto.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ciphers {
    /// All that are safe.
    All,
    /// These.
    Some(Vec<CipherSuite>),
    /// Those of a list that only OpenSSL can read.
    OpenSsl,
}

const NAMES: [(&str, CipherSuite); 6] = [
    ("ECDHE-ECDSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-RSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

impl Ciphers {
    /// Reads a list. `DEFAULT` is what is safe; a name rustls has no cipher for makes the list OpenSSL's.
    pub(super) fn parse(list: &str) -> Self {
        if list == "DEFAULT" {
            return Self::All;
        }
        let names = list.split([':', ',', ' ']).filter(|name| !name.is_empty());
        let suites =
            names.map(|name| NAMES.iter().find(|(known, _)| *known == name).map(|(_, suite)| *suite));
        match suites.collect::<Option<Vec<_>>>() {
            Some(suites) if !suites.is_empty() => Self::Some(suites),
            _ => Self::OpenSsl,
        }
    }

    /// What rustls has of them, and all of TLS 1.3.
    pub(super) fn provider(&self) -> CryptoProvider {
        let mut provider = rustls::crypto::ring::default_provider();
        if let Self::Some(wanted) = self {
            provider.cipher_suites.retain(|suite| suite.tls13().is_some() || wanted.contains(&suite.suite()));
        }
        provider
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_for_rustls_and_all_else_is_for_openssl() {
        assert_eq!(Ciphers::parse("DEFAULT"), Ciphers::All);
        let one = CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384;
        assert_eq!(Ciphers::parse("ECDHE-RSA-AES256-GCM-SHA384"), Ciphers::Some(vec![one]));
        for list in ["HIGH:!aNULL", "ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA", "PSK", ""] {
            assert_eq!(Ciphers::parse(list), Ciphers::OpenSsl, "{list}");
        }
    }

    #[test]
    fn every_name_is_one_rustls_has() {
        for (name, suite) in NAMES {
            let provider = Ciphers::parse(name).provider();
            let old: Vec<_> = provider.cipher_suites.iter().filter(|suite| suite.tls13().is_none()).collect();
            assert!(matches!(old.as_slice(), [only] if only.suite() == suite), "{name}");
        }
    }
}
