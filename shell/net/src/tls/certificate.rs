//! What a Client's certificate says of it, in the words that usernames are made of.
//!
//! The rule: a name is written exactly as OpenSSL writes it by RFC 2253, for access control files hold such names.

use x509_parser::der_parser::asn1_rs::{Any, Tag};
use x509_parser::der_parser::oid::Oid;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::PeerCertificate;

/// Short names of attributes, as OpenSSL has them.
const SHORT_NAMES: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.45", "x500UniqueIdentifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.97", "organizationIdentifier"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
];

/// What a verified certificate says.
pub(super) fn describe(der: &[u8]) -> Option<PeerCertificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let subject = certificate.subject();
    Some(PeerCertificate {
        common_name: common_name(subject),
        subject: rfc2253(subject).into(),
        der: der.into(),
    })
}

/// The subject of a certificate, for people.
pub(super) fn subject(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(rfc2253(certificate.subject()))
}

/// A name with a NUL in it would end early for whoever compares it in C: it counts as none.
fn common_name(subject: &X509Name<'_>) -> Option<Box<str>> {
    let first = subject.iter_common_name().next()?;
    text(first.attr_value()).filter(|name| !name.contains('\0')).map(String::into_boxed_str)
}

/// The most specific part comes first.
fn rfc2253(name: &X509Name<'_>) -> String {
    let parts: Vec<_> = name
        .iter()
        .map(|part| {
            let attributes: Vec<_> = part.iter().map(attribute).collect();
            attributes.into_iter().rev().collect::<Vec<_>>().join("+")
        })
        .collect();
    parts.into_iter().rev().collect::<Vec<_>>().join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let value = attribute.attr_value();
    let known = short_name(attribute.attr_type());
    match (known, text(value)) {
        (Some(name), Some(text)) => format!("{name}={}", escape(&text)),
        (name, _) => {
            let name = name.map_or_else(|| attribute.attr_type().to_id_string(), str::to_owned);
            format!("{name}={}", dump(value))
        }
    }
}

fn short_name(oid: &Oid<'_>) -> Option<&'static str> {
    let id = oid.to_id_string();
    SHORT_NAMES.iter().find(|(known, _)| *known == id).map(|(_, name)| *name)
}

/// The text of a value, whichever kind of string it is.
fn text(value: &Any<'_>) -> Option<String> {
    let data = value.data;
    match value.tag() {
        Tag::Utf8String => std::str::from_utf8(data).ok().map(str::to_owned),
        Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString | Tag::T61String => {
            Some(data.iter().map(|byte| char::from(*byte)).collect())
        }
        Tag::BmpString => {
            let units = data.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        }
        Tag::UniversalString => data
            .chunks_exact(4)
            .map(|four| char::from_u32(u32::from_be_bytes([four[0], four[1], four[2], four[3]])))
            .collect(),
        _ => None,
    }
}

/// Whatever has a meaning in a name is escaped, and so is every byte that is not printable ASCII.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let last = text.len().saturating_sub(1);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => out.extend(['\\', char::from(byte)]),
            b'#' if at == 0 => out.push_str("\\#"),
            b' ' if at == 0 || at == last => out.push_str("\\ "),
            0x20..=0x7E => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\{byte:02X}")),
        }
    }
    out
}

/// The encoded value, in digits.
fn dump(value: &Any<'_>) -> String {
    let mut out = String::from("#");
    let tag = u8::try_from(value.tag().0).unwrap_or_default();
    let mut bytes = vec![tag];
    match value.data.len() {
        short @ 0..=127 => bytes.extend(u8::try_from(short)),
        long => {
            let digits: Vec<_> = long.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            bytes.extend(u8::try_from(0x80 | digits.len()));
            bytes.extend(digits);
        }
    }
    bytes.iter().chain(value.data).for_each(|byte| out.push_str(&format!("{byte:02X}")));
    out
}
