//! Headers as the protocol's text and HAProxy write them, cut and spoilt.

use super::*;
use crate::{PeerAddress, TrustedSources};
use proptest::prelude::*;

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 1883\r\n";

/// A header of version 2 with these fields behind two IPv4 addresses.
fn v2(fields: &[u8]) -> Vec<u8> {
    let mut header = v2::SIGNATURE.to_vec();
    let len = u16::try_from(12 + fields.len()).unwrap();
    header.extend([0x21, 0x11]);
    header.extend(len.to_be_bytes());
    header.extend([192, 0, 2, 7, 198, 51, 100, 1]);
    header.extend(56_324_u16.to_be_bytes());
    header.extend(1883_u16.to_be_bytes());
    header.extend(fields);
    header
}

fn field(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut field = vec![kind];
    field.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
    field.extend(value);
    field
}

fn ssl(verify: u32) -> Vec<u8> {
    let mut value = vec![7];
    value.extend(verify.to_be_bytes());
    value.extend(field(0x21, b"TLSv1.3"));
    value.extend(field(0x22, b"meter-7"));
    field(0x20, &value)
}

fn whole(bytes: &[u8]) -> ProxyHeader {
    let (header, len) = parse(bytes, ProxyVersions::Both).unwrap().unwrap();
    assert_eq!(len, bytes.len());
    header
}

fn refusal(bytes: &[u8]) -> ProxyError {
    parse(bytes, ProxyVersions::Both).unwrap_err()
}

#[test]
fn both_versions_tell_the_clients_address() {
    let client = Some("192.0.2.7:56324".parse().unwrap());
    assert_eq!(whole(V1).source, client);
    assert_eq!(whole(&v2(&[])).source, client);
    let v6 = b"PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n";
    assert_eq!(whole(v6).source, Some("[2001:db8::7]:1".parse().unwrap()));
    assert_eq!(whole(b"PROXY UNKNOWN what ever\r\n").source, None);
}

#[test]
fn the_proxy_may_speak_for_itself() {
    let mut local = v2(&ssl(0));
    local[12] = 0x20;
    assert_eq!(whole(&local), ProxyHeader::default());
}

#[test]
fn fields_tell_of_tls_and_a_name_counts_only_if_it_was_verified() {
    let fields = [field(0x05, b"conn-1"), field(0x02, b"mqtt.example"), ssl(0), field(0xEE, b"?")].concat();
    let about = whole(&v2(&fields)).about.unwrap();
    assert!(about.is_tls);
    assert_eq!(about.common_name.as_deref(), Some("meter-7"));
    assert_eq!(about.tls_version.as_deref(), Some("TLSv1.3"));
    assert_eq!(about.unique_id.as_deref(), Some(&b"conn-1"[..]));
    assert_eq!(about.server_name.as_deref(), Some("mqtt.example"));
    let unverified = whole(&v2(&ssl(10))).about.unwrap();
    assert!(unverified.is_tls && unverified.common_name.is_none());
}

#[test]
fn a_checksum_must_be_right() {
    let mut header = v2(&[field(0x04, b"pad"), field(0x03, &[0; 4]), field(0x04, b"end")].concat());
    let place = header.len() - 10;
    let sum = crc32c::crc32c(&header);
    header[place..place + 4].copy_from_slice(&sum.to_be_bytes());
    assert!(whole(&header).source.is_some());
    header[16] ^= 1;
    assert!(matches!(refusal(&header), ProxyError::Malformed(why) if why.contains("checksum")));
}

#[test]
fn what_is_no_header_is_refused_at_its_first_strange_byte() {
    assert_eq!(refusal(b"\x10"), ProxyError::NoHeader);
    assert_eq!(refusal(b"PROXI"), ProxyError::NoHeader);
    assert_eq!(refusal(b"\r\n\r\n\0\r\nQUIX"), ProxyError::NoHeader);
    assert_eq!(refusal(&[&b"PROXY TCP4 "[..], &[b'1'; 100]].concat()), ProxyError::TooLong);
    assert_eq!(parse(V1, ProxyVersions::V2).unwrap_err(), ProxyError::Version);
    assert_eq!(parse(&v2(&[]), ProxyVersions::V1).unwrap_err(), ProxyError::Version);
    for line in [
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324 1883 1\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 +1 1883\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 65536 1883\r\n",
        "PROXY TCP6 192.0.2.7 198.51.100.1 1 1883\r\n",
        "PROXY TCP4  192.0.2.7 198.51.100.1 1 1883\r\n",
        "PROXY UDP4 192.0.2.7 198.51.100.1 1 1883\r\n",
        "PROXY \r\n",
    ] {
        assert!(matches!(refusal(line.as_bytes()), ProxyError::Malformed(_)), "{line}");
    }
    let mut large = v2(&[]);
    large[14] = 0xFF;
    assert_eq!(refusal(&large), ProxyError::TooLarge);
    assert!(matches!(refusal(&v2(&[0x05, 0, 9, 1])), ProxyError::Malformed(_)));
    let mut datagram = v2(&[]);
    datagram[13] = 0x12;
    assert!(matches!(refusal(&datagram), ProxyError::Malformed(_)));
}

#[test]
fn only_a_trusted_proxy_is_heard() {
    let mut peer = PeerInfo::new(PeerAddress::Inet("127.0.0.1:9".parse().unwrap()));
    let mut options = ProxyOptions::default();
    let refused = receive(&options, V1, &mut peer).unwrap_err();
    assert!(refused.text.contains("127.0.0.1:9") && peer.forwarded.is_none(), "{}", refused.text);
    options.trusted = TrustedSources(vec!["127.0.0.1".parse().unwrap()]);
    assert_eq!(receive(&options, V1, &mut peer), Ok(Some(V1.len())));
    assert_eq!(peer.to_string(), "192.0.2.7:56324 (through 127.0.0.1:9)");
    options.requires_tls = true;
    assert!(receive(&options, V1, &mut peer).is_err());
    assert!(receive(&options, &v2(&ssl(0)), &mut peer).is_ok());
    assert_eq!(peer.common_name(), Some("meter-7"));
}

proptest! {
    #[test]
    fn any_beginning_of_a_header_asks_for_more(fields in proptest::collection::vec(any::<u8>(), 0..40), cut in 1..1000_usize) {
        for header in [V1.to_vec(), v2(&field(0xEE, &fields))] {
            let cut = cut % header.len();
            if cut > 0 {
                prop_assert_eq!(parse(&header[..cut], ProxyVersions::Both), Ok(None));
            }
            let longer = [&header[..], b"\x10\x00"].concat();
            prop_assert_eq!(parse(&longer, ProxyVersions::Both).unwrap().unwrap().1, header.len());
        }
    }

    #[test]
    fn strange_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), begins in 0..3) {
        let start = match begins { 0 => &v2(&[])[..], 1 => V1, _ => &[] };
        bytes.splice(0..0, start[..start.len() - start.len() / 3].iter().copied());
        if let Ok(Some((_, len))) = parse(&bytes, ProxyVersions::Both) {
            prop_assert!(len <= bytes.len());
        }
    }
}
