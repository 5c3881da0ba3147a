//! When a task of the schedule is due: every so often, or as a crontab says in a time zone.
//!
//! A *slot* is one due moment. Slots are a function of the schedule alone, so any number of beats name the same ones.

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
    /// As a crontab says; where the clocks change, a moment that does not exist is due at the first one after it, and
    /// one that comes twice is due once.
    Crontab(Box<Crontab>),
}

/// A crontab line and the zone that it is read in.
#[derive(Debug, Clone)]
pub struct Crontab {
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
        Ok(Self::Crontab(Box::new(Crontab { cron, zone })))
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
    fn a_wrong_line_is_named() {
        assert!(Schedule::crontab("61 * * * *", Tz::UTC).unwrap_err().to_string().contains("61 * * * *"));
    }
}
