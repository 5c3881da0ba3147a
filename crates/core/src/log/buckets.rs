//! The bars of a histogram: a range of time, cut into equal parts.

use std::ops::Range;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};

/// The longest range that is cut into parts shorter than an hour: the counts of its minutes are read one by one.
const BY_MINUTES: TimeDelta = TimeDelta::hours(24);

/// How many minutes a part may have; longer ones are two, four, … times the last. Days are those of UTC.
const WIDTHS: [i64; 12] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440];

/// Equal parts of a range of time, each of whole minutes and beginning on a multiple of its width since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    start: DateTime<Utc>,
    width: TimeDelta,
    count: usize,
}

impl Buckets {
    /// How many there are at most.
    pub const MAX: usize = 240;

    /// The narrowest that cover a range with no more than `most` of them, which is at least 2. `None` for a range that
    /// reaches beyond the years 1678 to 2261.
    pub fn over(range: &Range<DateTime<Utc>>, most: usize) -> Option<Self> {
        let day = TimeDelta::days(1);
        let longer = std::iter::successors(Some(day), |width| width.checked_mul(2)).skip(1).take(20);
        let widths = WIDTHS.map(TimeDelta::minutes).into_iter().chain(longer);
        let allowed = widths.filter(|width| *width >= TimeDelta::hours(1) || range.end - range.start <= BY_MINUTES);
        allowed.filter_map(|width| Self::of_width(range, width)).find(|buckets| buckets.count <= most)
    }

    fn of_width(range: &Range<DateTime<Utc>>, width: TimeDelta) -> Option<Self> {
        let start = range.start.duration_trunc(width).ok()?;
        let parts = (range.end - start).num_microseconds()?.checked_add(width.num_microseconds()? - 1)?
            / width.num_microseconds()?;
        Some(Self { start, width, count: usize::try_from(parts).ok()?.max(1) })
    }

    /// What they cover: the range that was asked for, as far as whole parts reach.
    pub fn range(&self) -> Range<DateTime<Utc>> {
        let count = i32::try_from(self.count).unwrap_or(i32::MAX);
        self.start..self.start + self.width * count
    }

    /// How long each is.
    pub fn width(&self) -> TimeDelta {
        self.width
    }

    /// When each begins.
    pub fn starts(&self) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        (0..self.count).filter_map(|number| Some(self.start + self.width * i32::try_from(number).ok()?))
    }

    /// Which of them a moment lies in, from 0.
    pub fn place(&self, time: DateTime<Utc>) -> Option<usize> {
        let place = (time - self.start).num_microseconds()?.div_euclid(self.width.num_microseconds()?);
        usize::try_from(place).ok().filter(|place| *place < self.count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_narrowest_that_fit_are_taken() {
        for (since, until, most, width, count) in [
            ("2026-11-23T04:00:00Z", "2026-11-23T05:00:00Z", 60, 1, 60),
            ("2026-11-23T04:00:30Z", "2026-11-23T05:00:30Z", 61, 1, 61),
            ("2026-11-23T04:00:30Z", "2026-11-23T05:00:30Z", 60, 2, 31),
            ("2026-11-22T04:00:00Z", "2026-11-23T04:00:00Z", 96, 15, 96),
            ("2026-11-21T04:00:00Z", "2026-11-23T04:00:00Z", 240, 60, 48),
            ("2026-10-24T00:00:00Z", "2026-11-23T00:00:00Z", 240, 180, 240),
            ("2026-11-23T04:00:00Z", "2026-11-23T04:00:00Z", 2, 1, 1),
        ] {
            let buckets = Buckets::over(&(time(since)..time(until)), most).unwrap();
            assert_eq!((buckets.width().num_minutes(), buckets.starts().count()), (width, count), "{since} {until}");
        }
        assert_eq!(Buckets::over(&(time("2970-01-01T00:00:00Z")..time("2970-01-02T00:00:00Z")), 240), None);
    }

    proptest! {
        #[test]
        fn every_moment_of_the_range_has_its_place(start in 0_i64..2_000_000_000, length in 0_i64..90_000_000, most in 2_usize..=240) {
            let at = |seconds| DateTime::from_timestamp(seconds, 1_000).unwrap();
            let range = at(start)..at(start + length);
            let buckets = Buckets::over(&range, most).unwrap();
            let covered = buckets.range();
            prop_assert!(covered.start <= range.start && covered.end >= range.end && buckets.starts().count() <= most);
            prop_assert_eq!(buckets.place(covered.start), Some(0));
            prop_assert_eq!(buckets.place(covered.end), None);
            prop_assert_eq!(buckets.place(covered.start - TimeDelta::microseconds(1)), None);
            for (number, first) in buckets.starts().enumerate() {
                prop_assert_eq!(buckets.place(first), Some(number));
                prop_assert_eq!(first.timestamp() % buckets.width().num_seconds(), 0);
            }
        }
    }
}
