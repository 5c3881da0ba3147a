//! The counts that windows are judged by: which are needed, and how many logs a window has.
//!
//! Whole hours are taken from the counts of hours, the rest from those of minutes, so that a window of a week costs about what
//! one of an hour does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};

use crate::app::AppId;
use crate::log::Level;

const HOUR: TimeDelta = TimeDelta::hours(1);
pub(super) const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// Which counts have to be read.
#[derive(Debug, Default)]
pub struct Needs {
    hours: BTreeSet<DateTime<Utc>>,
    /// Of each hour one stretch at most, which holds all that is needed of its minutes.
    minutes: BTreeMap<DateTime<Utc>, Range<DateTime<Utc>>>,
    levels: BTreeSet<Level>,
    firsts: bool,
    app: Option<AppId>,
}

impl Needs {
    /// The counts of a range that begins and ends on a minute: of a level, or of all.
    pub fn add(&mut self, range: &Range<DateTime<Utc>>, level: Option<Level>) {
        match level {
            Some(level) => drop(self.levels.insert(level)),
            None => self.levels.extend(Level::ALL),
        }
        let parts = Parts::of(range);
        for part in parts.minutes.into_iter().filter(|part| part.start < part.end) {
            let stretch = self.minutes.entry(hour(part.start)).or_insert_with(|| part.clone());
            *stretch = stretch.start.min(part.start)..stretch.end.max(part.end);
        }
        let mut at = parts.hours.start;
        while at < parts.hours.end {
            self.hours.insert(at);
            at += HOUR;
        }
    }

    /// The first log of every app and level, too.
    pub fn add_firsts(&mut self) {
        self.firsts = true;
        self.levels.extend(Level::ALL);
    }

    /// Of no other app.
    pub fn only(&mut self, app: AppId) {
        self.app = Some(app);
    }

    /// The one app whose counts are needed; `None` is every app.
    pub fn app(&self) -> Option<AppId> {
        self.app
    }

    /// Whether the first logs are needed.
    pub fn has_firsts(&self) -> bool {
        self.firsts
    }

    /// The stretches whose hours are needed.
    pub fn hours(&self) -> Vec<Range<DateTime<Utc>>> {
        joined(self.hours.iter().map(|hour| *hour..*hour + HOUR))
    }

    /// The stretches whose minutes are needed.
    pub fn minutes(&self) -> Vec<Range<DateTime<Utc>>> {
        joined(self.minutes.values().cloned())
    }

    /// The levels that are needed.
    pub fn levels(&self) -> Vec<Level> {
        self.levels.iter().copied().collect()
    }
}

/// Ranges that come in their order, those as one that touch.
fn joined(ranges: impl Iterator<Item = Range<DateTime<Utc>>>) -> Vec<Range<DateTime<Utc>>> {
    let mut found: Vec<Range<DateTime<Utc>>> = Vec::new();
    for range in ranges {
        match found.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => found.push(range),
        }
    }
    found
}

/// The hour, in UTC, that a moment lies in.
pub fn hour(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(HOUR).unwrap_or(time)
}

/// The minute that a moment lies in.
pub fn minute(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(MINUTE).unwrap_or(time)
}

/// The whole minutes that a range touches.
pub fn whole_minutes(range: &Range<DateTime<Utc>>) -> Range<DateTime<Utc>> {
    let end = minute(range.end);
    minute(range.start)..if end == range.end { end } else { end + MINUTE }
}

/// A range as whole hours, and what is before and after them.
struct Parts {
    hours: Range<DateTime<Utc>>,
    minutes: [Range<DateTime<Utc>>; 2],
}

impl Parts {
    fn of(range: &Range<DateTime<Utc>>) -> Self {
        let (start, end) = (range.start, range.end);
        let first = if hour(start) == start { start } else { hour(start) + HOUR };
        let last = hour(end);
        if last < first {
            return Self { hours: first..first, minutes: [start..end, end..end] };
        }
        Self { hours: first..last, minutes: [start..first, last..end] }
    }
}

/// The counts that were read.
#[derive(Debug, Default)]
pub struct Counts {
    series: HashMap<(AppId, Level), Series>,
    first: HashMap<(AppId, Level), DateTime<Utc>>,
    apps: BTreeMap<Level, BTreeSet<AppId>>,
}

#[derive(Debug, Default)]
struct Series {
    minutes: Sums,
    hours: Sums,
}

/// Moments in order, each with the sum of all counts up to it.
#[derive(Debug, Default)]
struct Sums(Vec<(DateTime<Utc>, u64)>);

impl Sums {
    fn push(&mut self, at: DateTime<Utc>, count: u64) {
        let before = self.0.last().map_or(0, |(_, sum)| *sum);
        self.0.push((at, before + count));
    }

    fn before(&self, at: DateTime<Utc>) -> u64 {
        let place = self.0.partition_point(|(time, _)| *time < at);
        place.checked_sub(1).and_then(|place| self.0.get(place)).map_or(0, |(_, sum)| *sum)
    }

    fn within(&self, range: &Range<DateTime<Utc>>) -> u64 {
        if range.start < range.end { self.before(range.end) - self.before(range.start) } else { 0 }
    }
}

impl Counts {
    /// Hears of the logs of a minute; those of an app and level come in the order of time.
    pub fn add_minute(&mut self, app: AppId, level: Level, minute: DateTime<Utc>, count: u64) {
        self.apps.entry(level).or_default().insert(app);
        self.series.entry((app, level)).or_default().minutes.push(minute, count);
    }

    /// Hears of the logs of an hour; those of an app and level come in the order of time.
    pub fn add_hour(&mut self, app: AppId, level: Level, hour: DateTime<Utc>, count: u64) {
        self.apps.entry(level).or_default().insert(app);
        self.series.entry((app, level)).or_default().hours.push(hour, count);
    }

    /// Hears when an app's first log of a level was.
    pub fn add_first(&mut self, app: AppId, level: Level, at: DateTime<Utc>) {
        self.apps.entry(level).or_default().insert(app);
        self.first.insert((app, level), at);
    }

    /// The apps of which anything was heard, by their ids.
    pub fn apps(&self, level: Option<Level>) -> Vec<AppId> {
        let of = |level: &Level| self.apps.get(level).into_iter().flatten().copied();
        match level {
            Some(level) => of(&level).collect(),
            None => Level::ALL.iter().flat_map(of).collect::<BTreeSet<_>>().into_iter().collect(),
        }
    }

    /// How many logs an app has in a range that begins and ends on a minute.
    pub fn count(&self, app: AppId, level: Option<Level>, range: &Range<DateTime<Utc>>) -> u64 {
        let parts = Parts::of(range);
        let [before, after] = &parts.minutes;
        let of = |level: Level| {
            let series = self.series.get(&(app, level));
            series.map_or(0, |series| {
                series.hours.within(&parts.hours) + series.minutes.within(before) + series.minutes.within(after)
            })
        };
        level.map_or_else(|| Level::ALL.into_iter().map(of).sum(), of)
    }

    /// When an app's first log was.
    pub fn first(&self, app: AppId, level: Option<Level>) -> Option<DateTime<Utc>> {
        let of = |level: Level| self.first.get(&(app, level)).copied();
        level.map_or_else(|| Level::ALL.into_iter().filter_map(of).min(), of)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const APP: AppId = AppId(1);

    fn minute(number: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(number * 60, 0).unwrap()
    }

    /// As the tables have them: a log in every minute that `every` divides.
    fn counts(needs: &Needs, every: i64) -> Counts {
        let mut counts = Counts::default();
        let has = |at: DateTime<Utc>| u64::from(at.timestamp() / 60 % every == 0);
        let minutes = |range: &Range<DateTime<Utc>>| {
            (range.start.timestamp() / 60..range.end.timestamp() / 60).map(minute).collect::<Vec<_>>()
        };
        for range in needs.minutes() {
            for at in minutes(&range) {
                counts.add_minute(APP, Level::Error, at, has(at));
            }
        }
        for range in needs.hours() {
            for at in minutes(&range).into_iter().step_by(60) {
                counts.add_hour(APP, Level::Error, at, minutes(&(at..at + HOUR)).into_iter().map(has).sum());
            }
        }
        counts
    }

    #[test]
    fn of_a_week_only_the_edges_are_read_by_the_minute() {
        let mut needs = Needs::default();
        needs.add(&(minute(10)..minute(10 + 7 * 1_440)), Some(Level::Error));
        assert_eq!(needs.minutes(), [minute(10)..minute(60), minute(7 * 1_440)..minute(7 * 1_440 + 10)]);
        assert_eq!(needs.hours(), [minute(60)..minute(7 * 1_440)]);
        assert_eq!(needs.levels(), [Level::Error]);
        needs.add(&(minute(60)..minute(60)), None);
        assert_eq!(needs.levels(), Level::ALL);
        needs.add(&(minute(5)..minute(7)), None);
        assert_eq!(needs.minutes()[0], minute(5)..minute(60), "one stretch of each hour");
    }

    proptest! {
        #[test]
        fn a_window_has_the_logs_of_its_minutes(ranges in prop::collection::vec((0_i64..600, 0_i64..600), 1..5), every in 1_i64..7) {
            let ranges: Vec<_> = ranges.into_iter().map(|(start, length)| minute(start)..minute(start + length)).collect();
            let mut needs = Needs::default();
            for range in &ranges {
                needs.add(range, Some(Level::Error));
            }
            let counts = counts(&needs, every);
            for range in &ranges {
                let (start, end) = (range.start.timestamp() / 60, range.end.timestamp() / 60);
                let expected = (start..end).filter(|minute| minute % every == 0).count();
                prop_assert_eq!(counts.count(APP, Some(Level::Error), range), u64::try_from(expected).unwrap());
                prop_assert_eq!(counts.count(APP, None, range), u64::try_from(expected).unwrap());
            }
        }
    }
}
