//! Quantities as people write them: a number and its unit, never a bare number whose unit must be looked up.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A span of time: `300ms`, `30s`, `5m`, `1h`, `7d`. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(std::time::Duration);

const DURATION_UNITS: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];
const DURATION_EXPECTED: &str = "a time such as `300ms`, `30s`, `5m`, `1h` or `7d`";
const MAX_DURATION_MS: u64 = 10 * 366 * 86_400_000;

impl Duration {
    /// `milliseconds` as a duration.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(std::time::Duration::from_millis(milliseconds))
    }

    /// `seconds` as a duration.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// The standard library's form.
    pub const fn get(self) -> std::time::Duration {
        self.0
    }

    /// Whole milliseconds.
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    fn read(text: &str) -> Result<Self, String> {
        let (number, factor) = split(text, DURATION_UNITS, DURATION_EXPECTED)?;
        match number.checked_mul(factor) {
            Some(0) => Err(format!(
                "`{text}` is no time at all; write {DURATION_EXPECTED}"
            )),
            Some(ms) if ms <= MAX_DURATION_MS => Ok(Self::from_millis(ms)),
            _ => Err(format!("`{text}` is longer than ten years")),
        }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with_unit(f, self.as_millis(), DURATION_UNITS)
    }
}

/// A size in bytes: `512B`, `64KiB`, `10MB`, `1GiB`. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

const SIZE_UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];
const SIZE_EXPECTED: &str = "a size such as `512B`, `64KiB`, `10MB` or `1GiB`";
const MAX_SIZE: u64 = 1 << 40;

impl ByteSize {
    /// `bytes` as a size.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The number of bytes, for buffers of this machine.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    fn read(text: &str) -> Result<Self, String> {
        let (number, factor) = split(text, SIZE_UNITS, SIZE_EXPECTED)?;
        match number.checked_mul(factor) {
            Some(0) => Err(format!("`{text}` is no size at all; write {SIZE_EXPECTED}")),
            Some(bytes) if bytes <= MAX_SIZE => Ok(Self(bytes)),
            _ => Err(format!("`{text}` is more than 1024GiB")),
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with_unit(
            f,
            self.0,
            &[
                ("B", 1),
                ("KiB", 1 << 10),
                ("MiB", 1 << 20),
                ("GiB", 1 << 30),
            ],
        )
    }
}

fn write_with_unit(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)]) -> fmt::Result {
    let best = units
        .iter()
        .rev()
        .find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor));
    match best {
        Some((unit, factor)) => write!(f, "{}{unit}", value / factor),
        None => write!(f, "{value}{}", units.first().map_or("", |(unit, _)| unit)),
    }
}

fn split(text: &str, units: &[(&str, u64)], expected: &str) -> Result<(u64, u64), String> {
    let trimmed = text.trim();
    let end = trimmed
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(trimmed.len());
    let (digits, unit) = trimmed.split_at(end);
    let number = digits
        .parse::<u64>()
        .map_err(|_| format!("`{text}` is not {expected}"))?;
    if unit.is_empty() {
        return Err(format!("`{text}` has no unit; write {expected}"));
    }
    match units.iter().find(|(name, _)| *name == unit) {
        Some((_, factor)) => Ok((number, *factor)),
        None => Err(format!(
            "`{text}` has an unknown unit `{}`; write {expected}",
            unit.trim()
        )),
    }
}

macro_rules! quantity {
    ($name:ident, $expected:expr, $pattern:expr) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                        $name::read(text).map_err(E::custom)
                    }
                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                        Err(E::custom(format!("`{number}` has no unit; write {}", $expected)))
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $expected })
            }
        }
    };
}

quantity!(Duration, DURATION_EXPECTED, "^[0-9]+(ms|s|m|h|d)$");
quantity!(
    ByteSize,
    SIZE_EXPECTED,
    "^[0-9]+(B|kB|KB|KiB|MB|MiB|GB|GiB)$"
);

/// An amount of money: `50 USD`, `0.50 USD`; to the millionth. Never nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(u64);

const MONEY_EXPECTED: &str = "an amount such as `50 USD` or `0.25 USD`";
const MICROS: u64 = 1_000_000;
const MAX_MONEY: u64 = 1_000_000_000 * MICROS;

impl Money {
    /// So many millionths of a US dollar; `None` for nothing.
    pub const fn of_micros(micros: u64) -> Option<Self> {
        if micros == 0 {
            None
        } else {
            Some(Self(micros))
        }
    }

    /// Millionths of a US dollar.
    pub const fn micros(self) -> u64 {
        self.0
    }

    fn read(text: &str) -> Result<Self, String> {
        let unreadable = || format!("`{text}` is not {MONEY_EXPECTED}");
        let number = text
            .strip_suffix("USD")
            .ok_or_else(|| format!("`{text}` is not in US dollars; write {MONEY_EXPECTED}"))?;
        let number = number.trim();
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) {
            return Err(unreadable());
        }
        if part.len() > 6 {
            return Err(format!("`{text}` has more than six decimals"));
        }
        let micros = |text: &str, factor: u64| text.parse::<u64>().ok()?.checked_mul(factor);
        let amount = micros(whole, MICROS).zip(micros(&format!("{part:0<6}"), 1));
        match amount.and_then(|(whole, part)| whole.checked_add(part)) {
            Some(0) => Err(format!(
                "`{text}` is no money at all; write {MONEY_EXPECTED}"
            )),
            Some(amount) if amount <= MAX_MONEY => Ok(Self(amount)),
            _ => Err(format!("`{text}` is more than a thousand million dollars")),
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / MICROS, self.0 % MICROS);
        if part == 0 {
            return write!(f, "{whole} USD");
        }
        let part = format!("{part:06}");
        write!(f, "{whole}.{} USD", part.trim_end_matches('0'))
    }
}

quantity!(Money, MONEY_EXPECTED, "^[0-9]+([.][0-9]{1,6})? ?USD$");

/// A share of callers, from 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, JsonSchema)]
pub struct Percent(#[schemars(range(min = 0.0, max = 100.0))] f64);

impl Percent {
    /// Everyone.
    pub const ALL: Self = Self(100.0);

    /// A whole share; more than 100 is 100.
    pub const fn whole(percent: u8) -> Self {
        Self(if percent > 100 { 100.0 } else { percent as f64 })
    }

    /// The share, from 0 to 100.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Percent;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 0 to 100")
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Percent, E> {
                if (0.0..=100.0).contains(&number) {
                    Ok(Percent(number))
                } else {
                    Err(E::custom(format!(
                        "`{number}` is not a share; write a number from 0 to 100"
                    )))
                }
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Percent, E> {
                self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Percent, E> {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "values past 100 are refused whatever their precision"
                )]
                self.visit_f64(number as f64)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
#[path = "quantity_fuzz.rs"]
mod fuzz;
