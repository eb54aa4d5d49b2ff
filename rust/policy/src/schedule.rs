//! Times at which something holds: once, or again and again by the calendar of a time zone.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan as _};
use lockgate_config::{Duration, Each, Problem, Span, Spanned};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::directory::read_time;
use crate::time::Timestamp;

/// Times as a document writes them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// When it starts: a date, or an RFC 3339 time.
    from: Option<Spanned<String>>,
    /// When it has ended.
    until: Option<Spanned<String>>,
    /// When it starts on each day, such as `10:00`.
    at: Option<Spanned<String>>,
    /// How long it holds from `at` on, at most a day.
    #[serde(rename = "for")]
    length: Option<Spanned<Duration>>,
    /// The days of the week; all by default.
    days: Option<Each<Day>>,
    /// The time zone of `at`, such as `Europe/Berlin`; `UTC` by default.
    time_zone: Option<Spanned<String>>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// Times at which something holds.
#[derive(Debug)]
pub enum Times {
    /// From one moment to another.
    Once {
        /// The first moment.
        from: Timestamp,
        /// The first moment after.
        until: Timestamp,
    },
    /// For a while on days of the week.
    Weekly(Weekly),
}

/// For a while on days of the week.
#[derive(Debug)]
pub struct Weekly {
    at: Time,
    length: SignedDuration,
    days: Vec<Day>,
    zone: TimeZone,
}

const HELP: &str = "write `from` and `until`, or `at: 10:00` and `for: 30m`";

impl Times {
    /// Reads times.
    ///
    /// # Errors
    /// What is wrong, at the field, or at `span` when one is missing.
    pub fn read(written: &Written, span: &Span) -> Result<Self, Problem> {
        match (&written.from, &written.until, &written.at, &written.length) {
            (Some(from), Some(until), None, None) => {
                if written.days.is_some() || written.time_zone.is_some() {
                    let message = "`days` and `time_zone` belong to `at`";
                    return Err(Problem::new(&from.span, message).help(HELP));
                }
                let (first, end) = (moment(from)?, moment(until)?);
                if first >= end {
                    let message = format!("`{}` is not after `{}`", until.value, from.value);
                    return Err(Problem::new(&until.span, message)
                        .help("write an end that lies after the start"));
                }
                Ok(Self::Once {
                    from: first,
                    until: end,
                })
            }
            (None, None, Some(at), Some(length)) => weekly(at, length, written).map(Self::Weekly),
            (from, until, at, length) => {
                let spans = [from, until, at]
                    .into_iter()
                    .flatten()
                    .map(|text| &text.span);
                let span = spans
                    .chain(length.as_ref().map(|length| &length.span))
                    .next()
                    .unwrap_or(span);
                Err(Problem::new(span, "this says no time").help(HELP))
            }
        }
    }

    /// When it ends, if it holds now.
    pub fn end(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once { from, until } => (*from <= now && now < *until).then_some(*until),
            Self::Weekly(weekly) => weekly.end(now),
        }
    }
}

/// A date (its first moment in UTC) or an RFC 3339 time.
///
/// # Errors
/// It is none.
pub fn moment(text: &Spanned<String>) -> Result<Timestamp, Problem> {
    read_time(text).ok_or_else(|| {
        Problem::new(&text.span, format!("`{}` is not a time", text.value))
            .help("write a date such as `2027-01-31` or an RFC 3339 time")
    })
}

fn weekly(
    at: &Spanned<String>,
    length: &Spanned<Duration>,
    written: &Written,
) -> Result<Weekly, Problem> {
    let time = at.parse::<Time>().map_err(|_| {
        Problem::new(&at.span, format!("`{}` is not a time of the day", at.value))
            .help("write one such as `10:00`")
    })?;
    if length.value.get() > std::time::Duration::from_secs(24 * 60 * 60) {
        let message = format!("`{}` is longer than a day", length.value);
        return Err(
            Problem::new(&length.span, message).help("write at most `24h`, or `from` and `until`")
        );
    }
    let zone = match &written.time_zone {
        None => TimeZone::UTC,
        Some(name) => TimeZone::get(name).map_err(|_| {
            Problem::new(&name.span, format!("`{}` is not a time zone", name.value))
                .help("write a name of the IANA database such as `Europe/Berlin`")
        })?,
    };
    Ok(Weekly {
        at: time,
        length: SignedDuration::try_from(length.value.get()).unwrap_or_default(),
        days: written.days.as_deref().unwrap_or_default().to_vec(),
        zone,
    })
}

impl Weekly {
    fn end(&self, now: Timestamp) -> Option<Timestamp> {
        let instant = jiff::Timestamp::from_microsecond(i64::try_from(now.0).ok()?).ok()?;
        let today = instant.to_zoned(self.zone.clone()).date();
        // One that started yesterday may still hold.
        let days = [today, today.checked_sub(1.day()).ok()?];
        days.into_iter()
            .filter(|day| {
                self.days.is_empty()
                    || self
                        .days
                        .iter()
                        .any(|known| known.weekday() == day.weekday())
            })
            .find_map(|day| {
                let start = day.to_datetime(self.at).to_zoned(self.zone.clone()).ok()?;
                let start = start.timestamp();
                let end = start.checked_add(self.length).ok()?;
                (start <= instant && instant < end).then_some(end)
            })
            .and_then(|end| u64::try_from(end.as_microsecond()).ok().map(Timestamp))
    }
}

impl Day {
    const fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weekly(at: &str, length: i64, days: &[Day], zone: &str) -> Times {
        Times::Weekly(Weekly {
            at: at.parse().unwrap(),
            length: SignedDuration::from_mins(length),
            days: days.to_vec(),
            zone: TimeZone::get(zone).unwrap(),
        })
    }

    fn end(times: &Times, now: &str) -> Option<String> {
        let end = times.end(read_time(now).unwrap())?;
        let end = jiff::Timestamp::from_microsecond(end.0 as i64).unwrap();
        Some(end.to_string())
    }

    #[test]
    fn times_of_the_week_hold_on_their_days_in_their_zone() {
        let times = weekly("10:00", 30, &[Day::Mon], "Europe/Berlin");
        for (now, expected) in [
            ("2027-01-18T08:59:59Z", None),
            ("2027-01-18T09:00:00Z", Some("2027-01-18T09:30:00Z")),
            ("2027-01-18T09:29:59Z", Some("2027-01-18T09:30:00Z")),
            ("2027-01-18T09:30:00Z", None),
            ("2027-01-19T09:00:00Z", None),
            // Summer.
            ("2027-07-19T08:00:00Z", Some("2027-07-19T08:30:00Z")),
        ] {
            assert_eq!(end(&times, now).as_deref(), expected, "{now}");
        }
    }

    #[test]
    fn times_go_on_over_midnight_and_over_a_change_of_the_clock() {
        let night = weekly("23:30", 60, &[Day::Sun], "UTC");
        assert_eq!(
            end(&night, "2027-01-18T00:10:00Z").as_deref(),
            Some("2027-01-18T00:30:00Z")
        );
        assert_eq!(end(&night, "2027-01-19T00:10:00Z"), None);
        // 02:30 does not exist that day; it is taken an hour later.
        let skipped = weekly("02:30", 30, &[], "Europe/Berlin");
        assert_eq!(
            end(&skipped, "2027-03-28T01:45:00Z").as_deref(),
            Some("2027-03-28T02:00:00Z")
        );
    }
}
