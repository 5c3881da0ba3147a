//! What a report is made from: summaries, open alerts, and the patterns of some of the errors.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use chrono::Days;
use diesel::dsl::count_star;
use diesel::prelude::*;
use logmon_core::alert::{AlertFilter, AlertState, patterns};
use logmon_core::app::{App, AppId};
use logmon_core::log::{Level, LogFilter};
use logmon_core::notification::Pattern;
use logmon_core::page::Page;
use logmon_core::report::{Day, Material, OpenAlerts, ReportedAlert, ReportedApp, Scope};

use super::super::logs::samples;
use super::super::schema::core_alert;
use super::super::{Connection, DbError, alerts, apps, log_summaries};

/// How many open alerts a report names.
const ALERTS_MAX: u32 = 20;

/// How many patterns of an app are remembered.
const PATTERNS_MAX: usize = 10;

/// How much is spent on the patterns of a report.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// The errors of how many apps are looked at: of those with the most.
    pub apps: usize,
    /// How many of each app's errors: the newest.
    pub logs: u32,
    /// How long they are looked for, an app. What is not found by then is left out.
    pub deadline: Duration,
}

/// The patterns of apps that were looked at before, and how many errors those were; for one day.
pub type Looked = HashMap<AppId, (Vec<Pattern>, u64)>;

/// Everything but the patterns. Its cost follows the number of apps.
///
/// # Errors
/// See [`DbError`].
pub fn gather(conn: &mut Connection, day: Day, scope: &Scope) -> Result<Material, DbError> {
    let mut found = apps::all(conn)?;
    if let Some(owner) = scope.owner() {
        found.retain(|app| app.owner == owner);
    }
    let first = day.date.checked_sub_days(Days::new(7)).unwrap_or(day.date);
    let summaries = log_summaries::between(conn, first..=day.date)?;
    let alerts = open_alerts(conn, scope, &found)?;
    Ok(Material { apps: found, summaries, alerts, ..Material::default() })
}

fn open_alerts(conn: &mut Connection, scope: &Scope, apps: &[App]) -> Result<OpenAlerts, DbError> {
    let named: HashMap<AppId, &App> = apps.iter().map(|app| (app.id, app)).collect();
    let mut filter = AlertFilter { states: vec![AlertState::Open, AlertState::Acknowledged], ..AlertFilter::default() };
    let mut count = core_alert::table.select(count_star()).filter(core_alert::is_resolved.eq(false)).into_boxed();
    if scope.owner().is_some() {
        // No apps at all would be any app.
        if apps.is_empty() {
            return Ok(OpenAlerts::default());
        }
        filter.apps = apps.iter().map(|app| app.id).collect();
        count = count.filter(core_alert::app_id.eq_any(apps.iter().map(|app| app.id.0).collect::<Vec<_>>()));
    }
    let count: i64 = count.first(conn)?;
    let newest = alerts::list(conn, &filter, Page { limit: ALERTS_MAX, after: None })?;
    let reported = |alert: logmon_core::alert::Alert| {
        Some(ReportedAlert {
            id: alert.id,
            app: ReportedApp::from(*named.get(&alert.app)?),
            content: alert.content,
            severity: alert.severity.as_str().to_owned(),
            opened_at: alert.created_at,
        })
    };
    Ok(OpenAlerts {
        count: u64::try_from(count).unwrap_or(0),
        newest: newest.into_iter().filter_map(reported).collect(),
    })
}

/// Adds the patterns of the errors of the apps with the most; `looked` remembers them for the next report of the day. `go_on` is
/// asked before each app.
///
/// # Errors
/// See [`DbError`]; that of `go_on` as it is.
pub fn add_patterns<E: From<DbError>>(
    conn: &mut Connection,
    day: Day,
    material: &mut Material,
    budget: Budget,
    looked: &mut Looked,
    go_on: impl Fn() -> Result<(), E>,
) -> Result<(), E> {
    let Some(counts) = material.summaries.get(&day.date) else { return Ok(()) };
    let errors = |app: &App| Some((counts.get(&app.id)?.error, app.id)).filter(|(errors, _)| *errors > 0);
    let mut most: Vec<(u64, AppId)> = material.apps.iter().filter_map(errors).collect();
    most.sort_by_key(|(errors, id)| (std::cmp::Reverse(*errors), *id));
    for (_, app) in most.into_iter().take(budget.apps) {
        go_on()?;
        let (found, count) = match looked.entry(app) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(look(conn, day, app, budget)?),
        };
        material.errors_looked_at += *count;
        material.patterns.push((app, found.clone()));
    }
    Ok(())
}

fn look(conn: &mut Connection, day: Day, app: AppId, budget: Budget) -> Result<(Vec<Pattern>, u64), DbError> {
    let range = day.range();
    let filter = LogFilter {
        apps: vec![app],
        levels: vec![Level::Error],
        since: Some(range.start),
        until: Some(range.end),
        ..LogFilter::default()
    };
    let newest = match samples::newest(conn, &filter, budget.logs, budget.deadline) {
        Ok(newest) => newest,
        Err(DbError::TooSlow) => Vec::new(),
        Err(error) => return Err(error),
    };
    let count = u64::try_from(newest.len()).unwrap_or(u64::MAX);
    Ok((patterns(newest.iter().map(|sample| sample.message.as_str()), PATTERNS_MAX), count))
}
