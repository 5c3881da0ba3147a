//! The windows of a rule: one ends at each multiple of its `every` since 1970.

use std::ops::Range;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// How far back windows that nobody evaluated are made up for, and how late a log may come to have its window evaluated again.
pub const REACH: TimeDelta = TimeDelta::hours(24);

/// How many windows of a rule are made up for at once; the next check goes on with the others.
const AT_ONCE: usize = 144;

/// The windows of a rule that are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// When they end, the oldest first.
    pub ends: Vec<DateTime<Utc>>,
    /// How many lie too far back to be made up for.
    pub skipped: i64,
}

/// The ends of the windows after `until` and up to `now`.
pub fn due(every: Duration, until: DateTime<Utc>, now: DateTime<Utc>) -> Due {
    let step = seconds(every);
    let reach = (now - REACH).max(until);
    let skipped = multiples(step, until, reach).count();
    let ends = multiples(step, reach, now).take(AT_ONCE).collect();
    Due { ends, skipped: i64::try_from(skipped).unwrap_or(i64::MAX) }
}

/// The ends of the windows that share a moment with `range` and end no later than `until`.
pub fn overlapping(
    every: Duration,
    window: Duration,
    range: &Range<DateTime<Utc>>,
    until: DateTime<Utc>,
) -> Vec<DateTime<Utc>> {
    let last = range.end + window - TimeDelta::microseconds(1);
    multiples(seconds(every), range.start, last.min(until)).collect()
}

/// The ends of the windows after `from` and up to `to`, the oldest first.
pub(super) fn ends(every: Duration, from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
    multiples(seconds(every), from, to)
}

/// The multiples of `step` seconds after `from` and up to `to`.
fn multiples(step: i64, from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
    let first = from.timestamp().div_euclid(step) + 1;
    let last = to.timestamp().div_euclid(step);
    (first..=last).filter_map(move |number| DateTime::from_timestamp(number.checked_mul(step)?, 0))
}

fn seconds(every: Duration) -> i64 {
    i64::try_from(every.as_secs()).unwrap_or(i64::MAX).max(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(600);

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-{text}Z").parse().unwrap()
    }

    #[test]
    fn each_window_is_due_once_when_it_has_ended() {
        let now = at("23T04:30:00");
        let ends = due(EVERY, at("23T04:10:00"), now).ends;
        assert_eq!(ends, [at("23T04:20:00"), now]);
        assert!(due(EVERY, now, at("23T04:39:59.999999")).ends.is_empty());
        assert_eq!(due(EVERY, at("23T04:29:59.999999"), now).ends, [now]);
    }

    #[test]
    fn what_was_missed_is_made_up_for_within_bounds() {
        let now = at("23T04:35:00");
        let all = due(EVERY, at("20T00:00:00"), now);
        assert_eq!((all.ends.len(), all.ends[0], all.skipped), (144, at("22T04:40:00"), 315));
        let minutes = due(Duration::from_secs(60), at("23T00:00:00"), now);
        assert_eq!((minutes.ends.len(), minutes.ends[0], minutes.skipped), (144, at("23T00:01:00"), 0));
    }

    #[test]
    fn a_window_holds_its_first_moment_and_not_its_last() {
        let range = at("23T04:00:00")..at("23T05:00:00");
        let ends = overlapping(EVERY, Duration::from_secs(1_200), &range, at("23T06:00:00"));
        assert_eq!((ends.first(), ends.last()), (Some(&at("23T04:10:00")), Some(&at("23T05:10:00"))));
        let ends = overlapping(EVERY, EVERY, &range, at("23T04:20:00"));
        assert_eq!(ends, [at("23T04:10:00"), at("23T04:20:00")]);
    }
}
