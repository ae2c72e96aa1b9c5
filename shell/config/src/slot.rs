//! One field of the configuration, whatever its type: read and written as a [`Value`].
//!
//! The one rule: what a field takes is said by its type and its key, never by the file it comes from.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{Durability, Secret, TopicDurability};
use crate::names::{Named, name_of, named, names};

/// What a field holds, as files write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing was said.
    Unset,
    /// Yes or no.
    Bool(bool),
    /// A number in the unit of the key, or time in milliseconds.
    Number(u64),
    /// Text, a path, or a name of a list.
    Text(String),
    /// Several texts, in order.
    List(Vec<String>),
}

/// A field to read and write.
pub(crate) enum Slot<'a> {
    Bool(&'a mut bool),
    MaybeBool(&'a mut Option<bool>),
    Number(&'a mut dyn Number),
    Time(&'a mut dyn Time),
    Text(&'a mut dyn Text),
    Choice(&'a mut dyn Choice),
    List(&'a mut dyn List),
}

/// Why a field does not take a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It is of another type.
    Type,
    /// It is too large for the field.
    TooLarge,
    /// It is none of these names.
    NoneOf(Vec<&'static str>),
    /// An entry of a list is wrong, and why.
    Entry { index: usize, why: String },
}

pub(crate) trait Number {
    fn number(&self) -> Option<u64>;
    /// Nothing stands for no limit where the field knows one.
    fn set_number(&mut self, number: Option<u64>) -> bool;
}

pub(crate) trait Time {
    fn time(&self) -> Option<Duration>;
    fn set_time(&mut self, time: Option<Duration>) -> bool;
}

pub(crate) trait Text {
    fn text(&self) -> Option<String>;
    fn set_text(&mut self, text: String);
}

pub(crate) trait Choice {
    fn chosen(&self) -> Option<&'static str>;
    fn choices(&self) -> Vec<&'static str>;
    fn choose(&mut self, name: &str) -> bool;
}

pub(crate) trait List {
    fn list(&self) -> Vec<String>;
    fn choices(&self) -> Vec<&'static str>;
    fn set_list(&mut self, entries: Vec<String>) -> Result<(), Wrong>;
}

impl Slot<'_> {
    /// What the field holds.
    pub(crate) fn value(&self) -> Value {
        match self {
            Self::Bool(value) => Value::Bool(**value),
            Self::MaybeBool(value) => value.map_or(Value::Unset, Value::Bool),
            Self::Number(value) => value.number().map_or(Value::Unset, Value::Number),
            Self::Time(value) => value.time().map_or(Value::Unset, |time| Value::Number(milliseconds(time))),
            Self::Text(value) => value.text().map_or(Value::Unset, Value::Text),
            Self::Choice(value) => value.chosen().map_or(Value::Unset, |name| Value::Text(name.to_owned())),
            Self::List(value) => Value::List(value.list()),
        }
    }

    /// Puts a value into the field, or says why it does not fit.
    pub(crate) fn set(self, value: Value) -> Result<(), Wrong> {
        let fits = |fits: bool| if fits { Ok(()) } else { Err(Wrong::TooLarge) };
        match (self, value) {
            (Self::Bool(field), Value::Bool(value)) => *field = value,
            (Self::MaybeBool(field), Value::Bool(value)) => *field = Some(value),
            (Self::Number(field), Value::Number(value)) => return fits(field.set_number(Some(value))),
            (Self::Number(field), Value::Unset) => return fits(field.set_number(None)),
            (Self::Time(field), Value::Number(value)) => {
                return fits(field.set_time(Some(Duration::from_millis(value))));
            }
            (Self::Time(field), Value::Unset) => return fits(field.set_time(None)),
            (Self::Text(field), Value::Text(value)) => field.set_text(value),
            (Self::Choice(field), Value::Text(name)) => {
                return if field.choose(&name) { Ok(()) } else { Err(Wrong::NoneOf(field.choices())) };
            }
            (Self::List(field), Value::List(entries)) => return field.set_list(entries),
            _ => return Err(Wrong::Type),
        }
        Ok(())
    }

    /// The names the field takes, if it takes names only.
    pub(crate) fn choices(&self) -> Vec<&'static str> {
        match self {
            Self::Choice(field) => field.choices(),
            Self::List(field) => field.choices(),
            _ => Vec::new(),
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Number for $number {
            fn number(&self) -> Option<u64> {
                Some((*self).into())
            }

            fn set_number(&mut self, number: Option<u64>) -> bool {
                let number = number.and_then(|number| number.try_into().ok());
                number.map(|number| *self = number).is_some()
            }
        }

        impl Number for Option<$number> {
            fn number(&self) -> Option<u64> {
                self.map(Into::into)
            }

            fn set_number(&mut self, number: Option<u64>) -> bool {
                let Some(number) = number else {
                    *self = None;
                    return true;
                };
                number.try_into().map(|number| *self = Some(number)).is_ok()
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64);

impl Time for Duration {
    fn time(&self) -> Option<Duration> {
        Some(*self)
    }

    fn set_time(&mut self, time: Option<Duration>) -> bool {
        time.map(|time| *self = time).is_some()
    }
}

impl Time for Option<Duration> {
    fn time(&self) -> Option<Duration> {
        *self
    }

    fn set_time(&mut self, time: Option<Duration>) -> bool {
        *self = time;
        true
    }
}

impl Text for String {
    fn text(&self) -> Option<String> {
        (!self.is_empty()).then(|| self.clone())
    }

    fn set_text(&mut self, text: String) {
        *self = text;
    }
}

impl Text for Option<String> {
    fn text(&self) -> Option<String> {
        self.clone()
    }

    fn set_text(&mut self, text: String) {
        *self = Some(text);
    }
}

impl Text for Option<PathBuf> {
    fn text(&self) -> Option<String> {
        // Paths came from text, so nothing is lost.
        self.as_ref().map(|path| path.to_string_lossy().into_owned())
    }

    fn set_text(&mut self, text: String) {
        *self = Some(text.into());
    }
}

impl Text for Option<Secret> {
    fn text(&self) -> Option<String> {
        self.as_ref().map(|secret| secret.reveal().to_owned())
    }

    fn set_text(&mut self, text: String) {
        *self = Some(Secret::new(text));
    }
}

impl<T: Named> Choice for T {
    fn chosen(&self) -> Option<&'static str> {
        Some(name_of(*self))
    }

    fn choices(&self) -> Vec<&'static str> {
        names::<T>()
    }

    fn choose(&mut self, name: &str) -> bool {
        named(name).map(|value| *self = value).is_some()
    }
}

impl<T: Named> Choice for Option<T> {
    fn chosen(&self) -> Option<&'static str> {
        self.map(name_of)
    }

    fn choices(&self) -> Vec<&'static str> {
        names::<T>()
    }

    fn choose(&mut self, name: &str) -> bool {
        named(name).map(|value| *self = Some(value)).is_some()
    }
}

impl List for Vec<String> {
    fn list(&self) -> Vec<String> {
        self.clone()
    }

    fn choices(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn set_list(&mut self, entries: Vec<String>) -> Result<(), Wrong> {
        *self = entries;
        Ok(())
    }
}

impl<T: Named + Ord> List for Vec<T> {
    fn list(&self) -> Vec<String> {
        self.iter().map(|value| name_of(*value).to_owned()).collect()
    }

    fn choices(&self) -> Vec<&'static str> {
        names::<T>()
    }

    /// The order in which names are written means nothing, so that they are kept in the order of the type.
    fn set_list(&mut self, entries: Vec<String>) -> Result<(), Wrong> {
        let mut values = Vec::new();
        for entry in entries {
            values.push(named(&entry).ok_or_else(|| Wrong::NoneOf(names::<T>()))?);
        }
        values.sort_unstable();
        values.dedup();
        *self = values;
        Ok(())
    }
}

impl List for Vec<TopicDurability> {
    fn list(&self) -> Vec<String> {
        self.iter().map(|topic| format!("{}={}", topic.filter, name_of(topic.durability))).collect()
    }

    fn choices(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn set_list(&mut self, entries: Vec<String>) -> Result<(), Wrong> {
        let read = |(index, entry): (usize, String)| {
            let parts = entry.rsplit_once('=').filter(|(filter, _)| !filter.is_empty());
            let read = parts.and_then(|(filter, name)| Some((filter.to_owned(), named::<Durability>(name)?)));
            read.map(|(filter, durability)| TopicDurability { filter, durability }).ok_or_else(|| {
                let why = "expected a topic filter, \"=\" and one of always, interval and never";
                Wrong::Entry { index, why: why.to_owned() }
            })
        };
        *self = entries.into_iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(())
    }
}

impl List for Option<[u32; 3]> {
    fn list(&self) -> Vec<String> {
        self.iter().flatten().map(u32::to_string).collect()
    }

    fn choices(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn set_list(&mut self, entries: Vec<String>) -> Result<(), Wrong> {
        if entries.is_empty() {
            *self = None;
            return Ok(());
        }
        let numbers: Vec<u32> = entries.iter().filter_map(|entry| entry.parse().ok()).collect();
        let three = <[u32; 3]>::try_from(numbers).ok().filter(|numbers| numbers.iter().all(|it| *it > 0));
        let why = "expected three numbers from 1: idle time and interval in seconds, and a count";
        *self = Some(three.ok_or(Wrong::Entry { index: 0, why: why.to_owned() })?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogType;

    #[test]
    fn what_is_put_in_comes_out() {
        let mut count = Some(5_u16);
        assert_eq!(Slot::Number(&mut count).set(Value::Number(65_536)), Err(Wrong::TooLarge));
        assert_eq!(Slot::Number(&mut count).set(Value::Unset), Ok(()));
        assert_eq!((Slot::Number(&mut count).value(), count), (Value::Unset, None));
        let mut always = 5_u16;
        assert_eq!(Slot::Number(&mut always).set(Value::Unset), Err(Wrong::TooLarge));
        let mut time = Duration::ZERO;
        Slot::Time(&mut time).set(Value::Number(1500)).unwrap();
        assert_eq!(time, Duration::from_millis(1500));
        assert_eq!(Slot::Bool(&mut true).set(Value::Number(1)), Err(Wrong::Type));
    }

    #[test]
    fn the_order_of_names_means_nothing() {
        let mut types: Vec<LogType> = Vec::new();
        let entries = ["debug", "error", "debug"].map(str::to_owned).to_vec();
        Slot::List(&mut types).set(Value::List(entries)).unwrap();
        assert_eq!(types, [LogType::Error, LogType::Debug]);
        let wrong = Slot::List(&mut types).set(Value::List(vec!["loud".to_owned()]));
        assert!(matches!(wrong, Err(Wrong::NoneOf(names)) if names.contains(&"notice")));
    }

    #[test]
    fn a_filter_may_contain_what_parts_it_from_its_promise() {
        let mut topics: Vec<TopicDurability> = Vec::new();
        Slot::List(&mut topics).set(Value::List(vec!["a=b/#=never".to_owned()])).unwrap();
        assert_eq!(topics[0].filter, "a=b/#");
        assert_eq!(Slot::List(&mut topics).value(), Value::List(vec!["a=b/#=never".to_owned()]));
        let wrong = vec!["a=never".to_owned(), "b".to_owned()];
        assert!(matches!(
            Slot::List(&mut topics).set(Value::List(wrong)),
            Err(Wrong::Entry { index: 1, .. })
        ));
    }

    #[test]
    fn three_numbers_or_none() {
        let mut probes = None;
        let list = |words: &[&str]| Value::List(words.iter().map(ToString::to_string).collect());
        Slot::List(&mut probes).set(list(&["60", "10", "3"])).unwrap();
        assert_eq!(probes, Some([60, 10, 3]));
        for wrong in [&["60", "10"][..], &["60", "10", "0"], &["60", "10", "x"], &["1", "2", "3", "4"]] {
            assert!(Slot::List(&mut probes).set(list(wrong)).is_err(), "{wrong:?}");
        }
        Slot::List(&mut probes).set(list(&[])).unwrap();
        assert_eq!(probes, None);
    }
}
