//! Daily summaries: what one holds, and where a day begins and ends in a time zone.

use std::ops::Range;

use chrono::{DateTime, Days, Duration, NaiveDate, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::app::AppId;
use crate::log::Level;

/// How many logs of each level an app had on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The app.
    pub app: AppId,
    /// The day, as it is cut in `TIME_ZONE`.
    pub date: NaiveDate,
    /// The numbers.
    pub counts: LevelCounts,
}

/// A number of logs for each level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct LevelCounts {
    /// INFO
    pub info: u64,
    /// WARN
    pub warn: u64,
    /// ERROR
    pub error: u64,
}

impl LevelCounts {
    /// Adds `count` logs of `level`.
    pub fn add(&mut self, level: Level, count: u64) {
        *self.of_mut(level) += count;
    }

    /// The number of a level, to be changed.
    pub fn of_mut(&mut self, level: Level) -> &mut u64 {
        match level {
            Level::Info => &mut self.info,
            Level::Warn => &mut self.warn,
            Level::Error => &mut self.error,
        }
    }

    /// The number of a level.
    pub fn of(&self, level: Level) -> u64 {
        match level {
            Level::Info => self.info,
            Level::Warn => self.warn,
            Level::Error => self.error,
        }
    }

    /// All of them together.
    pub fn total(&self) -> u64 {
        self.info + self.warn + self.error
    }

    /// The sum of each level.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self { info: self.info + other.info, warn: self.warn + other.warn, error: self.error + other.error }
    }

    /// With what `change` makes of each number.
    #[must_use]
    pub fn each(self, change: impl Fn(u64) -> u64) -> Self {
        Self { info: change(self.info), warn: change(self.warn), error: change(self.error) }
    }

    /// The larger number of each level.
    #[must_use]
    pub fn max_each(self, other: &Self) -> Self {
        let (info, warn) = (self.info.max(other.info), self.warn.max(other.warn));
        Self { info, warn, error: self.error.max(other.error) }
    }
}

/// The instants of the local day `date`: from its first one up to the first one of the next day.
///
/// A day is 23 or 25 hours long where the clocks change; where midnight does not exist, the day begins with the first instant that does.
pub fn day(date: NaiveDate, zone: Tz) -> Range<DateTime<Utc>> {
    let next = date.checked_add_days(Days::new(1)).unwrap_or(date);
    day_start(date, zone)..day_start(next, zone)
}

fn day_start(date: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = date.and_time(chrono::NaiveTime::MIN);
    // Every gap that a zone ever had ends on a full minute and is at most a day long.
    (0..=24 * 60)
        .find_map(|minutes| zone.from_local_datetime(&(midnight + Duration::minutes(minutes))).earliest())
        .map_or_else(|| midnight.and_utc(), |local| local.with_timezone(&Utc))
}

/// The local date before the one of `now`: the day that a summary without a date is of.
pub fn yesterday(now: DateTime<Utc>, zone: Tz) -> NaiveDate {
    let today = now.with_timezone(&zone).date_naive();
    today.pred_opt().unwrap_or(today)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(date: &str, zone: Tz) -> i64 {
        let day = day(date.parse().unwrap(), zone);
        (day.end - day.start).num_hours()
    }

    #[test]
    fn a_day_is_as_long_as_the_clocks_say() {
        assert_eq!(hours("2026-11-22", Tz::UTC), 24);
        assert_eq!(hours("2026-03-29", Tz::Europe__Berlin), 23);
        assert_eq!(hours("2026-10-25", Tz::Europe__Berlin), 25);
        // Midnight does not exist on this day.
        assert_eq!(hours("2026-09-06", Tz::America__Santiago), 23);
        assert_eq!(hours("2026-09-05", Tz::America__Santiago), 24);
        // This day does not exist at all.
        assert_eq!(hours("2011-12-30", Tz::Pacific__Apia), 0);
    }

    #[test]
    fn days_are_cut_in_the_zone() {
        let day = day("2026-11-22".parse().unwrap(), Tz::Asia__Shanghai);
        assert_eq!(day.start.to_rfc3339(), "2026-11-21T16:00:00+00:00");
        assert_eq!(day.end.to_rfc3339(), "2026-11-22T16:00:00+00:00");
    }

    #[test]
    fn yesterday_is_local() {
        let now = "2026-11-22T17:00:00Z".parse().unwrap();
        assert_eq!(yesterday(now, Tz::Asia__Shanghai).to_string(), "2026-11-22");
        assert_eq!(yesterday(now, Tz::UTC).to_string(), "2026-11-21");
    }
}
