//! When a task of the schedule is due: every so often, or as a crontab says in a time zone.
//!
//! A *slot* is one due moment. Slots are a function of the schedule alone, so any number of beats name the same ones.
//! [`catch_up`] says what becomes of those that were missed, [`progress`] whether somebody sees to them.

pub mod catch_up;
pub mod progress;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use thiserror::Error;

/// When an entry is due.
#[derive(Debug, Clone)]
pub enum Schedule {
    /// At each multiple of the interval since the Unix epoch. The interval is at least a second.
    Every(Duration),
    /// As a crontab says, where the clocks change as well. A line with one minute and one hour is due once a day: at the
    /// first moment after the gap where its own does not exist, at the first of two where it comes twice. Any other line
    /// is due whenever the clock on the wall shows what it says.
    Crontab(Box<Crontab>),
}

/// What the slots of a schedule are, as one row tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotState {
    /// A beat has said that it pushes the slot's task; whether it has is not known yet.
    Claimed,
    /// The task is on its queue, or was.
    Pushed,
    /// It was missed and is not made up for.
    Skipped,
}

impl SlotState {
    /// Its name in the database and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Pushed => "pushed",
            Self::Skipped => "skipped",
        }
    }
}

/// A crontab line and the zone that it is read in.
#[derive(Debug, Clone)]
pub struct Crontab {
    pattern: String,
    cron: Cron,
    zone: Tz,
}

/// The pattern is no crontab line.
#[derive(Debug, Error)]
#[error("{pattern:?} is not a crontab line such as \"0 0 * * *\": {reason}")]
pub struct BadCrontab {
    pattern: String,
    reason: String,
}

impl Schedule {
    /// A crontab schedule: `pattern` has five fields, minute first.
    ///
    /// # Errors
    /// When `pattern` is not a crontab line.
    pub fn crontab(pattern: &str, zone: Tz) -> Result<Self, BadCrontab> {
        let cron =
            Cron::from_str(pattern).map_err(|e| BadCrontab { pattern: pattern.to_owned(), reason: e.to_string() })?;
        Ok(Self::Crontab(Box::new(Crontab { pattern: pattern.to_owned(), cron, zone })))
    }

    /// The schedule that was written as `text` (see its `Display`) and read in the zone of that name; `None` for what is
    /// none.
    pub fn from_text(text: &str, zone: &str) -> Option<Self> {
        match text.strip_prefix(EVERY) {
            Some(interval) => humantime::parse_duration(interval).ok().map(Self::Every),
            None => Self::crontab(text, zone.parse().ok()?).ok(),
        }
    }

    /// The zone that it is read in. An interval has none: it passes in every zone alike, and is read in UTC.
    pub fn zone(&self) -> Tz {
        match self {
            Self::Every(_) => Tz::UTC,
            Self::Crontab(crontab) => crontab.zone,
        }
    }

    /// The newest slot at or before `now`; `None` when there is none within the reach of the calendar.
    pub fn latest(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Every(interval) => {
                let step = i64::try_from(interval.as_millis()).ok()?.max(1_000);
                DateTime::from_timestamp_millis(now.timestamp_millis().div_euclid(step).checked_mul(step)?)
            }
            Self::Crontab(crontab) => {
                let local = now.with_timezone(&crontab.zone);
                crontab.cron.find_previous_occurrence(&local, true).ok().map(|t| t.with_timezone(&Utc))
            }
        }
    }

    /// The first slot after `now`; `None` when there is none within the reach of the calendar.
    pub fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Every(interval) => self.latest(now)?.checked_add_signed(chrono::Duration::from_std(*interval).ok()?),
            Self::Crontab(crontab) => {
                let local = now.with_timezone(&crontab.zone);
                crontab.cron.find_next_occurrence(&local, false).ok().map(|t| t.with_timezone(&Utc))
            }
        }
    }
}

const EVERY: &str = "every ";

/// `every 10m`, or the line of the crontab.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(interval) => write!(f, "{EVERY}{}", humantime::format_duration(*interval)),
            Self::Crontab(crontab) => f.write_str(&crontab.pattern),
        }
    }
}

#[cfg(test)]
mod zone_tests;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn intervals_fall_on_multiples() {
        let every = Schedule::Every(Duration::from_secs(600));
        assert_eq!(every.latest(at("2026-11-22T10:09:59Z")), Some(at("2026-11-22T10:00:00Z")));
        assert_eq!(every.latest(at("2026-11-22T10:10:00Z")), Some(at("2026-11-22T10:10:00Z")));
        assert_eq!(every.next(at("2026-11-22T10:10:00Z")), Some(at("2026-11-22T10:20:00Z")));
    }

    #[test]
    fn midnight_is_local_and_once() {
        let daily = |zone| Schedule::crontab("0 0 * * *", zone).unwrap();
        let shanghai = daily(Tz::Asia__Shanghai);
        assert_eq!(shanghai.latest(at("2026-11-22T15:59:59Z")), Some(at("2026-11-21T16:00:00Z")));
        assert_eq!(shanghai.next(at("2026-11-22T15:59:59Z")), Some(at("2026-11-22T16:00:00Z")));
        // Midnight does not exist: the first instant after the gap is due instead.
        assert_eq!(daily(Tz::America__Santiago).next(at("2026-09-06T03:00:00Z")), Some(at("2026-09-06T04:00:00Z")));
        // 01:30 comes twice: the first is due.
        let half_past = Schedule::crontab("30 1 * * *", Tz::America__New_York).unwrap();
        assert_eq!(half_past.next(at("2026-11-01T04:00:00Z")), Some(at("2026-11-01T05:30:00Z")));
        assert_eq!(half_past.next(at("2026-11-01T05:30:00Z")), Some(at("2026-11-02T06:30:00Z")));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let crontab = Schedule::crontab("20 3 * * 1-5", Tz::Asia__Shanghai).unwrap();
        let now = at("2026-11-22T10:09:59Z");
        for (schedule, text) in
            [(Schedule::Every(Duration::from_secs(5_400)), "every 1h 30m"), (crontab, "20 3 * * 1-5")]
        {
            assert_eq!(schedule.to_string(), text);
            let again = Schedule::from_text(text, schedule.zone().name()).unwrap();
            assert_eq!(again.next(now), schedule.next(now));
        }
        assert!(Schedule::from_text("at noon", "UTC").is_none() && Schedule::from_text("0 0 * * *", "Mars").is_none());
    }

    #[test]
    fn a_wrong_line_is_named() {
        assert!(Schedule::crontab("61 * * * *", Tz::UTC).unwrap_err().to_string().contains("61 * * * *"));
    }
}
