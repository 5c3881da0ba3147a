//! What is to be done with a rule: which windows, of which apps, from which counts.

use std::collections::BTreeSet;
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use logmon_core::alert::{
    Condition, Counts, Due, ERROR_LOGS, Kind, Needs, Outcome, Rule, RuleId, due, overlapping, whole_minutes,
};
use logmon_core::app::AppId;
use logmon_core::language::Language;
use logmon_core::log::Level;
use logmon_store::db::alerts::OpenAlert;
use logmon_store::db::evaluations::{Changed, Evaluation};
use logmon_store::db::rules::Evaluated;

const DAY: TimeDelta = TimeDelta::days(1);

/// A rule, and what is to be done with it.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) rule: Rule,
    /// Up to which window it was evaluated before.
    until: DateTime<Utc>,
    /// The windows that have ended since.
    pub(super) due: Due,
}

impl Plan {
    /// What is to be done at `now`.
    pub(super) fn new(evaluated: Evaluated, now: DateTime<Utc>) -> Self {
        let Evaluated { rule, until } = evaluated;
        let due = due(rule.says.every, until, now);
        if due.skipped > 0 {
            log::warn!(rule_id = rule.id.0, count = due.skipped; "windows lie too far back to be made up for");
        }
        Self { rule, until, due }
    }

    pub(super) fn id(&self) -> RuleId {
        self.rule.id
    }

    pub(super) fn condition(&self) -> &Condition {
        &self.rule.says.condition
    }

    pub(super) fn is_of_the_settings(&self) -> bool {
        self.rule.says.name == ERROR_LOGS
    }

    pub(super) fn is_for_each_app(&self) -> bool {
        self.rule.says.app.is_none()
    }

    /// Only logs that are there can be too many before a window has ended.
    pub(super) fn looks_at_running(&self) -> bool {
        matches!(self.condition().kind, Kind::MoreThan(_))
    }

    pub(super) fn levels(&self) -> Vec<Level> {
        self.condition().level.map_or_else(|| Level::ALL.to_vec(), |level| vec![level])
    }

    /// From which moment on logs are looked at.
    pub(super) fn from(&self, now: DateTime<Utc>, running: bool) -> Option<DateTime<Utc>> {
        let first = self.due.ends.first().copied();
        first.or_else(|| (running && self.looks_at_running()).then_some(now)).map(|end| self.window(end).start)
    }

    pub(super) fn window(&self, end: DateTime<Utc>) -> Range<DateTime<Utc>> {
        self.condition().window_start(end)..end
    }

    /// Whether it is for this app.
    pub(super) fn is_for(&self, app: AppId) -> bool {
        self.rule.says.app.is_none_or(|own| own == app)
    }

    /// The apps that it is for, of those that anything is known of.
    pub(super) fn apps(&self, counts: &Counts) -> Vec<AppId> {
        self.rule.says.app.map_or_else(|| counts.apps(self.condition().level), |app| vec![app])
    }

    pub(super) fn row(&self, app: AppId, window: Range<DateTime<Utc>>, count: u64, outcome: Outcome) -> Evaluation {
        let threshold = self.condition().threshold();
        Evaluation { rule: self.id(), app, window, count, threshold, outcome, is_late: false }
    }

    /// The windows that were evaluated before and have other logs now, no older than `from`, the oldest first. One that
    /// ended before the rule became what it is stays as it was.
    pub(super) fn changed(&self, changed: &[Changed], from: DateTime<Utc>) -> BTreeSet<(DateTime<Utc>, AppId)> {
        let condition = self.condition();
        let concerns =
            |changed: &&Changed| condition.level.is_none_or(|level| level == changed.level) && self.is_for(changed.app);
        let mut found = BTreeSet::new();
        for changed in changed.iter().filter(concerns) {
            let mut ends = overlapping(self.rule.says.every, condition.window, &changed.range, self.until);
            if matches!(condition.kind, Kind::Multiple { .. }) {
                let day_after = changed.range.start + DAY..changed.range.end + DAY;
                ends.extend(overlapping(self.rule.says.every, condition.window, &day_after, self.until));
            }
            let as_it_is = ends.into_iter().filter(|end| *end > from && *end > self.rule.updated_at);
            found.extend(as_it_is.map(|end| (end, changed.app)));
        }
        found
    }

    /// Whether an alert has had enough calm windows up to the newest one.
    pub(super) fn is_over(&self, alert: &OpenAlert) -> bool {
        let Some(newest) = self.due.ends.last() else { return false };
        let every = self.rule.says.every;
        let raised = overlapping(every, every, &(alert.created_at - every..alert.created_at), *newest);
        let since = raised.last().copied().max(alert.last_breach_at).unwrap_or(alert.created_at);
        let needed = every.saturating_mul(self.rule.says.resolve_after);
        self.rule.says.resolve_after > 0 && (*newest - since).to_std().is_ok_and(|calm| calm >= needed)
    }

    /// Why an alert is over.
    pub(super) fn calm_note(&self, language: Language) -> String {
        let windows = self.rule.says.resolve_after;
        match language {
            Language::En => format!("calm for {windows} {}", if windows == 1 { "window" } else { "windows" }),
            Language::ZhCn => format!("连续 {windows} 个窗口正常"),
        }
    }
}

/// The counts that are needed for everything that is to be done.
pub(super) fn needs(plans: &[Plan], changed: &[Changed], now: DateTime<Utc>, running: bool) -> Needs {
    let mut needs = Needs::default();
    for plan in plans {
        let condition = plan.condition();
        let mut add = |minutes: Range<DateTime<Utc>>| condition.add_needs(&minutes, &mut needs);
        let whole = |end: DateTime<Utc>| whole_minutes(&plan.window(end));
        plan.due.ends.iter().for_each(|end| add(whole(*end)));
        let ends: BTreeSet<_> = plan.changed(changed, DateTime::UNIX_EPOCH).into_iter().map(|(end, _)| end).collect();
        ends.into_iter().for_each(|end| add(whole(end)));
        if running && plan.looks_at_running() {
            add(condition.minutes_until(now));
        }
    }
    needs
}
