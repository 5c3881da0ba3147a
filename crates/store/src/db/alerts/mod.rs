//! `core_alert`: what was raised and what became of it.
//!
//! Django may still write with the original columns alone: `is_resolved` is therefore the one that says whether it is over.

mod change;
mod raise;
mod repeat;
mod settle;

pub use change::{ChangeAlertError, TOGETHER_MAX, Together, UNDO, Undone, change, open_ids, resolve_together, undo};
pub use raise::{Breach, OpenAlert, Raised, breached_again, last_resolved, open_alerts, raise, resolve_by_itself};
pub use repeat::{repeat, unheeded};
pub use settle::{settle, unsettled};

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::mysql::Mysql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use logmon_core::alert::{
    Alert, AlertEvent, AlertEventKind, AlertFilter, AlertId, AlertState, Finding, Place, RuleId, Severity, SilenceId,
    Silenced, Touch,
};
use logmon_core::app::AppId;
use logmon_core::log::{Level, LogId};
use logmon_core::page::Page;

use super::schema::core_alert;
use super::{Connection, DbError, alert_events, transaction, utc};

#[derive(Queryable, Selectable)]
#[diesel(table_name = core_alert)]
struct AlertRow {
    id: i64,
    content: String,
    is_resolved: bool,
    created_at: NaiveDateTime,
    app_id: i64,
    rule_id: Option<i64>,
    rule_name: String,
    severity: String,
    level: Option<String>,
    window_start: Option<NaiveDateTime>,
    window_end: Option<NaiveDateTime>,
    count: Option<i64>,
    threshold: Option<i64>,
    first_log_id: Option<i64>,
    first_log_at: Option<NaiveDateTime>,
    last_log_id: Option<i64>,
    last_log_at: Option<NaiveDateTime>,
    patterns: Option<String>,
    query: Option<String>,
    is_late: bool,
    is_flapping: bool,
    acknowledged_at: Option<NaiveDateTime>,
    acknowledged_by: Option<String>,
    resolved_at: Option<NaiveDateTime>,
    resolved_by: Option<String>,
    assigned_to: Option<String>,
    note: Option<String>,
    silenced_by: Option<i64>,
}

impl AlertRow {
    fn finding(&self) -> Option<Finding> {
        let count = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
        let place = |id: Option<i64>, at: Option<NaiveDateTime>| Some(Place { id: LogId(id?), created_at: utc(at?) });
        Some(Finding {
            level: self.level.as_deref().and_then(Level::from_name),
            window: utc(self.window_start?)..utc(self.window_end?),
            count: count(self.count)?,
            threshold: count(self.threshold)?,
            first: place(self.first_log_id, self.first_log_at),
            last: place(self.last_log_id, self.last_log_at),
            patterns: self.patterns.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default(),
            query: self.query.clone().unwrap_or_default(),
            is_late: self.is_late,
        })
    }

    fn state(&self) -> AlertState {
        match (self.is_resolved, self.acknowledged_at) {
            (true, _) => AlertState::Resolved,
            (false, Some(_)) => AlertState::Acknowledged,
            (false, None) => AlertState::Open,
        }
    }
}

impl From<AlertRow> for Alert {
    fn from(row: AlertRow) -> Self {
        let touch = |at: Option<NaiveDateTime>, by: &Option<String>| at.map(|at| Touch { at: utc(at), by: by.clone() });
        Self {
            id: AlertId(row.id),
            app: AppId(row.app_id),
            state: row.state(),
            finding: row.finding(),
            acknowledged: touch(row.acknowledged_at, &row.acknowledged_by),
            resolved: touch(row.resolved_at, &row.resolved_by).filter(|_| row.is_resolved),
            content: row.content,
            created_at: utc(row.created_at),
            rule: row.rule_id.map(RuleId),
            rule_name: row.rule_name,
            severity: Severity::from_name(&row.severity).unwrap_or(Severity::Critical),
            is_flapping: row.is_flapping,
            assigned_to: row.assigned_to,
            note: row.note,
            silenced_by: row.silenced_by.map(SilenceId),
        }
    }
}

/// A page of the alerts that a filter lets through, newest first.
///
/// # Errors
/// See [`DbError`].
pub fn list(conn: &mut Connection, filter: &AlertFilter, page: Page) -> Result<Vec<Alert>, DbError> {
    let mut query = core_alert::table.select(AlertRow::as_select()).into_boxed();
    if let Some(condition) = in_states(&filter.states) {
        query = query.filter(condition);
    }
    if !filter.apps.is_empty() {
        query = query.filter(core_alert::app_id.eq_any(filter.apps.iter().map(|app| app.0).collect::<Vec<_>>()));
    }
    if !filter.rules.is_empty() {
        query = query.filter(core_alert::rule_id.eq_any(filter.rules.iter().map(|rule| rule.0).collect::<Vec<_>>()));
    }
    if !filter.severities.is_empty() {
        let names: Vec<&str> = filter.severities.iter().map(|severity| severity.as_str()).collect();
        query = query.filter(core_alert::severity.eq_any(names));
    }
    if let Some(person) = &filter.assigned_to {
        query = query.filter(core_alert::assigned_to.eq(person));
    }
    query = match filter.silenced {
        None => query,
        Some(Silenced::Yes) => query.filter(core_alert::silenced_by.is_not_null()),
        Some(Silenced::No) => query.filter(core_alert::silenced_by.is_null()),
    };
    if let Some(text) = &filter.text {
        query = query.filter(contains(text));
    }
    if let Some(since) = filter.since {
        query = query.filter(core_alert::created_at.ge(since.naive_utc()));
    }
    if let Some(until) = filter.until {
        query = query.filter(core_alert::created_at.lt(until.naive_utc()));
    }
    if let Some(after) = page.after {
        let time = after.created_at.naive_utc();
        query = query.filter(
            core_alert::created_at.lt(time).or(core_alert::created_at.eq(time).and(core_alert::id.lt(after.id))),
        );
    }
    let rows =
        query.order((core_alert::created_at.desc(), core_alert::id.desc())).limit(page.limit.into()).load(conn)?;
    Ok(rows.into_iter().map(Alert::from).collect())
}

type Condition = Box<dyn BoxableExpression<core_alert::table, Mysql, SqlType = Bool>>;

/// What people read of an alert contains the text, without regard to case.
fn contains(text: &str) -> Condition {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    let like = format!("%{escaped}%");
    let texts = core_alert::content.like(like.clone()).or(core_alert::rule_name.like(like.clone()));
    let optional = core_alert::note.like(like.clone()).or(core_alert::patterns.like(like));
    Box::new(texts.or(optional.assume_not_null()))
}

/// `None` where every state will do.
fn in_states(states: &[AlertState]) -> Option<Condition> {
    let has = |state| states.contains(&state);
    let unresolved = core_alert::is_resolved.eq(false);
    match (has(AlertState::Open), has(AlertState::Acknowledged), has(AlertState::Resolved)) {
        (false, false, false) | (true, true, true) => None,
        (true, true, false) => Some(Box::new(unresolved)),
        (true, false, false) => Some(Box::new(unresolved.and(core_alert::acknowledged_at.is_null()))),
        (false, true, false) => Some(Box::new(unresolved.and(core_alert::acknowledged_at.is_not_null()))),
        (false, false, true) => Some(Box::new(core_alert::is_resolved.eq(true))),
        (true, false, true) => {
            Some(Box::new(core_alert::is_resolved.eq(true).or(core_alert::acknowledged_at.is_null())))
        }
        (false, true, true) => {
            Some(Box::new(core_alert::is_resolved.eq(true).or(core_alert::acknowledged_at.is_not_null())))
        }
    }
}

/// One alert.
///
/// # Errors
/// See [`DbError`].
pub fn get(conn: &mut Connection, id: AlertId) -> Result<Option<Alert>, DbError> {
    let row = core_alert::table.find(id.0).select(AlertRow::as_select()).first(conn).optional()?;
    Ok(row.map(Alert::from))
}

/// One alert as it is now, whatever the transaction saw when it began; locks it.
fn lock(conn: &mut Connection, id: AlertId) -> Result<Option<Alert>, DbError> {
    let row = core_alert::table.find(id.0).select(AlertRow::as_select()).for_update().first(conn).optional()?;
    Ok(row.map(Alert::from))
}

/// The newest alert that a rule raised.
///
/// # Errors
/// See [`DbError`].
pub fn newest(conn: &mut Connection) -> Result<Option<AlertId>, DbError> {
    let id = core_alert::table
        .select(core_alert::id)
        .filter(core_alert::rule_id.is_not_null())
        .filter(core_alert::window_start.is_not_null())
        .order(core_alert::id.desc())
        .first(conn)
        .optional()?;
    Ok(id.map(AlertId))
}

/// Resolves an alert, again without harm; `None` when there is no such alert.
///
/// # Errors
/// See [`DbError`].
pub fn resolve(conn: &mut Connection, id: AlertId, now: DateTime<Utc>) -> Result<Option<Alert>, DbError> {
    transaction(conn, |conn| {
        resolve_within(conn, id, None, now)?;
        get(conn, id)
    })
}

/// Resolves an alert that is open, for nobody in particular, within a transaction. Says whether it was.
fn resolve_within(conn: &mut Connection, id: AlertId, note: Option<&str>, now: DateTime<Utc>) -> Result<bool, DbError> {
    let open = core_alert::table.find(id.0).filter(core_alert::is_resolved.eq(false));
    let changed = diesel::update(open)
        .set((
            core_alert::is_resolved.eq(true),
            core_alert::resolved_at.eq(now.naive_utc()),
            core_alert::resolved_by.eq(None::<String>),
            // Without one, that of before stays.
            note.map(|note| core_alert::note.eq(note)),
        ))
        .execute(conn)?;
    if changed == 1 {
        let event = AlertEvent::by_itself(AlertEventKind::Resolved, now);
        alert_events::record(conn, id, &AlertEvent { note: note.map(str::to_owned), ..event }, None)?;
    }
    Ok(changed == 1)
}

/// Deletes an app's alerts.
///
/// # Errors
/// See [`DbError`].
pub fn delete_of_app(conn: &mut Connection, app: AppId) -> Result<(), DbError> {
    diesel::delete(core_alert::table.filter(core_alert::app_id.eq(app.0))).execute(conn)?;
    Ok(())
}
