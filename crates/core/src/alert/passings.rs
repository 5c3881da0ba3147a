//! Which thresholds were passed, so that a check is asked for once and not at every count.

use std::collections::HashMap;
use std::time::Instant;

use super::{RuleId, WatchedRule};
use crate::app::AppId;

/// How many thresholds that were passed are remembered.
const PASSED_MAX: usize = 100_000;

/// What a count means for a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passing {
    /// The app has passed the threshold: a check is due.
    Passed,
    /// The app is calm, and was not, or nobody knew.
    Calm,
    /// Nothing new.
    Same,
}

/// The thresholds that were passed.
#[derive(Debug, Default)]
pub struct Passings {
    /// Until when a check is enough, of each app that was counted.
    apps: HashMap<AppId, HashMap<RuleId, Instant>>,
    passed: usize,
}

impl Passings {
    /// What it means that an app has so many logs for a rule at `now`. A threshold is passed once until the app is calm
    /// again, or one check is no longer enough.
    pub fn judge(&self, app: AppId, rule: &WatchedRule, count: u64, now: Instant) -> Passing {
        let known = self.apps.get(&app);
        let until = known.and_then(|rules| rules.get(&rule.id));
        match (rule.condition.is_calm_up_to(count), until) {
            (false, Some(until)) if *until > now => Passing::Same,
            (false, _) => Passing::Passed,
            (true, None) if known.is_some() => Passing::Same,
            (true, _) => Passing::Calm,
        }
    }

    /// Notes that an app was counted.
    pub fn counted(&mut self, app: AppId) {
        if self.passed + self.apps.len() >= PASSED_MAX {
            // Whoever asks again is told that it was asked before.
            *self = Self::default();
        }
        self.apps.entry(app).or_default();
    }

    /// Notes that a check was asked for.
    pub fn passed(&mut self, app: AppId, rule: &WatchedRule, now: Instant) {
        self.counted(app);
        let before = self.apps.entry(app).or_default().insert(rule.id, now + rule.enough_for());
        self.passed += usize::from(before.is_none());
    }

    /// Notes that an app is calm.
    pub fn calm(&mut self, app: AppId, rule: &WatchedRule) {
        let before = self.apps.entry(app).or_default().remove(&rule.id);
        self.passed -= usize::from(before.is_some());
    }

    /// Forgets everything: the rules are others now.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Condition;
    use super::super::watched::tests::watched;
    use super::*;
    use crate::log::Level;

    const APP: AppId = AppId(1);

    fn rule() -> WatchedRule {
        watched(1, Some(Level::Error), 100)
    }

    /// Does what follows from a count, and says what it was.
    fn hear(passings: &mut Passings, count: u64, now: Instant) -> Passing {
        let passing = passings.judge(APP, &rule(), count, now);
        passings.counted(APP);
        match passing {
            Passing::Passed => passings.passed(APP, &rule(), now),
            Passing::Calm => passings.calm(APP, &rule()),
            Passing::Same => {}
        }
        passing
    }

    #[test]
    fn a_threshold_is_passed_once_until_all_is_calm_again() {
        let (mut passings, now) = (Passings::default(), Instant::now());
        let found = [101, 500, 100, 99, 101].map(|count| hear(&mut passings, count, now));
        assert_eq!(found, [Passing::Passed, Passing::Same, Passing::Calm, Passing::Same, Passing::Passed]);
        assert_eq!(passings.passed, 1);
    }

    #[test]
    fn a_threshold_is_passed_again_each_minute_while_the_app_stays_breached() {
        let (mut passings, start) = (Passings::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let found = [0, 59, 60, 61, 120].map(|seconds| hear(&mut passings, 101, at(seconds)));
        assert_eq!(found, [Passing::Passed, Passing::Same, Passing::Passed, Passing::Same, Passing::Passed]);
        assert_eq!(passings.passed, 1);
    }

    #[test]
    fn a_check_is_never_enough_for_longer_than_the_window() {
        let of = |seconds| {
            let condition = Condition { window: Duration::from_secs(seconds), ..rule().condition };
            WatchedRule { condition, ..rule() }.enough_for()
        };
        assert_eq!([30, 60, 600, 86_400].map(|window| of(window).as_secs()), [30, 60, 60, 60]);
    }

    #[test]
    fn of_a_new_app_nobody_knew_that_it_was_calm() {
        let (mut passings, now) = (Passings::default(), Instant::now());
        assert_eq!([0, 0].map(|count| hear(&mut passings, count, now)), [Passing::Calm, Passing::Same]);
        passings.forget();
        assert_eq!(hear(&mut passings, 0, now), Passing::Calm);
    }

    #[test]
    fn so_many_are_remembered() {
        let (mut passings, now) = (Passings::default(), Instant::now());
        for app in 0..60_000 {
            passings.passed(AppId(app), &rule(), now);
        }
        assert!(passings.passed + passings.apps.len() <= PASSED_MAX);
    }
}
