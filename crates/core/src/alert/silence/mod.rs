//! Silences: times in which people are not told of alerts, by app and rule, with who wants it so and why. Alerts are raised all
//! the same.

mod fields;
mod recurrence;

pub use fields::SilenceChange;
pub use recurrence::Recurrence;

use std::ops::Range;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::RuleId;
use crate::app::AppId;
use recurrence::Bounds;

/// The id of a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SilenceId(pub i64);

/// A stored silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Its id.
    pub id: SilenceId,
    /// What it says.
    pub says: NewSilence,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was changed or ended last, and by whom.
    pub updated: Option<super::Touch>,
}

/// What a silence says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSilence {
    /// Of which app's alerts nobody is told; `None` is of every one's.
    pub app: Option<AppId>,
    /// Of which rule's alerts; `None` is of every one's.
    pub rule: Option<RuleId>,
    /// From when on.
    pub starts_at: DateTime<Utc>,
    /// Until when; this moment is not part of it. `None` is until somebody ends it, which only one that recurs may be.
    pub ends_at: Option<DateTime<Utc>>,
    /// At which hours; `None` is all the time.
    pub recurring: Option<Recurrence>,
    /// Who wants it so.
    pub created_by: String,
    /// Why.
    pub comment: String,
}

/// What a silence does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SilenceState {
    /// It silences.
    Active,
    /// It will.
    Upcoming,
    /// It never will again.
    Ended,
}

impl SilenceState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Active, Self::Upcoming, Self::Ended];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Upcoming => "upcoming",
            Self::Ended => "ended",
        }
    }

    /// The state with exactly this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl NewSilence {
    /// The time in which it silences: the one that `now` is in, or else the next; `None` when it is over.
    pub fn period(&self, now: DateTime<Utc>) -> Option<Range<DateTime<Utc>>> {
        match (&self.recurring, self.ends_at) {
            (Some(recurring), end) => recurring.at_or_after(now, &Bounds { start: self.starts_at, end }),
            (None, Some(end)) => (now < end && self.starts_at < end).then_some(self.starts_at..end),
            (None, None) => None,
        }
    }

    /// What it does at `now`.
    pub fn state(&self, now: DateTime<Utc>) -> SilenceState {
        match self.period(now) {
            None => SilenceState::Ended,
            Some(period) if period.start <= now => SilenceState::Active,
            Some(_) => SilenceState::Upcoming,
        }
    }

    /// From when on it is over; `None` where that is not known yet.
    pub fn over_at(&self) -> Option<DateTime<Utc>> {
        match &self.recurring {
            None => self.ends_at,
            Some(recurring) => {
                let end = self.ends_at?;
                let last = recurring.last(&Bounds { start: self.starts_at, end: Some(end) });
                Some(last.map_or(self.starts_at.min(end), |last| last.end))
            }
        }
    }

    /// Whether it is for alerts of this rule and app.
    pub fn concerns(&self, app: AppId, rule: Option<RuleId>) -> bool {
        self.app.is_none_or(|own| own == app) && (self.rule.is_none() || self.rule == rule)
    }
}

/// Which silences are wanted; an empty list means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SilenceFilter {
    /// Only in these states.
    pub states: Vec<SilenceState>,
    /// Only those for one of these apps, or for each.
    pub apps: Vec<AppId>,
    /// Only those for one of these rules, or for each.
    pub rules: Vec<RuleId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-{text}:00Z").parse().unwrap()
    }

    fn silence(ends_at: Option<&str>, recurring: Option<&str>) -> NewSilence {
        NewSilence {
            app: None,
            rule: None,
            starts_at: at("24T12:00"),
            ends_at: ends_at.map(at),
            recurring: recurring.map(|json| Recurrence::from_json(json).unwrap()),
            created_by: "li".to_owned(),
            comment: "deploy".to_owned(),
        }
    }

    #[test]
    fn once_is_from_its_start_up_to_its_end() {
        let once = silence(Some("24T14:00"), None);
        for (now, state) in [
            ("24T11:59", SilenceState::Upcoming),
            ("24T12:00", SilenceState::Active),
            ("24T13:59", SilenceState::Active),
            ("24T14:00", SilenceState::Ended),
        ] {
            assert_eq!(once.state(at(now)), state, "{now}");
        }
        assert_eq!(
            (once.period(at("24T11:00")), once.over_at()),
            (Some(at("24T12:00")..at("24T14:00")), Some(at("24T14:00")))
        );
    }

    #[test]
    fn one_that_recurs_silences_at_its_hours_between_start_and_end() {
        // The 24th is a Tuesday.
        let hours = r#"{"weekdays":["tue","wed"],"from":"11:00","to":"13:00","zone":"UTC"}"#;
        let recurring = silence(Some("30T00:00"), Some(hours));
        for (now, state) in [
            ("24T11:30", SilenceState::Upcoming),
            ("24T12:30", SilenceState::Active),
            ("24T13:00", SilenceState::Upcoming),
            ("25T11:00", SilenceState::Active),
            ("25T13:00", SilenceState::Ended),
            ("29T00:00", SilenceState::Ended),
        ] {
            assert_eq!(recurring.state(at(now)), state, "{now}");
        }
        assert_eq!(recurring.over_at(), Some(at("25T13:00")), "no more days of it come before its end");
        assert_eq!(recurring.period(at("24T12:30")), Some(at("24T12:00")..at("24T13:00")));
        let cut = silence(Some("25T12:00"), Some(hours));
        assert_eq!(
            (cut.period(at("25T11:30")), cut.over_at()),
            (Some(at("25T11:00")..at("25T12:00")), Some(at("25T12:00")))
        );
        let endless = silence(None, Some(hours));
        assert_eq!((endless.state(at("30T11:00")), endless.over_at()), (SilenceState::Upcoming, None));
        let never = silence(Some("24T12:00"), Some(hours));
        assert_eq!((never.state(at("24T12:00")), never.over_at()), (SilenceState::Ended, Some(at("24T12:00"))));
    }

    #[test]
    fn app_and_rule_must_both_be_those_that_are_named() {
        let of = |app: Option<i64>, rule: Option<i64>| NewSilence {
            app: app.map(AppId),
            rule: rule.map(RuleId),
            ..silence(Some("24T14:00"), None)
        };
        for (silence, concerned) in
            [(of(None, None), true), (of(Some(1), None), true), (of(None, Some(5)), true), (of(Some(1), Some(5)), true)]
                .into_iter()
                .chain([(of(Some(2), None), false), (of(Some(2), Some(5)), false), (of(Some(1), Some(6)), false)])
        {
            assert_eq!(silence.concerns(AppId(1), Some(RuleId(5))), concerned, "{silence:?}");
        }
        assert!(!of(None, Some(5)).concerns(AppId(1), None) && of(None, None).concerns(AppId(1), None));
    }
}
