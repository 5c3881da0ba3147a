//! How often a rule would have fired: the windows of the past, judged as they are when they end.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Range;

use chrono::{DateTime, Utc};

use super::windows::ends;
use super::{Counts, Needs, NewRule, Outcome};
use crate::app::AppId;

/// How many windows are kept at most: the newest.
const WINDOWS_MAX: usize = 500;

/// What a rule would have done. It hears of the past from its end on, a part after the other.
#[derive(Debug)]
pub struct Backtest<'a> {
    rule: &'a NewRule,
    apps: BTreeMap<AppId, OfApp>,
    windows: Vec<BreachedWindow>,
}

/// What a rule would have done for an app.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfApp {
    /// How many alerts it would have raised.
    pub alerts: u64,
    /// How many windows it would have found to be breached.
    pub breached: u64,
    /// The oldest of these so far, and its place among the windows that are kept: whether it raises an alert is known once the
    /// one before it is.
    oldest: Option<(DateTime<Utc>, Option<usize>)>,
}

/// A window that the rule would have found to be breached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreachedWindow {
    /// The app.
    pub app: AppId,
    /// The window; its last moment is not part of it.
    pub window: Range<DateTime<Utc>>,
    /// How many logs it holds.
    pub count: u64,
    /// Whether it would have raised an alert: the app had no open one.
    pub raises: bool,
}

/// What a rule would have done, in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backtested {
    /// By app, those for which it would have fired.
    pub apps: BTreeMap<AppId, OfApp>,
    /// The newest of the windows that were breached, the newest first.
    pub windows: Vec<BreachedWindow>,
}

impl<'a> Backtest<'a> {
    /// Of a rule without a text, which no count knows.
    pub fn new(rule: &'a NewRule) -> Self {
        Self { rule, apps: BTreeMap::new(), windows: Vec::new() }
    }

    /// The counts that are needed for the windows that end after the beginning of `part` and up to its end.
    pub fn needs(&self, part: &Range<DateTime<Utc>>) -> Needs {
        let mut needs = Needs::default();
        for end in ends(self.rule.every, part.start, part.end) {
            self.rule.condition.add_needs(&self.window(end), &mut needs);
        }
        if let Some(app) = self.rule.app {
            needs.only(app);
        }
        needs
    }

    /// Judges the windows of a part, which is older than all those before.
    pub fn look(&mut self, part: &Range<DateTime<Utc>>, counts: &Counts) {
        let condition = &self.rule.condition;
        let apps = self.rule.app.map_or_else(|| counts.apps(condition.level), |app| vec![app]);
        let ends: Vec<DateTime<Utc>> = ends(self.rule.every, part.start, part.end).collect();
        for end in ends.into_iter().rev() {
            let window = self.window(end);
            for app in &apps {
                let count = |range: &Range<DateTime<Utc>>| {
                    Ok::<_, Infallible>(Some(counts.count(*app, condition.level, range)))
                };
                let Ok(Some(observed)) = condition.observe(*app, &window, counts, count) else { continue };
                if condition.evaluate(window.start, observed) == Outcome::Breached {
                    self.breached(*app, &window, observed.count);
                }
            }
        }
    }

    /// What the rule would have done, as if no alert had been open before, and nobody had resolved one.
    pub fn finish(mut self) -> Backtested {
        for of_app in self.apps.values_mut() {
            raise(of_app, &mut self.windows);
        }
        Backtested { apps: self.apps, windows: self.windows }
    }

    fn window(&self, end: DateTime<Utc>) -> Range<DateTime<Utc>> {
        self.rule.condition.window_start(end)..end
    }

    fn breached(&mut self, app: AppId, window: &Range<DateTime<Utc>>, count: u64) {
        let of_app = self.apps.entry(app).or_default();
        // The alert of this window is over by the next one, where there are as many calm ones between them as that takes.
        let calm = self.rule.every.saturating_mul(self.rule.resolve_after);
        let is_over = |later: DateTime<Utc>| (later - window.end).to_std().is_ok_and(|time| time > calm);
        if self.rule.resolve_after > 0 && of_app.oldest.is_some_and(|(later, _)| is_over(later)) {
            raise(of_app, &mut self.windows);
        }
        of_app.breached += 1;
        let place = (self.windows.len() < WINDOWS_MAX).then_some(self.windows.len());
        of_app.oldest = Some((window.end, place));
        if place.is_some() {
            self.windows.push(BreachedWindow { app, window: window.clone(), count, raises: false });
        }
    }
}

/// The oldest window so far has raised an alert.
fn raise(of_app: &mut OfApp, windows: &mut [BreachedWindow]) {
    let Some((_, place)) = of_app.oldest else { return };
    of_app.alerts += 1;
    if let Some(breach) = place.and_then(|place| windows.get_mut(place)) {
        breach.raises = true;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::alert::{Condition, Kind, RuleState, Severity};
    use crate::log::Level;

    const APP: AppId = AppId(1);

    fn minute(number: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(number * 60, 0).unwrap()
    }

    fn rule(resolve_after: u32) -> NewRule {
        let minute = Duration::from_secs(60);
        let condition = Condition { level: Some(Level::Error), text: None, kind: Kind::MoreThan(0), window: minute };
        NewRule {
            name: "r".to_owned(),
            app: None,
            condition,
            every: minute,
            severity: Severity::Warning,
            resolve_after,
            flapping_after: 0,
            channels: Vec::new(),
            state: RuleState::Enabled,
        }
    }

    /// How many alerts, windows, and which of these raise one, when there is an ERROR in each of these minutes.
    fn alerts(resolve_after: u32, errors: &[i64], parts: &[i64]) -> (u64, u64, Vec<i64>) {
        let rule = rule(resolve_after);
        let mut test = Backtest::new(&rule);
        for (start, end) in parts.iter().zip(parts.iter().skip(1)).rev() {
            let mut counts = Counts::default();
            for error in errors {
                counts.add_minute(APP, Level::Error, minute(*error), 1);
            }
            test.look(&(minute(*start)..minute(*end)), &counts);
        }
        let tested = test.finish();
        let of_app = tested.apps.get(&APP).cloned().unwrap_or_default();
        let raising = tested.windows.iter().filter(|breach| breach.raises);
        (of_app.alerts, of_app.breached, raising.map(|breach| breach.window.start.timestamp() / 60).collect())
    }

    #[test]
    fn an_alert_goes_on_until_so_many_windows_were_calm() {
        // Two calm minutes after 5, three after 8.
        let errors = [3, 5, 8, 12];
        for parts in [vec![0, 20], vec![0, 4, 6, 7, 11, 20]] {
            assert_eq!(alerts(1, &errors, &parts), (4, 4, vec![12, 8, 5, 3]));
            assert_eq!(alerts(2, &errors, &parts), (3, 4, vec![12, 8, 3]));
            assert_eq!(alerts(3, &errors, &parts), (2, 4, vec![12, 3]));
            assert_eq!(alerts(4, &errors, &parts), (1, 4, vec![3]));
            assert_eq!(alerts(0, &errors, &parts), (1, 4, vec![3]), "nothing resolves it");
        }
        assert_eq!(alerts(1, &errors, &[4, 9]), (2, 2, vec![8, 5]), "only the windows that end in the range");
        assert_eq!(alerts(1, &[], &[0, 20]), (0, 0, vec![]));
    }

    #[test]
    fn the_windows_are_bounded_and_the_numbers_are_not() {
        let errors: Vec<i64> = (0..2_000).collect();
        let rule = rule(1);
        let mut test = Backtest::new(&rule);
        let mut counts = Counts::default();
        errors.iter().for_each(|error| counts.add_minute(APP, Level::Error, minute(*error), 1));
        test.look(&(minute(0)..minute(2_000)), &counts);
        let tested = test.finish();
        assert_eq!((tested.windows.len(), tested.windows[0].window.end), (WINDOWS_MAX, minute(2_000)));
        assert_eq!((tested.apps[&APP].breached, tested.apps[&APP].alerts), (2_000, 1));
    }
}
