//! What people do with alerts: one by one, and many at once.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use logmon_core::alert::{Alert, AlertChange, AlertEvent, AlertEventKind, AlertFilter, AlertId, AlertState, Said};
use logmon_core::notification::EventId;
use logmon_core::page::Page;
use thiserror::Error;

use super::super::schema::core_alert;
use super::super::{Connection, DbError, Retryable, alert_events, apps, transaction};
use super::{get, list, lock};

/// For how long what was resolved together can be taken back.
pub const UNDO: TimeDelta = TimeDelta::minutes(10);
/// How many alerts are resolved together at most.
pub const TOGETHER_MAX: u32 = 10_000;

/// An alert could not be changed.
#[derive(Debug, Error)]
pub enum ChangeAlertError {
    /// There is no such alert.
    #[error("there is no such alert")]
    NoSuch,
    /// It is over.
    #[error("it is resolved: reopen it first")]
    IsResolved,
    /// The rule and the app of it have another open one.
    #[error("alert {} of the same rule and app is open", _0.0)]
    AnotherIsOpen(AlertId),
    /// See [`DbError`].
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<diesel::result::Error> for ChangeAlertError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Db(error.into())
    }
}

impl Retryable for ChangeAlertError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Db(error) => error.is_retryable(),
            Self::NoSuch | Self::IsResolved | Self::AnotherIsOpen(_) => false,
        }
    }
}

/// Changes an alert; again, without harm. Gives it as it is then.
///
/// # Errors
/// See [`ChangeAlertError`].
pub fn change(
    conn: &mut Connection,
    id: AlertId,
    change: &AlertChange,
    said: &Said,
    now: DateTime<Utc>,
) -> Result<Alert, ChangeAlertError> {
    transaction(conn, |conn| {
        change_within(conn, id, change, said, now)?;
        get(conn, id)?.ok_or(ChangeAlertError::NoSuch)
    })
}

/// The same within a transaction. Where it fails but for the database's sake, nothing was written.
fn change_within(
    conn: &mut Connection,
    id: AlertId,
    change: &AlertChange,
    said: &Said,
    now: DateTime<Utc>,
) -> Result<(), ChangeAlertError> {
    let app = get(conn, id)?.ok_or(ChangeAlertError::NoSuch)?.app;
    // Raising takes this lock first, too.
    apps::lock(conn, app)?;
    let alert = lock(conn, id)?.ok_or(ChangeAlertError::NoSuch)?;
    if let Some(kind) = apply(conn, &alert, change, said, now)? {
        alert_events::record(conn, id, &event(kind, said, now), None)?;
    }
    Ok(())
}

fn event(kind: AlertEventKind, said: &Said, now: DateTime<Utc>) -> AlertEvent {
    AlertEvent { id: EventId::new(), kind, at: now, actor: said.by.clone(), note: said.note.clone(), silence: None }
}

fn apply(
    conn: &mut Connection,
    alert: &Alert,
    change: &AlertChange,
    said: &Said,
    now: DateTime<Utc>,
) -> Result<Option<AlertEventKind>, ChangeAlertError> {
    let row = core_alert::table.find(alert.id.0);
    let at = Some(now.naive_utc());
    let none = None::<chrono::NaiveDateTime>;
    let nobody = None::<String>;
    let kind = match (change, alert.state) {
        (AlertChange::Acknowledge, AlertState::Resolved) => return Err(ChangeAlertError::IsResolved),
        (AlertChange::Acknowledge, AlertState::Acknowledged)
        | (AlertChange::Reopen, AlertState::Open | AlertState::Acknowledged) => return Ok(None),
        (AlertChange::Acknowledge, AlertState::Open) => {
            let values = (core_alert::acknowledged_at.eq(at), core_alert::acknowledged_by.eq(&said.by));
            diesel::update(row).set(values).execute(conn)?;
            AlertEventKind::Acknowledged
        }
        (AlertChange::Reopen, AlertState::Resolved) => {
            if let Some(other) = another_open(conn, alert)? {
                return Err(ChangeAlertError::AnotherIsOpen(other));
            }
            diesel::update(row)
                .set((
                    core_alert::is_resolved.eq(false),
                    core_alert::resolved_at.eq(none),
                    core_alert::resolved_by.eq(&nobody),
                    core_alert::acknowledged_at.eq(none),
                    core_alert::acknowledged_by.eq(&nobody),
                    // Its calm windows are counted from now on.
                    core_alert::last_breach_at.eq(at),
                ))
                .execute(conn)?;
            AlertEventKind::Reopened
        }
        (AlertChange::Assign(to), _) => {
            if *to == alert.assigned_to {
                return Ok(None);
            }
            diesel::update(row).set(core_alert::assigned_to.eq(to)).execute(conn)?;
            AlertEventKind::Assigned
        }
    };
    if said.note.is_some() {
        diesel::update(core_alert::table.find(alert.id.0)).set(core_alert::note.eq(&said.note)).execute(conn)?;
    }
    Ok(Some(kind))
}

fn another_open(conn: &mut Connection, alert: &Alert) -> Result<Option<AlertId>, DbError> {
    let open: Vec<(i64, Option<i64>)> = core_alert::table
        .select((core_alert::id, core_alert::rule_id))
        .filter(core_alert::app_id.eq(alert.app.0))
        .filter(core_alert::is_resolved.eq(false))
        .for_update()
        .load(conn)?;
    let same = open.into_iter().find(|(_, rule)| *rule == alert.rule.map(|rule| rule.0));
    Ok(same.map(|(id, _)| AlertId(id)))
}

/// What was resolved together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Together {
    /// Those that were open and are resolved now.
    pub resolved: Vec<AlertId>,
    /// Those that were resolved before, or do not exist.
    pub skipped: Vec<AlertId>,
    /// By what all of it is taken back.
    pub batch: EventId,
}

/// Resolves the open ones of these alerts.
///
/// # Errors
/// See [`DbError`].
pub fn resolve_together(
    conn: &mut Connection,
    ids: &[AlertId],
    said: &Said,
    now: DateTime<Utc>,
) -> Result<Together, DbError> {
    let batch = EventId::new();
    transaction(conn, |conn| {
        let open: Vec<i64> = core_alert::table
            .select(core_alert::id)
            .filter(core_alert::id.eq_any(ids.iter().map(|id| id.0)))
            .filter(core_alert::is_resolved.eq(false))
            .order(core_alert::id)
            .for_update()
            .load(conn)?;
        diesel::update(core_alert::table.filter(core_alert::id.eq_any(&open)))
            .set((
                core_alert::is_resolved.eq(true),
                core_alert::resolved_at.eq(now.naive_utc()),
                core_alert::resolved_by.eq(&said.by),
            ))
            .execute(conn)?;
        if said.note.is_some() {
            let resolved = core_alert::table.filter(core_alert::id.eq_any(&open));
            diesel::update(resolved).set(core_alert::note.eq(&said.note)).execute(conn)?;
        }
        let resolved: Vec<AlertId> = open.into_iter().map(AlertId).collect();
        for id in &resolved {
            alert_events::record(conn, *id, &event(AlertEventKind::Resolved, said, now), Some(batch))?;
        }
        let skipped = ids.iter().copied().filter(|id| !resolved.contains(id)).collect();
        Ok(Together { resolved, skipped, batch })
    })
}

/// The ids of the open alerts that a filter lets through, the newest first: [`TOGETHER_MAX`] at most.
///
/// # Errors
/// See [`DbError`].
pub fn open_ids(conn: &mut Connection, filter: &AlertFilter) -> Result<Vec<AlertId>, DbError> {
    let mut filter = filter.clone();
    filter.states.retain(|state| *state != AlertState::Resolved);
    if filter.states.is_empty() {
        filter.states = vec![AlertState::Open, AlertState::Acknowledged];
    }
    let alerts = list(conn, &filter, Page { limit: TOGETHER_MAX, after: None })?;
    Ok(alerts.into_iter().map(|alert| alert.id).collect())
}

/// What was taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undone {
    /// Alerts that are open again.
    pub reopened: Vec<AlertId>,
    /// Alerts that are not, because something else has become of them since.
    pub skipped: Vec<AlertId>,
}

/// Takes back what was resolved together within the past [`UNDO`]; `None` when there is nothing to take back.
///
/// # Errors
/// See [`DbError`].
pub fn undo(conn: &mut Connection, batch: EventId, said: &Said, now: DateTime<Utc>) -> Result<Option<Undone>, DbError> {
    let alerts = alert_events::alerts_of(conn, batch, now - UNDO)?;
    if alerts.is_empty() {
        return Ok(None);
    }
    transaction(conn, |conn| {
        let mut undone = Undone::default();
        for alert in &alerts {
            match change_within(conn, *alert, &AlertChange::Reopen, said, now) {
                Ok(()) => undone.reopened.push(*alert),
                Err(ChangeAlertError::Db(error)) => return Err(error),
                Err(_) => undone.skipped.push(*alert),
            }
        }
        Ok(Some(undone))
    })
}
