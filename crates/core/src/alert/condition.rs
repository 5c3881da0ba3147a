//! What a rule looks for in an app's logs, and whether it is there.

use std::ops::Range;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::counts::MINUTE;
use super::{Counts, Needs, whole_minutes};
use crate::app::AppId;
use crate::log::Level;

const DAY: TimeDelta = TimeDelta::days(1);

/// What a rule looks for in an app's logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Which logs are counted: those of one level, or all.
    pub level: Option<Level>,
    /// Only logs whose message contains this, as the parameter `q` of a search says it.
    pub text: Option<String>,
    /// Which counts are a reason for an alert.
    pub kind: Kind,
    /// How far back logs are counted.
    pub window: Duration,
}

/// Which counts are a reason for an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// More than so many logs: exactly so many are still calm.
    MoreThan(u64),
    /// No log at all, of an app that has had some before: it has gone quiet.
    Silence,
    /// More than `factor` times the logs of the same window 24 hours before, and more than `threshold`.
    Multiple {
        /// How many times.
        factor: Factor,
        /// So many are still calm, whatever there were the day before.
        threshold: u64,
    },
}

/// A factor in hundredths, above 1: 250 is two and a half times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Factor(u32);

impl Factor {
    /// From hundredths, 101 to 100,000.
    pub fn from_hundredths(hundredths: u32) -> Option<Self> {
        (101..=100_000).contains(&hundredths).then_some(Self(hundredths))
    }

    /// In hundredths.
    pub fn hundredths(self) -> u32 {
        self.0
    }

    /// As a number.
    pub fn value(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    fn is_passed_by(self, count: u64, before: u64) -> bool {
        u128::from(count) * 100 > u128::from(before) * u128::from(self.0)
    }
}

/// What is known of an app's logs in a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Observed {
    /// How many there are.
    pub count: u64,
    /// How many there were in the same window 24 hours before.
    pub day_before: u64,
    /// When the app's first log of the kind that is counted was, if there is one.
    pub first: Option<DateTime<Utc>>,
}

impl Observed {
    /// So many logs, and nothing else is known.
    pub fn count(count: u64) -> Self {
        Self { count, ..Self::default() }
    }
}

/// What a rule says of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There is no reason for an alert.
    Calm,
    /// There is.
    Breached,
    /// The logs could not be counted in time.
    Unknown,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Calm, Self::Breached, Self::Unknown];

    /// Its name in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Breached => "breached",
            Self::Unknown => "unknown",
        }
    }

    /// The outcome with exactly this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

impl Condition {
    /// Judges the window that begins at `start` by what was seen in it.
    pub fn evaluate(&self, start: DateTime<Utc>, seen: Observed) -> Outcome {
        let breached = match self.kind {
            Kind::MoreThan(threshold) => seen.count > threshold,
            Kind::Silence => seen.count == 0 && seen.first.is_some_and(|first| first < start),
            Kind::Multiple { factor, threshold } => {
                seen.count > threshold && factor.is_passed_by(seen.count, seen.day_before)
            }
        };
        if breached { Outcome::Breached } else { Outcome::Calm }
    }

    /// The counts that a window is judged by, which begins and ends on a minute.
    pub fn add_needs(&self, window: &Range<DateTime<Utc>>, needs: &mut Needs) {
        match self.kind {
            Kind::Multiple { .. } => needs.add(&(window.start - DAY..window.end - DAY), self.level),
            Kind::Silence => needs.add_firsts(),
            Kind::MoreThan(_) => {}
        }
        needs.add(window, self.level);
    }

    /// What there is in an app's window, by what `count` says of a range; `None` where that does not know.
    ///
    /// # Errors
    /// What `count` returned.
    pub fn observe<E>(
        &self,
        app: AppId,
        window: &Range<DateTime<Utc>>,
        counts: &Counts,
        mut count: impl FnMut(&Range<DateTime<Utc>>) -> Result<Option<u64>, E>,
    ) -> Result<Option<Observed>, E> {
        let Some(found) = count(window)? else { return Ok(None) };
        let mut observed = Observed::count(found);
        match self.kind {
            Kind::Multiple { .. } if !self.is_calm_up_to(found) => {
                let Some(day_before) = count(&(window.start - DAY..window.end - DAY))? else { return Ok(None) };
                observed.day_before = day_before;
            }
            Kind::Silence => observed.first = counts.first(app, self.level),
            Kind::MoreThan(_) | Kind::Multiple { .. } => {}
        }
        Ok(Some(observed))
    }

    /// Whether so many logs, or fewer, are calm whatever else is known.
    pub fn is_calm_up_to(&self, most: u64) -> bool {
        match self.kind {
            Kind::MoreThan(threshold) | Kind::Multiple { threshold, .. } => most <= threshold,
            Kind::Silence => false,
        }
    }

    /// The number of logs that must be passed; 0 where none may be missing.
    pub fn threshold(&self) -> u64 {
        match self.kind {
            Kind::MoreThan(threshold) | Kind::Multiple { threshold, .. } => threshold,
            Kind::Silence => 0,
        }
    }

    /// The whole minutes whose logs may count where the window ends at `now` and still runs. Without a text all logs since its
    /// beginning count, also those of a clock that is a little ahead: of these the minute that begins next.
    pub fn minutes_until(&self, now: DateTime<Utc>) -> Range<DateTime<Utc>> {
        let minutes = whole_minutes(&(self.window_start(now)..now));
        if self.text.is_some() { minutes } else { minutes.start..minutes.end + MINUTE }
    }

    /// Where the window that ends at `end` begins; the moment itself belongs to the window.
    pub fn window_start(&self, end: DateTime<Utc>) -> DateTime<Utc> {
        end - self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(kind: Kind) -> Condition {
        Condition { level: Some(Level::Error), text: None, kind, window: Duration::from_secs(600) }
    }

    fn start() -> DateTime<Utc> {
        "2026-11-23T04:00:00Z".parse().unwrap()
    }

    #[test]
    fn exactly_the_threshold_is_calm() {
        let rule = condition(Kind::MoreThan(100));
        assert_eq!(rule.evaluate(start(), Observed::count(100)), Outcome::Calm);
        assert_eq!(rule.evaluate(start(), Observed::count(101)), Outcome::Breached);
        assert!(rule.is_calm_up_to(100) && !rule.is_calm_up_to(101));
    }

    #[test]
    fn only_an_app_that_has_logged_before_can_go_quiet() {
        let rule = condition(Kind::Silence);
        let before = Observed { first: Some(start() - Duration::from_secs(1)), ..Observed::default() };
        assert_eq!(rule.evaluate(start(), before), Outcome::Breached);
        assert_eq!(rule.evaluate(start(), Observed { count: 1, ..before }), Outcome::Calm);
        assert_eq!(rule.evaluate(start(), Observed { first: Some(start()), ..before }), Outcome::Calm);
        assert_eq!(rule.evaluate(start(), Observed::default()), Outcome::Calm);
        assert!(!rule.is_calm_up_to(0));
    }

    #[test]
    fn a_multiple_needs_its_threshold_as_well() {
        let rule = condition(Kind::Multiple { factor: Factor::from_hundredths(250).unwrap(), threshold: 20 });
        for (count, day_before, outcome) in [
            (25, 10, Outcome::Calm),
            (26, 10, Outcome::Breached),
            (20, 0, Outcome::Calm),
            (21, 0, Outcome::Breached),
            (u64::MAX, u64::MAX, Outcome::Calm),
        ] {
            let seen = Observed { count, day_before, first: None };
            assert_eq!(rule.evaluate(start(), seen), outcome, "{count} after {day_before}");
        }
    }

    #[test]
    fn logs_a_little_ahead_count_until_now_but_where_a_text_bounds_them() {
        let rule = condition(Kind::MoreThan(100));
        let with_text = Condition { text: Some("x".to_owned()), ..rule.clone() };
        let (minutes, seconds) = (TimeDelta::minutes, TimeDelta::seconds);
        for (now, begins, text_ends) in [(seconds(0), minutes(-10), minutes(0)), (seconds(1), minutes(-10), minutes(1))]
        {
            let range = |end| start() + begins..start() + end;
            assert_eq!(rule.minutes_until(start() + now), range(text_ends + MINUTE));
            assert_eq!(with_text.minutes_until(start() + now), range(text_ends));
        }
    }

    #[test]
    fn a_factor_is_above_one_and_bounded() {
        assert_eq!(
            [100, 101, 100_000, 100_001].map(|n| Factor::from_hundredths(n).is_some()),
            [false, true, true, false]
        );
    }
}
