//! Numbers to the content of a report.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::{AppFigures, AppPattern, CountsChange, Figures, OpenAlerts, Report, ReportedApp, Scope, SilentApp};
use crate::app::{App, AppId};
use crate::notification::Pattern;
use crate::summary::{LevelCounts, day};

/// How many patterns a report holds.
const PATTERNS_MAX: usize = 10;
/// How many characters of a pattern and its sample a report holds.
const PATTERN_CHARS: usize = 300;

/// A day that is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// Its date.
    pub date: NaiveDate,
    /// The zone that it is cut in.
    pub zone: Tz,
}

impl Day {
    /// Its moments.
    pub fn range(&self) -> Range<DateTime<Utc>> {
        day(self.date, self.zone)
    }
}

/// What a report is made from.
#[derive(Debug, Clone, Default)]
pub struct Material {
    /// Every app that it may be about.
    pub apps: Vec<App>,
    /// The summaries of the day and of the seven days before, a day that was not summed up left out.
    pub summaries: BTreeMap<NaiveDate, HashMap<AppId, LevelCounts>>,
    /// The patterns of each app's errors.
    pub patterns: Vec<(AppId, Vec<Pattern>)>,
    /// How many errors were looked at for these.
    pub errors_looked_at: u64,
    /// The open alerts.
    pub alerts: OpenAlerts,
}

/// The report of a day; `before` is the one that it takes the place of.
pub fn compose(day: Day, scope: &Scope, material: Material, before: Option<&Report>) -> Report {
    let range = day.range();
    let of = |days: u64| day.date.checked_sub_days(chrono::Days::new(days)).and_then(|d| material.summaries.get(&d));
    let (today, yesterday, week_ago) = (of(0), of(1), of(7));
    let mut total = Figures {
        counts: LevelCounts::default(),
        day_before: yesterday.map(|_| LevelCounts::default()),
        week_before: week_ago.map(|_| LevelCounts::default()),
    };
    let (mut apps, mut silent) = (Vec::new(), Vec::new());
    for app in &material.apps {
        let on = |counts: &HashMap<AppId, LevelCounts>| counts.get(&app.id).copied().unwrap_or_default();
        let figures = Figures {
            counts: today.map(on).unwrap_or_default(),
            day_before: yesterday.map(on),
            week_before: week_ago.map(on),
        };
        total.counts = total.counts.plus(&figures.counts);
        total.day_before = total.day_before.zip(figures.day_before).map(|(sum, counts)| sum.plus(&counts));
        total.week_before = total.week_before.zip(figures.week_before).map(|(sum, counts)| sum.plus(&counts));
        let week_count: u64 = (1..=7).filter_map(of).map(|counts| on(counts).total()).sum();
        if figures.counts.total() == 0 && week_count > 0 {
            silent.push(SilentApp { app: app.into(), week_count });
        }
        apps.push(AppFigures { app: app.into(), figures });
    }
    let changes = before.map(|before| changes(before, &apps)).unwrap_or_default();
    let known = apps.len();
    apps.retain(|app| app.figures.are_any());
    let idle_apps = u32::try_from(known - apps.len()).unwrap_or(u32::MAX);
    apps.sort_by_key(|app| Reverse((app.figures.counts.error, app.figures.counts.total())));
    silent.sort_by_key(|silent| Reverse(silent.week_count));
    Report {
        date: day.date,
        zone: day.zone.name().to_owned(),
        since: range.start,
        until: range.end,
        owner: scope.owner().map(str::to_owned),
        revision: before.map_or(1, |before| before.revision + 1),
        changes,
        total,
        apps,
        idle_apps,
        patterns: most_frequent(&material.apps, material.patterns),
        errors_looked_at: material.errors_looked_at,
        alerts: material.alerts,
        silent,
    }
}

/// What the report `before` said otherwise. An app that neither has is none.
fn changes(before: &Report, now: &[AppFigures]) -> Vec<CountsChange> {
    let said: HashMap<AppId, LevelCounts> =
        before.apps.iter().map(|known| (known.app.id, known.figures.counts)).collect();
    let change = |app: &AppFigures| {
        let before = said.get(&app.app.id).copied().unwrap_or_default();
        let after = app.figures.counts;
        (before != after).then(|| CountsChange { app: app.app.clone(), before, after })
    };
    now.iter().filter_map(change).collect()
}

fn most_frequent(apps: &[App], patterns: Vec<(AppId, Vec<Pattern>)>) -> Vec<AppPattern> {
    let named: HashMap<AppId, &App> = apps.iter().map(|app| (app.id, app)).collect();
    let short = |text: String| text.chars().take(PATTERN_CHARS).collect();
    let of_app = |(id, found): (AppId, Vec<Pattern>)| {
        let app = named.get(&id).map(|app| ReportedApp::from(*app));
        found.into_iter().filter_map(move |pattern| {
            let Pattern { pattern, count, sample } = pattern;
            Some(AppPattern { app: app.clone()?, pattern: short(pattern), count, sample: short(sample) })
        })
    };
    let mut all: Vec<AppPattern> = patterns.into_iter().flat_map(of_app).collect();
    all.sort_by_key(|pattern| Reverse(pattern.count));
    all.truncate(PATTERNS_MAX);
    all
}

impl Figures {
    /// Whether there are logs on any of the days.
    fn are_any(&self) -> bool {
        let days = [Some(self.counts), self.day_before, self.week_before];
        days.into_iter().flatten().any(|counts| counts.total() > 0)
    }
}

impl From<&App> for ReportedApp {
    fn from(app: &App) -> Self {
        Self { id: app.id, name: app.name.clone(), owner: app.owner.clone() }
    }
}
