//! Windows of the calendar, in a time zone.

use std::borrow::Cow;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, Zoned};
use lockgate_config::{Duration, Problem, Spanned};
use parking_lot::RwLock;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Deserializer, de};

use crate::counters::CalendarWindow;
use crate::time::Timestamp;

/// A unit of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// From the full hour.
    Hour,
    /// From midnight.
    Day,
    /// From Monday, midnight.
    Week,
    /// From the first of the month, midnight.
    Month,
}

/// How long a quota is for: a unit of the calendar, or a time that rolls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A unit of the calendar.
    Calendar(Unit),
    /// The time before each call.
    Rolling(Duration),
}

const EXPECTED: &str = "`hour`, `day`, `week`, `month` or a time such as `24h`";

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self::Calendar(match text.as_str() {
            "hour" => Unit::Hour,
            "day" => Unit::Day,
            "week" => Unit::Week,
            "month" => Unit::Month,
            other => {
                let time = Duration::deserialize(StrDeserializer::<de::value::Error>::new(other));
                return time.map(Self::Rolling).map_err(|_| {
                    de::Error::custom(format!("`{other}` is not a period; write {EXPECTED}"))
                });
            }
        }))
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(hour|day|week|month|[0-9]+(ms|s|m|h|d))$",
            "description": EXPECTED
        })
    }
}

/// The time that a limit is for, as it is counted.
#[derive(Debug)]
pub enum Time {
    /// Windows of the calendar.
    Calendar(Calendar),
    /// So many microseconds.
    Length(u64),
}

impl Time {
    /// Reads a period and its time zone; `without_zone` is what is said of a time zone beside a length.
    ///
    /// # Errors
    /// An unknown time zone, one beside a length, and a length below one second.
    pub fn read(
        per: &Spanned<Period>,
        zone: Option<&Spanned<String>>,
        without_zone: &'static str,
    ) -> Result<Self, Problem> {
        match (per.value, zone) {
            (Period::Calendar(unit), None) => {
                Ok(Self::Calendar(Calendar::new(unit, TimeZone::UTC)))
            }
            (Period::Calendar(unit), Some(name)) => {
                let zone = TimeZone::get(name).map_err(|_| {
                    Problem::new(&name.span, format!("`{}` is not a time zone", name.value))
                        .help("write a name of the IANA database such as `Europe/Berlin`")
                })?;
                Ok(Self::Calendar(Calendar::new(unit, zone)))
            }
            (Period::Rolling(_), Some(name)) => Err(Problem::new(&name.span, without_zone)
                .help("take `time_zone` out, or write `per: day`")),
            (Period::Rolling(length), None) if length.as_millis() < 1_000 => Err(Problem::new(
                &per.span,
                "the window is shorter than one second",
            )
            .help("write `per: 1s` or longer")),
            (Period::Rolling(length), None) => {
                Ok(Self::Length(length.as_millis().saturating_mul(1_000)))
            }
        }
    }
}

/// The calendar of a time zone; it remembers the window it gave last.
#[derive(Debug)]
pub struct Calendar {
    unit: Unit,
    zone: TimeZone,
    last: RwLock<CalendarWindow>,
}

impl Calendar {
    /// The windows of a unit in a time zone.
    pub fn new(unit: Unit, zone: TimeZone) -> Self {
        Self {
            unit,
            zone,
            last: RwLock::new(CalendarWindow { start: 0, end: 0 }),
        }
    }

    /// The window that a time lies in; `None` past the end of the calendar.
    pub fn window(&self, now: Timestamp) -> Option<CalendarWindow> {
        let last = *self.last.read();
        if (last.start..last.end).contains(&now.0) {
            return Some(last);
        }
        let window = self.find(now)?;
        *self.last.write() = window;
        Some(window)
    }

    fn find(&self, now: Timestamp) -> Option<CalendarWindow> {
        let instant = jiff::Timestamp::from_microsecond(i64::try_from(now.0).ok()?).ok()?;
        let local = instant.to_zoned(self.zone.clone());
        let day = local.date();
        let (first, after) = match self.unit {
            Unit::Hour => return hour(now, &local),
            Unit::Day => (day, day.checked_add(1.day()).ok()?),
            Unit::Week => {
                let since_monday = day.weekday().since(Weekday::Monday);
                let monday = day.checked_sub(i64::from(since_monday).days()).ok()?;
                (monday, monday.checked_add(7.days()).ok()?)
            }
            Unit::Month => (
                day.first_of_month(),
                day.first_of_month().checked_add(1.month()).ok()?,
            ),
        };
        // Where midnight does not exist, a day starts at its first moment that does.
        let moment = |date: jiff::civil::Date| micros(&date.to_zoned(self.zone.clone()).ok()?);
        Some(CalendarWindow {
            start: moment(first)?,
            end: moment(after)?,
        })
    }
}

/// Hours by the offset that holds now: a time zone need not be whole hours away, and may change by half of one.
fn hour(now: Timestamp, local: &Zoned) -> Option<CalendarWindow> {
    const HOUR: u64 = 3_600_000_000;
    let offset = i64::from(local.offset().seconds()) * 1_000_000;
    let into = now.0.checked_add_signed(offset)? % HOUR;
    let start = now.0.saturating_sub(into);
    Some(CalendarWindow {
        start,
        end: start.saturating_add(HOUR),
    })
}

fn micros(zoned: &Zoned) -> Option<u64> {
    u64::try_from(zoned.timestamp().as_microsecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        crate::directory::read_time(text).unwrap()
    }

    fn window(unit: Unit, zone: &str, now: &str) -> (String, String) {
        let calendar = Calendar::new(unit, TimeZone::get(zone).unwrap());
        let CalendarWindow { start, end } = calendar.window(at(now)).unwrap();
        let text = |micros: u64| {
            jiff::Timestamp::from_microsecond(micros as i64)
                .unwrap()
                .to_string()
        };
        (text(start), text(end))
    }

    #[test]
    fn windows_start_where_the_calendar_of_the_zone_says() {
        for (unit, zone, now, start, end) in [
            (
                Unit::Hour,
                "UTC",
                "2027-01-15T08:59:59Z",
                "2027-01-15T08:00:00Z",
                "2027-01-15T09:00:00Z",
            ),
            (
                Unit::Hour,
                "Asia/Kolkata",
                "2027-01-15T08:10:00Z",
                "2027-01-15T07:30:00Z",
                "2027-01-15T08:30:00Z",
            ),
            (
                Unit::Day,
                "UTC",
                "2027-01-15T00:00:00Z",
                "2027-01-15T00:00:00Z",
                "2027-01-16T00:00:00Z",
            ),
            (
                Unit::Day,
                "Asia/Tokyo",
                "2027-01-15T15:00:00Z",
                "2027-01-15T15:00:00Z",
                "2027-01-16T15:00:00Z",
            ),
            // 23 and 25 hours.
            (
                Unit::Day,
                "Europe/Berlin",
                "2027-03-28T12:00:00Z",
                "2027-03-27T23:00:00Z",
                "2027-03-28T22:00:00Z",
            ),
            (
                Unit::Day,
                "Europe/Berlin",
                "2027-10-31T12:00:00Z",
                "2027-10-30T22:00:00Z",
                "2027-10-31T23:00:00Z",
            ),
            (
                Unit::Week,
                "UTC",
                "2027-01-17T23:59:59Z",
                "2027-01-11T00:00:00Z",
                "2027-01-18T00:00:00Z",
            ),
            (
                Unit::Week,
                "UTC",
                "2027-01-18T00:00:00Z",
                "2027-01-18T00:00:00Z",
                "2027-01-25T00:00:00Z",
            ),
            (
                Unit::Month,
                "UTC",
                "2028-02-29T10:00:00Z",
                "2028-02-01T00:00:00Z",
                "2028-03-01T00:00:00Z",
            ),
            (
                Unit::Month,
                "America/New_York",
                "2027-12-31T10:00:00Z",
                "2027-12-01T05:00:00Z",
                "2028-01-01T05:00:00Z",
            ),
        ] {
            assert_eq!(
                window(unit, zone, now),
                (start.to_owned(), end.to_owned()),
                "{zone} {now}"
            );
        }
    }

    #[test]
    fn every_time_lies_in_its_window_and_windows_follow_each_other() {
        for zone in [
            "UTC",
            "Europe/Berlin",
            "Australia/Lord_Howe",
            "America/St_Johns",
            "Africa/Cairo",
            "Asia/Beirut",
        ] {
            for unit in [Unit::Hour, Unit::Day, Unit::Week, Unit::Month] {
                let calendar = Calendar::new(unit, TimeZone::get(zone).unwrap());
                let mut now = at("2027-01-01").0;
                while now < at("2028-01-02").0 {
                    let window = calendar.find(Timestamp(now)).unwrap();
                    assert!(
                        (window.start..window.end).contains(&now),
                        "{zone} {unit:?} {now}"
                    );
                    if unit != Unit::Hour {
                        let next = calendar.find(Timestamp(window.end)).unwrap();
                        assert_eq!(next.start, window.end, "{zone} {unit:?}");
                    }
                    now += 1_799_000_000;
                }
            }
        }
    }
}
