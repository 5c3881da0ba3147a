//! Alerts that are raised, go on, and end by themselves: what a check does with them.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use logmon_core::alert::{AlertEvent, AlertEventKind, AlertId, ERROR_LOGS, Finding, NewRule, RuleId, Severity, Told};
use logmon_core::app::AppId;
use logmon_core::log::Level;

use super::super::evaluations::{self, By, Evaluation};
use super::super::schema::core_alert;
use super::super::{Connection, DbError, alert_events, apps, number, transaction, utc};

/// A reason for an alert.
#[derive(Debug, Clone)]
pub struct Breach<'a> {
    /// The row of the ledger, which is written with the alert.
    pub row: Evaluation,
    /// The rule.
    pub rule: &'a NewRule,
    /// What the alert says.
    pub content: String,
    /// What was found.
    pub finding: Finding,
}

/// What became of an alert that was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raised {
    /// It is there now.
    New(AlertId),
    /// There is an open one already.
    Open(AlertId),
    /// The window has had its alert before, or the app is gone.
    NotNeeded,
}

/// An alert that is not resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenAlert {
    /// Its id.
    pub id: AlertId,
    /// The rule that raised it; none where another program did.
    pub rule: Option<RuleId>,
    /// The app that it is about.
    pub app: AppId,
    /// When it was raised.
    pub created_at: DateTime<Utc>,
    /// When the last breached window ended, if it is known.
    pub last_breach_at: Option<DateTime<Utc>>,
}

/// Every alert that is not resolved: of an app, or of all.
///
/// # Errors
/// See [`DbError`].
pub fn open_alerts(conn: &mut Connection, app: Option<AppId>) -> Result<Vec<OpenAlert>, DbError> {
    type Row = (i64, Option<i64>, i64, NaiveDateTime, Option<NaiveDateTime>);
    let mut query = core_alert::table
        .select((
            core_alert::id,
            core_alert::rule_id,
            core_alert::app_id,
            core_alert::created_at,
            core_alert::last_breach_at,
        ))
        .filter(core_alert::is_resolved.eq(false))
        .into_boxed();
    if let Some(app) = app {
        query = query.filter(core_alert::app_id.eq(app.0));
    }
    let rows: Vec<Row> = query.load(conn)?;
    let open = |(id, rule, app, created_at, last_breach_at): Row| OpenAlert {
        id: AlertId(id),
        rule: rule.map(RuleId),
        app: AppId(app),
        created_at: utc(created_at),
        last_breach_at: last_breach_at.map(utc),
    };
    Ok(rows.into_iter().map(open).collect())
}

/// When the last alert of a rule and an app was resolved, where that is known: Django does not say it.
///
/// # Errors
/// See [`DbError`].
pub fn last_resolved(conn: &mut Connection, rule: RuleId, app: AppId) -> Result<Option<DateTime<Utc>>, DbError> {
    let at: Option<NaiveDateTime> = core_alert::table
        .filter(core_alert::app_id.eq(app.0))
        .filter(core_alert::rule_id.eq(rule.0))
        .filter(core_alert::is_resolved.eq(true))
        .select(diesel::dsl::max(core_alert::resolved_at))
        .first(conn)?;
    Ok(at.map(utc))
}

/// Raises an alert for a window that has had none, of a rule and an app that have no open one, however many try at once; and
/// writes the window's row of the ledger, whatever becomes of it.
///
/// An alert that another program raised is taken for one of the rule of the settings, as it always was.
///
/// # Errors
/// See [`DbError`].
pub fn raise(conn: &mut Connection, breach: &Breach<'_>, by: &By) -> Result<Raised, DbError> {
    let (rule, app) = (breach.row.rule, breach.row.app);
    transaction(conn, |conn| {
        if !apps::lock(conn, app)? || evaluations::is_breached(conn, &breach.row)? {
            return Ok(Raised::NotNeeded);
        }
        evaluations::replace(conn, std::slice::from_ref(&breach.row), by)?;
        let open: Vec<(i64, Option<i64>)> = core_alert::table
            .select((core_alert::id, core_alert::rule_id))
            .filter(core_alert::app_id.eq(app.0))
            .filter(core_alert::is_resolved.eq(false))
            // A locking read sees what was committed since the transaction began.
            .for_update()
            .load(conn)?;
        let is_its = |by: Option<i64>| by.map_or(breach.rule.name == ERROR_LOGS, |by| by == rule.0);
        if let Some((id, _)) = open.into_iter().find(|(_, by)| is_its(*by)) {
            breached_again(conn, &[AlertId(id)], breach.row.window.end)?;
            return Ok(Raised::Open(AlertId(id)));
        }
        let id = insert(conn, breach, by.at)?;
        alert_events::record(conn, id, &AlertEvent::by_itself(AlertEventKind::Opened, by.at), None)?;
        Ok(Raised::New(id))
    })
}

fn insert(conn: &mut Connection, breach: &Breach<'_>, now: DateTime<Utc>) -> Result<AlertId, DbError> {
    let (row, finding) = (&breach.row, &breach.finding);
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let patterns = serde_json::to_string(&finding.patterns).unwrap_or_default();
    diesel::insert_into(core_alert::table)
        .values((
            (
                core_alert::app_id.eq(row.app.0),
                core_alert::content.eq(&breach.content),
                core_alert::is_resolved.eq(false),
                core_alert::created_at.eq(now.naive_utc()),
                core_alert::rule_id.eq(row.rule.0),
                core_alert::rule_name.eq(&breach.rule.name),
                core_alert::severity.eq(Severity::as_str(breach.rule.severity)),
                core_alert::level.eq(finding.level.map(Level::as_str)),
                core_alert::query.eq(&finding.query),
                core_alert::patterns.eq(patterns),
                core_alert::told.eq(Told::Over.as_str()),
            ),
            (
                core_alert::window_start.eq(row.window.start.naive_utc()),
                core_alert::window_end.eq(row.window.end.naive_utc()),
                core_alert::count.eq(signed(row.count)),
                core_alert::threshold.eq(signed(row.threshold)),
                core_alert::first_log_id.eq(finding.first.map(|log| log.id.0)),
                core_alert::first_log_at.eq(finding.first.map(|log| log.created_at.naive_utc())),
                core_alert::last_log_id.eq(finding.last.map(|log| log.id.0)),
                core_alert::last_log_at.eq(finding.last.map(|log| log.created_at.naive_utc())),
                core_alert::is_late.eq(row.is_late),
                core_alert::last_breach_at.eq(row.window.end.naive_utc()),
            ),
        ))
        .execute(conn)?;
    Ok(AlertId(number(conn, "SELECT CAST(LAST_INSERT_ID() AS SIGNED) AS value")?))
}

/// Notes that the window which ended at `end` was breached as well, of alerts that are open.
///
/// # Errors
/// See [`DbError`].
pub fn breached_again(conn: &mut Connection, alerts: &[AlertId], end: DateTime<Utc>) -> Result<(), DbError> {
    let earlier =
        core_alert::last_breach_at.is_null().or(core_alert::last_breach_at.lt(end.naive_utc()).assume_not_null());
    let open = core_alert::table.filter(core_alert::id.eq_any(alerts.iter().map(|id| id.0)));
    diesel::update(open.filter(core_alert::is_resolved.eq(false)).filter(earlier))
        .set(core_alert::last_breach_at.eq(end.naive_utc()))
        .execute(conn)?;
    Ok(())
}

/// Resolves an alert whose rule has been calm for long enough. Says whether it was open.
///
/// # Errors
/// See [`DbError`].
pub fn resolve_by_itself(conn: &mut Connection, id: AlertId, note: &str, now: DateTime<Utc>) -> Result<bool, DbError> {
    transaction(conn, |conn| super::resolve_within(conn, id, Some(note), now))
}
