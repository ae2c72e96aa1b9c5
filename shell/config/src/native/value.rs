//! Values of TOML, made to fit a field.

use toml::de::DeValue;

use crate::key::{Bounds, Key, Kind, Unit};
use crate::slot::{Slot, Value, Wrong};

/// Why a value does not fit, and what to write.
pub(super) struct Misfit {
    pub(super) title: String,
    pub(super) why: String,
    pub(super) fix: String,
}

/// Puts a value into the field of a key.
pub(super) fn read(key: &Key, value: &DeValue<'_>, slot: Slot<'_>) -> Result<(), Misfit> {
    let value = match (key.kind, &slot, value) {
        (_, Slot::Bool(_) | Slot::MaybeBool(_), DeValue::Boolean(value)) => Some(Value::Bool(*value)),
        (Kind::Number(bounds), _, value) => number(key, bounds, value)?,
        (Kind::Time(bounds), _, value) => time(key, bounds, value)?,
        (_, Slot::Text(_) | Slot::Choice(_), DeValue::String(text)) => {
            Some(Value::Text(text.clone().into_owned()))
        }
        (_, Slot::List(_), DeValue::Array(entries)) => {
            entries.iter().map(|entry| text_of(entry.get_ref())).collect::<Option<_>>().map(Value::List)
        }
        _ => None,
    };
    let value = value.ok_or_else(|| wrong_type(key, &slot))?;
    if let Value::Text(text) = &value
        && text.contains(char::is_control)
    {
        let why = "it has a line break or another invisible character in it".to_owned();
        return Err(misfit(key, why, "write it on one line"));
    }
    slot.set(value).map_err(|wrong| refused(key, wrong))
}

/// The text of an entry of a list; numbers may stand there as they are.
fn text_of(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        value => integer(value).map(|number| number.to_string()),
    }
}

/// A whole number that is not negative.
pub(super) fn integer(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn number(key: &Key, bounds: Bounds, value: &DeValue<'_>) -> Result<Option<Value>, Misfit> {
    let number = match value {
        DeValue::String(text) if bounds.unit == Unit::Bytes => Some(with_unit(key, text, &BYTES)?),
        DeValue::Integer(_) => Some(integer(value).ok_or_else(|| out_of_range(key, bounds))?),
        _ => None,
    };
    number.map(|number| within(key, bounds, number)).transpose()
}

fn time(key: &Key, bounds: Bounds, value: &DeValue<'_>) -> Result<Option<Value>, Misfit> {
    let per_unit = bounds.unit.milliseconds();
    let milliseconds = match value {
        DeValue::String(text) => with_unit(key, text, &TIMES)?,
        DeValue::Integer(_) => {
            let number = integer(value).filter(|number| *number <= bounds.max);
            number.ok_or_else(|| out_of_range(key, bounds))?.saturating_mul(per_unit)
        }
        _ => return Ok(None),
    };
    // Less than the unit of the key cannot be kept by what reads the field.
    if milliseconds % per_unit != 0 {
        let fix = format!("write whole {}", bounds.unit.name());
        return Err(misfit(key, "it is finer than the unit of the key".to_owned(), &fix));
    }
    Ok(Some(match within(key, bounds, milliseconds / per_unit)? {
        Value::Number(_) => Value::Number(milliseconds),
        unset => unset,
    }))
}

fn within(key: &Key, bounds: Bounds, number: u64) -> Result<Value, Misfit> {
    if bounds.none == Some(number) {
        return Ok(Value::Unset);
    }
    let fits = (bounds.min..=bounds.max).contains(&number);
    if fits { Ok(Value::Number(number)) } else { Err(out_of_range(key, bounds)) }
}

const BYTES: [(&str, u64); 8] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("b", 1),
];
const TIMES: [(&str, u64); 7] = [
    ("ms", 1),
    ("min", 60_000),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

/// A number with a unit behind it: "16 MiB", "2h".
fn with_unit(key: &Key, text: &str, units: &[(&str, u64)]) -> Result<u64, Misfit> {
    let lower = text.trim().to_ascii_lowercase();
    let unit = units.iter().find(|(unit, _)| lower.ends_with(unit));
    let number = unit.and_then(|(unit, factor)| {
        let number: u64 = lower.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(*factor)
    });
    number.ok_or_else(|| {
        let names: Vec<_> = units.iter().map(|(unit, _)| *unit).collect();
        misfit(key, format!("as text it must be a number and one of {}", names.join(", ")), key.doc)
    })
}

fn out_of_range(key: &Key, bounds: Bounds) -> Misfit {
    let unit = bounds.unit.name();
    let blank = if unit.is_empty() { "" } else { " " };
    let why = if bounds.max == u64::MAX {
        format!("it must be {} or more{blank}{unit}", bounds.min)
    } else {
        format!("it must be from {} to {}{blank}{unit}", bounds.min, bounds.max)
    };
    misfit(key, why, key.doc)
}

fn wrong_type(key: &Key, slot: &Slot<'_>) -> Misfit {
    let expected = match slot {
        Slot::Bool(_) | Slot::MaybeBool(_) => "true or false, without quotes",
        Slot::Number(_) => "a number",
        Slot::Time(_) => "a number, or text such as \"10s\"",
        Slot::Text(_) => "text in \"quotes\"",
        Slot::Choice(_) => "a name in \"quotes\"",
        Slot::List(_) => "a list such as [\"a\", \"b\"]",
    };
    misfit(key, format!("it must be {expected}"), key.doc)
}

fn refused(key: &Key, wrong: Wrong) -> Misfit {
    match wrong {
        Wrong::Type => misfit(key, "it is of another type".to_owned(), key.doc),
        Wrong::TooLarge => misfit(key, "it is too large".to_owned(), key.doc),
        Wrong::Entry { index, why } => misfit(key, format!("entry {}: {why}", index + 1), key.doc),
        Wrong::NoneOf(names) => misfit(key, format!("it must be one of {}", names.join(", ")), key.doc),
    }
}

fn misfit(key: &Key, why: String, fix: &str) -> Misfit {
    let name = key.path.rsplit('.').next().unwrap_or(key.path);
    Misfit { title: format!("{name} cannot have this value"), why, fix: fix.to_owned() }
}
