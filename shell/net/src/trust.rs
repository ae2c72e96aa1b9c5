//! Which sources are believed when they say who the Client behind them is.
//!
//! The rule: nobody is, unless named. A peer on a Unix socket was let in by the permissions of its file.

use std::net::IpAddr;
use std::str::FromStr;

use crate::PeerAddress;

/// The proxies that are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedSources(pub Vec<Network>);

/// Addresses that begin alike, such as `10.0.0.0/8`; an address alone is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// This is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an IP address nor a network such as 10.0.0.0/8 or fd00::/8")]
pub struct NotANetwork(String);

impl TrustedSources {
    /// Is this peer trusted?
    pub fn has(&self, peer: &PeerAddress) -> bool {
        match peer {
            PeerAddress::Inet(address) => self.has_ip(address.ip()),
            PeerAddress::Unix => true,
        }
    }

    /// Is this address trusted?
    pub fn has_ip(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.has(address))
    }
}

impl Network {
    /// Addresses whose first `bits` are those of `address`.
    pub fn new(address: IpAddr, bits: u8) -> Option<Self> {
        (bits <= width(address)).then_some(Self { address, bits })
    }

    /// Does the address lie in it? An IPv4 address written as IPv6 is the IPv4 address.
    pub fn has(&self, address: IpAddr) -> bool {
        let (network, address) = (self.address.to_canonical(), address.to_canonical());
        width(network) == width(address)
            && self.bits <= width(network)
            && prefix(network, self.bits) == prefix(address, self.bits)
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let error = || NotANetwork(text.to_owned());
        let (address, bits) = text.split_once('/').map_or((text, None), |(head, tail)| (head, Some(tail)));
        let address: IpAddr = address.trim().parse().map_err(|_| error())?;
        let bits = match bits {
            Some(bits) => bits.trim().parse().map_err(|_| error())?,
            None => width(address),
        };
        Self::new(address, bits).ok_or_else(error)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The first bits of an address, at the top.
fn prefix(address: IpAddr, bits: u8) -> u128 {
    let all = match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    };
    // A shift by all bits would be none.
    if bits == 0 { 0 } else { all >> (128 - u32::from(bits)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_lies_in_the_networks_it_begins_like() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(network("10.0.0.0/8").has(ip("10.255.1.2")));
        assert!(!network("10.0.0.0/8").has(ip("11.0.0.0")));
        assert!(network("10.1.2.3").has(ip("10.1.2.3")) && !network("10.1.2.3").has(ip("10.1.2.2")));
        assert!(network("10.1.2.3").has(ip("::ffff:10.1.2.3")));
        assert!(network("fd00::/8").has(ip("fdff::1")) && !network("fd00::/8").has(ip("fe80::1")));
        assert!(network("0.0.0.0/0").has(ip("1.2.3.4")) && !network("0.0.0.0/0").has(ip("::1")));
        assert!(network("::/0").has(ip("::1")));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "host", "10.0.0.0/-1", "10.0.0.0/"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn nobody_is_trusted_unless_named() {
        let peer = PeerAddress::Inet("127.0.0.1:1".parse().unwrap());
        assert!(!TrustedSources::default().has(&peer));
        assert!(TrustedSources(vec![network("127.0.0.0/8")]).has(&peer));
    }
}
