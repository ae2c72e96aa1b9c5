//! Lists of cipher suites in OpenSSL's language, read for rustls.
//!
//! The rule: what a list asks for by name must be there. A class such as `HIGH` stands for those of its suites that rustls
//! has, which are the safe ones; one that has none of them is not silently empty.

use rustls::crypto::ring::cipher_suite as suite;
use rustls::{CipherSuite, SupportedCipherSuite};

use super::TlsError;

/// The suites up to TLS 1.2, by OpenSSL's names, best first.
const TLS12: [(&str, SupportedCipherSuite); 6] = [
    ("ECDHE-ECDSA-AES256-GCM-SHA384", suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-AES256-GCM-SHA384", suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-RSA-CHACHA20-POLY1305", suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-AES128-GCM-SHA256", suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
];
/// Those of TLS 1.3.
const TLS13: [(&str, SupportedCipherSuite); 3] = [
    ("TLS_AES_256_GCM_SHA384", suite::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", suite::TLS13_CHACHA20_POLY1305_SHA256),
    ("TLS_AES_128_GCM_SHA256", suite::TLS13_AES_128_GCM_SHA256),
];
/// Classes of suites of which rustls has none: to leave them out is always right.
const ABSENT: [&str; 38] = [
    "aNULL",
    "eNULL",
    "NULL",
    "ADH",
    "AECDH",
    "EXP",
    "EXPORT",
    "LOW",
    "MEDIUM",
    "DES",
    "3DES",
    "RC2",
    "RC4",
    "IDEA",
    "SEED",
    "CAMELLIA",
    "CAMELLIA128",
    "CAMELLIA256",
    "ARIA",
    "ARIAGCM",
    "AESCCM",
    "AESCCM8",
    "MD5",
    "SHA",
    "SHA1",
    "PSK",
    "kPSK",
    "aPSK",
    "SRP",
    "kSRP",
    "aSRP",
    "DSS",
    "aDSS",
    "DHE",
    "EDH",
    "kDHE",
    "kEDH",
    "DH",
];

/// The suites that `up_to_12` and `of_13` ask for, in their order.
pub(super) fn choose(
    up_to_12: Option<&str>,
    of_13: Option<&str>,
) -> Result<Vec<SupportedCipherSuite>, TlsError> {
    let mut chosen = match of_13 {
        Some(list) => choose_13(list)?,
        None => TLS13.map(|(_, suite)| suite).to_vec(),
    };
    match up_to_12 {
        Some(list) => chosen.extend(choose_12(list)?),
        None => chosen.extend(TLS12.map(|(_, suite)| suite)),
    }
    Ok(chosen)
}

/// The name OpenSSL has for a suite, which is what people know.
pub(super) fn name(suite: CipherSuite) -> String {
    let known = TLS12.iter().chain(&TLS13).find(|(_, known)| known.suite() == suite);
    known.map_or_else(|| format!("{suite:?}"), |(name, _)| (*name).to_owned())
}

fn choose_13(list: &str) -> Result<Vec<SupportedCipherSuite>, TlsError> {
    let mut unknown = Vec::new();
    let mut chosen = Vec::new();
    for name in words(list) {
        match TLS13.iter().find(|(known, _)| *known == name) {
            Some((_, suite)) => chosen.push(*suite),
            None => unknown.push(name),
        }
    }
    refuse(&unknown, &TLS13, chosen)
}

fn choose_12(list: &str) -> Result<Vec<SupportedCipherSuite>, TlsError> {
    let mut unknown = Vec::new();
    let mut chosen: Vec<usize> = Vec::new();
    let mut banned: Vec<usize> = Vec::new();
    for word in words(list).filter(|word| !word.starts_with('@')) {
        let (how, class) = match word.strip_prefix(['!', '-', '+']) {
            Some(class) => (word.as_bytes()[0], class),
            None => (b' ', word),
        };
        let members = members(class);
        match how {
            b'!' => banned.extend(members.unwrap_or_default()),
            b'-' => chosen.retain(|at| !members.as_ref().is_some_and(|members| members.contains(at))),
            b'+' => {
                let moved = members.unwrap_or_default();
                chosen.sort_by_key(|at| moved.contains(at));
            }
            _ => match members {
                Some(members) if !members.is_empty() => {
                    let new: Vec<_> = members.into_iter().filter(|at| !chosen.contains(at)).collect();
                    chosen.extend(new);
                }
                _ => unknown.push(word),
            },
        }
    }
    chosen.retain(|at| !banned.contains(at));
    refuse(&unknown, &TLS12, chosen.into_iter().map(|at| TLS12[at].1).collect())
}

/// What a list names that rustls lacks: OpenSSL may have it.
fn refuse(
    unknown: &[&str],
    possible: &[(&'static str, SupportedCipherSuite)],
    chosen: Vec<SupportedCipherSuite>,
) -> Result<Vec<SupportedCipherSuite>, TlsError> {
    if unknown.is_empty() && !chosen.is_empty() {
        return Ok(chosen);
    }
    let names: Vec<_> = possible.iter().map(|(name, _)| *name).collect();
    let what = if unknown.is_empty() {
        "no cipher suite is left".to_owned()
    } else {
        format!("the cipher suites {} are not among those of rustls", unknown.join(", "))
    };
    Err(TlsError::NeedsOpenssl { why: format!("{what}, which are {}", names.join(", ")) })
}

fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split([':', ',', ' ', ';']).map(str::trim).filter(|word| !word.is_empty())
}

/// Which of [`TLS12`] are meant; `None` when nobody knows the word. Classes joined by `+` must all hold.
fn members(word: &str) -> Option<Vec<usize>> {
    let mut members: Vec<usize> = (0..TLS12.len()).collect();
    for class in word.split('+') {
        let has = |name: &str| match class {
            "ALL" | "DEFAULT" | "HIGH" | "FIPS" | "SECURE" | "SUITEB128" | "TLSv1.2" | "ECDHE" | "EECDH"
            | "kECDHE" | "kEECDH" | "ECDH" => Some(true),
            "ECDSA" | "aECDSA" => Some(name.contains("-ECDSA-")),
            "RSA" | "aRSA" => Some(name.contains("-RSA-")),
            "AESGCM" | "AES" => Some(name.contains("-AES")),
            "AES128" => Some(name.contains("-AES128-")),
            "AES256" => Some(name.contains("-AES256-")),
            "CHACHA20" => Some(name.contains("-CHACHA20-")),
            _ if TLS12.iter().any(|(name, _)| *name == class) => Some(name == class),
            _ if ABSENT.contains(&class) => Some(false),
            _ => None,
        };
        has(TLS12[0].0)?;
        members.retain(|at| has(TLS12[*at].0) == Some(true));
    }
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<String> {
        choose_12(list).unwrap().iter().map(|suite| name(suite.suite())).collect()
    }

    #[test]
    fn names_and_classes_are_taken_in_their_order() {
        assert_eq!(
            names("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"),
            ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"]
        );
        assert_eq!(
            names("CHACHA20:ECDHE+aRSA+AESGCM:@STRENGTH:!AES256"),
            ["ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-GCM-SHA256"]
        );
        assert_eq!(names("HIGH:!aNULL:!MD5:!RC4").len(), 6);
        assert_eq!(names("AES:-AES128:+ECDSA")[0], "ECDHE-RSA-AES256-GCM-SHA384");
        assert_eq!(names("DEFAULT:!UNKNOWN_TO_ALL").len(), 6);
    }

    #[test]
    fn what_rustls_lacks_is_named_with_what_it_has() {
        for list in ["AES256-SHA", "HIGH:ECDHE-RSA-AES256-GCM-SHA383", "DHE", "RC4", "PSK", "ALL:!ALL"] {
            let error = choose_12(list).unwrap_err().to_string();
            assert!(error.contains("ECDHE-RSA-CHACHA20-POLY1305"), "{list}: {error}");
        }
        let error = choose(Some("HIGH:AES256-SHA"), None).unwrap_err().to_string();
        assert!(error.contains("suites AES256-SHA are") && !error.contains("HIGH"), "{error}");
        assert!(choose_13("TLS_AES_128_CCM_SHA256").is_err());
        assert_eq!(choose_13("TLS_AES_128_GCM_SHA256").unwrap().len(), 1);
    }
}
