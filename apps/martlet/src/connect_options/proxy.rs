//! The URL of `--proxy`: `socks5h://[USER[:PASSWORD]@]HOST[:PORT]`. In user and password `%25`, `%3A` and `%40` stand for
//! `%`, `:` and `@`.

use martlet_client::Proxy;

use super::url::split_address;

const DEFAULT_PORT: u16 = 1080;

/// Reads the URL.
pub(super) fn parse(text: &str) -> Result<Proxy, String> {
    let rest = text.strip_prefix("socks5h://").ok_or("a proxy is given as socks5h://HOST[:PORT]")?;
    let (credentials, address) = match rest.rsplit_once('@') {
        Some((credentials, address)) => (Some(credentials), address),
        None => (None, rest),
    };
    let credentials = credentials.map(|text| {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        Ok::<_, String>((decode(user)?, decode(password)?))
    });
    let (host, port) = split_address(address)?;
    if host.is_empty() {
        return Err("the proxy has no name: socks5h://HOST[:PORT]".to_owned());
    }
    let port = port.unwrap_or(DEFAULT_PORT);
    Ok(Proxy { host: host.to_owned(), port, credentials: credentials.transpose()? })
}

fn decode(text: &str) -> Result<String, String> {
    let mut pieces = text.split('%');
    let mut decoded = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (code, rest) = piece.split_at_checked(2).ok_or("a % stands alone: write %25")?;
        decoded.push(match code.to_ascii_uppercase().as_str() {
            "25" => '%',
            "3A" => ':',
            "40" => '@',
            _ => return Err(format!("%{code} is unknown: %25, %3A and %40 are %, : and @")),
        });
        decoded.push_str(rest);
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_taken_apart() {
        let proxy = |host: &str, port, credentials: Option<(&str, &str)>| Proxy {
            host: host.to_owned(),
            port,
            credentials: credentials.map(|(user, password)| (user.to_owned(), password.to_owned())),
        };
        for (text, expected) in [
            ("socks5h://h", proxy("h", 1080, None)),
            ("socks5h://h:9", proxy("h", 9, None)),
            ("socks5h://u@h", proxy("h", 1080, Some(("u", "")))),
            ("socks5h://u%40x:p%3a%25@[::1]:9", proxy("::1", 9, Some(("u@x", "p:%")))),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        for text in ["http://h", "socks5h://", "socks5h://h:x", "socks5h://a%4@h", "socks5h://a%41@h"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
