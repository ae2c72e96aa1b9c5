//! The URL of `-L`: `mqtt://[USER[:PASSWORD]@]HOST[:PORT]/TOPIC`, or `mqtts://` for TLS. Nothing in it is percent-encoded, as in Mosquitto's
//! tools.

use std::str::FromStr;

/// The parts of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    /// Whether it says `mqtts`.
    pub(super) is_tls: bool,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) topic: String,
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("a URL begins with mqtt://")?;
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "mqtt" => false,
            "mqtts" => true,
            other => return Err(format!("{other}:// is unknown: use mqtt:// or mqtts://")),
        };
        let (authority, topic) = rest.split_once('/').ok_or("the topic is missing: mqtt://HOST/TOPIC")?;
        // A password may contain '@', a host may not.
        let (credentials, address) = match authority.rsplit_once('@') {
            Some((credentials, address)) => (Some(credentials), address),
            None => (None, authority),
        };
        let (user, password) = match credentials.map(|text| text.split_once(':').unwrap_or((text, ""))) {
            Some((user, "")) => (Some(user.to_owned()), None),
            Some((user, password)) => (Some(user.to_owned()), Some(password.to_owned())),
            None => (None, None),
        };
        let (host, port) = split_address(address)?;
        if host.is_empty() || topic.is_empty() {
            return Err("host and topic must be given: mqtt://HOST/TOPIC".to_owned());
        }
        Ok(Self { is_tls, user, password, host: host.to_owned(), port, topic: topic.to_owned() })
    }
}

/// Host and port; an IPv6 address stands in brackets.
pub(super) fn split_address(address: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']').ok_or("the ']' of the IPv6 address is missing")?;
            (host, behind.strip_prefix(':'))
        }
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let port = port.map(|port| port.parse().map_err(|_| format!("{port:?} is no port"))).transpose()?;
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(user: Option<&str>, password: Option<&str>, host: &str, port: Option<u16>, topic: &str) -> Url {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let (host, topic) = (host.to_owned(), topic.to_owned());
        Url { is_tls: false, user: owned(user), password: owned(password), host, port, topic }
    }

    #[test]
    fn urls_are_taken_apart() {
        for (text, expected) in [
            ("mqtt://h/t", url(None, None, "h", None, "t")),
            ("MQTT://u@h:1/a/b", url(Some("u"), None, "h", Some(1), "a/b")),
            ("mqtt://u:p@q:r@h/+/#", url(Some("u"), Some("p@q:r"), "h", None, "+/#")),
            ("mqtt://[::1]:9/t", url(None, None, "::1", Some(9), "t")),
            ("mqtt://[::1]/t", url(None, None, "::1", None, "t")),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        assert_eq!("mqtts://h/t".parse(), Ok(Url { is_tls: true, ..url(None, None, "h", None, "t") }));
    }

    #[test]
    fn wrong_urls_are_refused() {
        for text in ["h/t", "http://h/t", "mqtt://h", "mqtt://h/", "mqtt:///t", "mqtt://h:x/t"] {
            assert!(text.parse::<Url>().is_err(), "{text}");
        }
    }
}
