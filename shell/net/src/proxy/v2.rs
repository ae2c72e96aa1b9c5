//! Version 2: a binary header, with more about the Client behind the addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{ProxyError, ProxyHeader};
use crate::ProxiedInfo;

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes before the body, whose length they tell last.
const HEAD_BYTES: usize = 16;
/// What proxies have to say is far shorter.
pub(super) const BODY_BYTES_MAX: usize = 4096;
/// The longest name of a connection.
const UNIQUE_ID_BYTES_MAX: usize = 128;

const TYPE_AUTHORITY: u8 = 0x02;
const TYPE_CRC32C: u8 = 0x03;
const TYPE_UNIQUE_ID: u8 = 0x05;
const TYPE_SSL: u8 = 0x20;
const SUBTYPE_SSL_VERSION: u8 = 0x21;
const SUBTYPE_SSL_CN: u8 = 0x22;
const CLIENT_SSL: u8 = 0x01;

pub(super) fn parse(bytes: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyError> {
    let Some(head) = bytes.get(..HEAD_BYTES) else { return Ok(None) };
    let is_local = match head[12] {
        0x20 => true,
        0x21 => false,
        other if other >> 4 != 2 => return Err(ProxyError::Malformed("its version is not 2")),
        _ => return Err(ProxyError::Malformed("its command is neither LOCAL nor PROXY")),
    };
    let len = usize::from(u16::from_be_bytes([head[14], head[15]]));
    if len > BODY_BYTES_MAX {
        return Err(ProxyError::TooLarge);
    }
    let Some(whole) = bytes.get(..HEAD_BYTES + len) else { return Ok(None) };
    let body = &whole[HEAD_BYTES..];
    if is_local {
        // The proxy speaks for itself; what it says besides is to be ignored.
        return Ok(Some((ProxyHeader::default(), whole.len())));
    }
    let (source, rest) = addresses(head[13], body)?;
    let about = about(rest, whole)?;
    Ok(Some((ProxyHeader { source, about }, whole.len())))
}

/// The Client's address, and what follows both addresses.
fn addresses(family: u8, body: &[u8]) -> Result<(Option<SocketAddr>, &[u8]), ProxyError> {
    let len = match family >> 4 {
        0 => 0,
        1 => 12,
        2 => 36,
        3 => 216,
        _ => return Err(ProxyError::Malformed("its address family is unknown")),
    };
    let (addresses, rest) =
        body.split_at_checked(len).ok_or(ProxyError::Malformed("it ends amid its addresses"))?;
    let source: Option<IpAddr> = match addresses {
        [a, b, c, d, ..] if len == 12 => Some(Ipv4Addr::new(*a, *b, *c, *d).into()),
        addresses if len == 36 => {
            addresses.first_chunk::<16>().map(|bytes| Ipv6Addr::from_bits(u128::from_be_bytes(*bytes)).into())
        }
        _ => None,
    };
    let port = if len == 12 { &addresses[8..10] } else { addresses.get(32..34).unwrap_or(&[0, 0]) };
    let port = u16::from_be_bytes([port[0], port[1]]);
    match family & 0x0F {
        0 | 1 => Ok((source.map(|source| (source, port).into()), rest)),
        _ => Err(ProxyError::Malformed("the Client did not come by a stream")),
    }
}

fn about(fields: &[u8], whole: &[u8]) -> Result<Option<Box<ProxiedInfo>>, ProxyError> {
    let mut about = ProxiedInfo::default();
    for field in Fields(fields) {
        let (kind, value) = field?;
        match kind {
            TYPE_AUTHORITY => about.server_name = Some(text(value)?),
            TYPE_CRC32C => check(whole, value)?,
            TYPE_UNIQUE_ID if value.len() <= UNIQUE_ID_BYTES_MAX => about.unique_id = Some(value.into()),
            TYPE_UNIQUE_ID => return Err(ProxyError::Malformed("its unique identifier is too long")),
            TYPE_SSL => read_ssl(value, &mut about)?,
            // Types that are not known are to be skipped.
            _ => {}
        }
    }
    Ok((about != ProxiedInfo::default()).then(|| Box::new(about)))
}

/// What the proxy says of the Client's TLS. A name counts only when the proxy verified the certificate it stands in.
fn read_ssl(value: &[u8], about: &mut ProxiedInfo) -> Result<(), ProxyError> {
    let (head, fields) =
        value.split_at_checked(5).ok_or(ProxyError::Malformed("what it says of TLS is cut short"))?;
    about.is_tls = head[0] & CLIENT_SSL != 0;
    let is_verified = head[1..] == [0; 4];
    for field in Fields(fields) {
        match field? {
            (SUBTYPE_SSL_VERSION, value) => about.tls_version = Some(text(value)?),
            (SUBTYPE_SSL_CN, value) if is_verified => about.common_name = Some(text(value)?),
            _ => {}
        }
    }
    Ok(())
}

/// The sum is of the whole header with zeros in its own place.
fn check(whole: &[u8], value: &[u8]) -> Result<(), ProxyError> {
    let sum = value.try_into().map_err(|_| ProxyError::Malformed("its checksum has not four bytes"))?;
    let place = value.as_ptr() as usize - whole.as_ptr() as usize;
    let zeroed = crc32c::crc32c_append(crc32c::crc32c(&whole[..place]), &[0; 4]);
    if crc32c::crc32c_append(zeroed, &whole[place + 4..]) == u32::from_be_bytes(sum) {
        Ok(())
    } else {
        Err(ProxyError::Malformed("its checksum is wrong"))
    }
}

fn text(value: &[u8]) -> Result<Box<str>, ProxyError> {
    std::str::from_utf8(value).map(Box::from).map_err(|_| ProxyError::Malformed("a name in it is no text"))
}

/// Fields of type, length and value.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u8, &'a [u8]), ProxyError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, rest) = self.0.split_first()?;
        let field = rest.split_first_chunk::<2>().and_then(|(len, rest)| {
            let len = usize::from(u16::from_be_bytes(*len));
            rest.split_at_checked(len)
        });
        self.0 = field.map_or(&[], |(_, rest)| rest);
        Some(field.map(|(value, _)| (*kind, value)).ok_or(ProxyError::Malformed("it ends amid a field")))
    }
}
