//! A moment as a query names it.

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};

use super::timestamp;

/// What a moment may look like.
pub(super) const EXPECTED: &str =
    "Expected a time such as 2026-11-23T04:00:27Z, the seconds or milliseconds since 1970, or now-90m (s, m, h, d, w).";

/// Reads RFC 3339, the time since 1970 as a record's `timestamp` has it, `now`, or `now-90m`.
pub fn parse(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let moment = match text.strip_prefix("now") {
        Some("") => Some(now),
        Some(distance) => now.checked_sub_signed(span(distance.strip_prefix('-')?)?),
        None => timestamp::from_text(&with_zone(text.trim())),
    };
    // What a `datetime` holds.
    moment.filter(|moment| (1_000..=9_999).contains(&moment.year()))
}

/// A `+` of the zone that was not escaped came as a space; one behind the date is what it is.
fn with_zone(text: &str) -> String {
    const DATE: usize = "2026-11-23".len();
    text.char_indices().map(|(at, c)| if c == ' ' && at != DATE { '+' } else { c }).collect()
}

fn span(text: &str) -> Option<TimeDelta> {
    let unit = text.chars().next_back()?;
    let number = text.strip_suffix(unit)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    TimeDelta::try_seconds(number.parse::<i64>().ok()?.checked_mul(seconds)?)
}
