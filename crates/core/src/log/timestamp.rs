//! The time that a record says of itself, and how far it may lie from the time at which it arrives.

use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

use crate::field::FieldValue;
use crate::python::{Kind, Text};

const EXPECTED: &str = "Expected a time with its zone, such as 2026-11-23T04:00:27.395147Z, or the seconds, milli-, micro- or nanoseconds since 1970.";

/// Looks at a field such as `timestamp`. One that was not sent, is null, or is left empty in a form has no value.
///
/// RFC 3339, or the time since 1970 as a number or its digits. Its unit is told by its size: seconds below 10^11 (the
/// year 5138), milliseconds below 10^14, microseconds below 10^17, else nanoseconds. Beyond microseconds it is cut.
///
/// # Errors
/// The messages for the field.
pub fn from_field(value: Option<&FieldValue<'_>>) -> Result<Option<DateTime<Utc>>, Vec<String>> {
    let time = match value {
        None => return Ok(None),
        Some(FieldValue::Text(text)) if text.is_empty() => return Ok(None),
        Some(FieldValue::Text(text)) => from_text(text),
        Some(FieldValue::File(_)) => None,
        Some(FieldValue::Json(raw)) => match Kind::of(raw) {
            Kind::Null => return Ok(None),
            Kind::Int | Kind::Float => since_epoch(raw.get()),
            Kind::Str => Text::of(raw).and_then(|text| from_text(&text.into_shown())),
            Kind::Bool | Kind::List | Kind::Dict => None,
        },
    };
    time.map(Some).ok_or_else(|| vec![EXPECTED.to_owned()])
}

/// Reads a text as [`from_field`] does.
pub(super) fn from_text(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let time = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
    // Through microseconds, for a leap second has more of them than a second.
    time.and_then(|time| DateTime::from_timestamp_micros(time.timestamp_micros())).or_else(|| since_epoch(text))
}

/// Nanoseconds in each unit, and the size from which on a number is in a smaller one.
const UNITS: [(u64, u64); 4] = [
    (1_000_000_000, 100_000_000_000),
    (1_000_000, 100_000_000_000_000),
    (1_000, 100_000_000_000_000_000),
    (1, u64::MAX),
];

fn since_epoch(text: &str) -> Option<DateTime<Utc>> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let distance = if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: u64 = digits.parse().ok()?;
        let (unit, _) = UNITS.into_iter().find(|(_, end)| number < *end)?;
        TimeDelta::microseconds(i64::try_from(u128::from(number) * u128::from(unit) / 1_000).ok()?)
    } else {
        // With a fraction, or an exponent: a double, as whoever wrote it had it.
        let (number, mut from_seconds) = (digits.parse::<f64>().ok()?, 1.0);
        for end in [1e11, 1e14, 1e17] {
            if number >= end {
                from_seconds *= 1e3;
            }
        }
        let distance = Duration::try_from_secs_f64(number / from_seconds).ok()?;
        TimeDelta::from_std(distance).ok()?
    };
    let time = if negative {
        DateTime::UNIX_EPOCH.checked_sub_signed(distance)
    } else {
        DateTime::UNIX_EPOCH.checked_add_signed(distance)
    };
    // A double names a microsecond of these years, but not exactly.
    time.map(|time| time.round_subsecs(6))
}

/// How far ahead of its arrival a record's own time may lie: clocks differ.
const AHEAD: TimeDelta = TimeDelta::minutes(10);

/// When a request arrived, and which times its records may have.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// When.
    pub at: DateTime<Utc>,
    oldest: DateTime<Utc>,
}

/// The time that a record is stored under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) created_at: DateTime<Utc>,
    /// Whether it is the nearest that is taken and not the record's own.
    pub(super) clamped: bool,
}

impl Arrival {
    /// An arrival at `at`, where logs are kept for `retention`.
    pub fn new(at: DateTime<Utc>, retention: Duration) -> Self {
        let kept = TimeDelta::from_std(retention).unwrap_or(TimeDelta::MAX);
        Self { at, oldest: at.checked_sub_signed(kept).unwrap_or(DateTime::UNIX_EPOCH) }
    }

    /// A record's own time, moved to the nearest that is taken; without one the arrival's.
    pub(super) fn place(&self, timestamp: Option<DateTime<Utc>>) -> Placed {
        let Some(timestamp) = timestamp else { return Placed { created_at: self.at, clamped: false } };
        let created_at = timestamp.clamp(self.oldest, self.at + AHEAD);
        Placed { created_at, clamped: created_at != timestamp }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn check(json: &str) -> Result<Option<String>, Vec<String>> {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        let time = from_field(Some(&FieldValue::Json(raw)))?;
        Ok(time.map(|time| time.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()))
    }

    #[test]
    fn a_time_is_text_or_a_number_of_any_unit() {
        const TIME: &str = "2026-11-23T04:00:27.395147";
        for (json, expected) in [
            ("\"2026-11-23T04:00:27.395147Z\"", TIME),
            ("\" 2026-11-23t12:00:27.395147999+08:00 \"", TIME),
            ("1795406427395147", TIME),
            ("1795406427395147999", TIME),
            ("\"1795406427395147\"", TIME),
            ("1795406427.395147", TIME),
            ("1795406427395.147", TIME),
            ("1.795406427395147e18", TIME),
            ("\"1795406427.395147\"", TIME),
            ("1795406427", "2026-11-23T04:00:27.000000"),
            ("1795406427395", "2026-11-23T04:00:27.395000"),
            ("0", "1970-01-01T00:00:00.000000"),
            ("-1", "1969-12-31T23:59:59.000000"),
            ("-1.5", "1969-12-31T23:59:58.500000"),
            ("\"2016-12-31T23:59:60.5Z\"", "2017-01-01T00:00:00.500000"),
            ("\"0001-01-01T00:00:00Z\"", "0001-01-01T00:00:00.000000"),
        ] {
            assert_eq!(check(json), Ok(Some(expected.to_owned())), "{json}");
        }
        assert_eq!(check("null"), Ok(None));
    }

    #[test]
    fn anything_else_is_told_what_is_expected() {
        for json in [
            "true",
            "[1]",
            "{}",
            "\"\"",
            "\"soon\"",
            "\"2026-11-23\"",
            "\"2026-11-23T04:00:27\"",
            "\"inf\"",
            "\"NaN\"",
            "1e400",
            "99999999999999999999",
            "\"-\"",
            "\"1_0\"",
            "\"2026-02-30T00:00:00Z\"",
        ] {
            assert_eq!(check(json), Err(vec![EXPECTED.to_owned()]), "{json}");
        }
    }

    #[test]
    fn a_time_too_far_away_is_moved_to_the_nearest_that_is_taken() {
        let at = DateTime::from_timestamp(1_795_406_427, 0).unwrap();
        let arrival = Arrival::new(at, Duration::from_secs(30 * 24 * 3_600));
        let (oldest, newest) = (at - TimeDelta::days(30), at + TimeDelta::minutes(10));
        let second = TimeDelta::seconds(1);
        for (timestamp, created_at, clamped) in [
            (None, at, false),
            (Some(at), at, false),
            (Some(oldest), oldest, false),
            (Some(oldest - second), oldest, true),
            (Some(newest), newest, false),
            (Some(newest + second), newest, true),
            (Some(DateTime::<Utc>::MIN_UTC), oldest, true),
            (Some(DateTime::<Utc>::MAX_UTC), newest, true),
        ] {
            assert_eq!(arrival.place(timestamp), Placed { created_at, clamped }, "{timestamp:?}");
        }
    }
}
