//! Version 1: one line of text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{ProxyError, ProxyHeader};

pub(super) const SIGNATURE: &[u8] = b"PROXY ";
/// The longest line there is, its end included.
const LINE_BYTES_MAX: usize = 107;

pub(super) fn parse(bytes: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyError> {
    let head = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let Some(end) = head.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < LINE_BYTES_MAX { Ok(None) } else { Err(ProxyError::TooLong) };
    };
    let line = std::str::from_utf8(&head[..end]).map_err(|_| ProxyError::Malformed("it is no text"))?;
    Ok(Some((header(line)?, end + 2)))
}

fn header(line: &str) -> Result<ProxyHeader, ProxyError> {
    let mut words = line.split(' ').skip(1);
    let is_v4 = match words.next() {
        Some("TCP4") => true,
        Some("TCP6") => false,
        // Whatever follows it is to be ignored.
        Some("UNKNOWN") => return Ok(ProxyHeader::default()),
        _ => return Err(ProxyError::Malformed("its protocol is none of TCP4, TCP6 and UNKNOWN")),
    };
    let (source, _) = (address(words.next(), is_v4)?, address(words.next(), is_v4)?);
    let (port, _) = (number(words.next())?, number(words.next())?);
    if words.next().is_some() {
        return Err(ProxyError::Malformed("there is more than two addresses and two ports"));
    }
    Ok(ProxyHeader { source: Some((source, port).into()), about: None })
}

fn address(word: Option<&str>, is_v4: bool) -> Result<IpAddr, ProxyError> {
    let word = word.unwrap_or_default();
    let address = if is_v4 {
        word.parse::<Ipv4Addr>().map(IpAddr::V4)
    } else {
        word.parse::<Ipv6Addr>().map(IpAddr::V6)
    };
    address.map_err(|_| ProxyError::Malformed("an address is none of its protocol"))
}

/// A port has no sign and no leading zeros.
fn number(word: Option<&str>) -> Result<u16, ProxyError> {
    let word = word.unwrap_or_default();
    let is_plain = word.bytes().all(|byte| byte.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    let port = if is_plain { word.parse().ok() } else { None };
    port.ok_or(ProxyError::Malformed("a port is none"))
}
