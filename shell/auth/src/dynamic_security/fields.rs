//! The members of a JSON object, as Mosquitto looks them up: upper and lower case are the same in their names.

use martlet_access::AclType;
use serde_json::{Map, Value};

/// A member is there and has another type than it should, or is missing and must not be.
pub(super) struct Wrong;

/// A JSON object, or what has no members because it is none.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(Option<&'a Map<String, Value>>);

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        Self(value.as_object())
    }

    pub(super) fn value(self, name: &str) -> Option<&'a Value> {
        let members = self.0?;
        members.get(name).or_else(|| {
            members.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        })
    }

    /// A text, if it is there and one.
    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        self.value(name)?.as_str()
    }

    /// A text that may be missing, but is nothing else.
    pub(super) fn text_or_none(self, name: &str) -> Result<Option<&'a str>, Wrong> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or(Wrong),
        }
    }

    pub(super) fn flag(self, name: &str) -> Option<bool> {
        self.value(name)?.as_bool()
    }

    /// A whole number, cut to what fits.
    pub(super) fn number(self, name: &str) -> Option<i32> {
        let number = self.value(name)?.as_f64()?;
        #[expect(clippy::cast_possible_truncation, reason = "as C's JSON reader does, to the nearest bound")]
        Some(number as i32)
    }

    pub(super) fn list(self, name: &str) -> Option<&'a [Value]> {
        self.value(name)?.as_array().map(Vec::as_slice)
    }

    /// The objects of a list; what is none of them is passed over.
    pub(super) fn objects(self, name: &str) -> Option<impl Iterator<Item = Fields<'a>> + Clone> {
        Some(self.list(name)?.iter().filter(|value| value.is_object()).map(Fields::of))
    }
}

/// What the entries of roles are called.
pub(super) fn acl_type(name: &str) -> Option<AclType> {
    AclType::ALL.into_iter().find(|acl_type| name.eq_ignore_ascii_case(acl_type_name(*acl_type)))
}

/// The other way round.
pub(super) fn acl_type_name(acl_type: AclType) -> &'static str {
    match acl_type {
        AclType::PublishClientSend => "publishClientSend",
        AclType::PublishClientReceive => "publishClientReceive",
        AclType::SubscribeLiteral => "subscribeLiteral",
        AclType::SubscribePattern => "subscribePattern",
        AclType::UnsubscribeLiteral => "unsubscribeLiteral",
        AclType::UnsubscribePattern => "unsubscribePattern",
    }
}
