//! `core_alertevent`: each change of an alert, with who made it and why. Written in the transaction of the change, as is what
//! people are told of it.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use logmon_core::alert::{Alert, AlertEvent, AlertEventKind, AlertId};
use logmon_core::app::App;
use logmon_core::notification::{
    AlertFacts, AppFacts, ChannelId, EventId, EventKind, Notification, RuleFacts, WindowFacts,
};

use super::schema::{core_alertevent, core_rulechannel};
use super::{Connection, DbError, alerts, apps, deliveries, utc};

/// How many events of an alert are shown, the newest ones.
const SHOWN: i64 = 1_000;

#[derive(Queryable, Selectable)]
#[diesel(table_name = core_alertevent)]
struct EventRow {
    event_id: String,
    kind: String,
    at: NaiveDateTime,
    actor: Option<String>,
    note: Option<String>,
}

/// Writes that an alert has changed, and what the rule's channels are told of it, in the transaction of the change. The one way
/// to do so. `batch` is what it was done with.
///
/// # Errors
/// See [`DbError`].
pub(super) fn record(
    conn: &mut Connection,
    alert: AlertId,
    event: &AlertEvent,
    batch: Option<EventId>,
) -> Result<(), DbError> {
    insert(conn, alert, event, batch)?;
    tell(conn, alert, event, None)
}

/// Writes that an alert goes on, and tells so to these of its rule's channels, in one transaction.
///
/// # Errors
/// See [`DbError`].
pub(super) fn record_repeat(
    conn: &mut Connection,
    alert: AlertId,
    channels: &[ChannelId],
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let event = AlertEvent::by_itself(AlertEventKind::Repeated, now);
    insert(conn, alert, &event, None)?;
    tell(conn, alert, &event, Some(channels))
}

fn insert(conn: &mut Connection, alert: AlertId, event: &AlertEvent, batch: Option<EventId>) -> Result<(), DbError> {
    diesel::insert_into(core_alertevent::table)
        .values((
            core_alertevent::event_id.eq(event.id.0.to_string()),
            core_alertevent::alert_id.eq(alert.0),
            core_alertevent::kind.eq(event.kind.as_str()),
            core_alertevent::at.eq(event.at.naive_utc()),
            core_alertevent::actor.eq(event.actor.as_deref()),
            core_alertevent::note.eq(event.note.as_deref()),
            core_alertevent::batch.eq(batch.map(|batch| batch.0.to_string())),
        ))
        .execute(conn)?;
    Ok(())
}

/// Tells of a change through some of the rule's channels, or all of them when `only` is `None`.
fn tell(conn: &mut Connection, alert: AlertId, event: &AlertEvent, only: Option<&[ChannelId]>) -> Result<(), DbError> {
    let kind = match event.kind {
        AlertEventKind::Opened => EventKind::Opened,
        AlertEventKind::Acknowledged => EventKind::Acknowledged,
        AlertEventKind::Resolved => EventKind::Resolved,
        AlertEventKind::Reopened => EventKind::Reopened,
        AlertEventKind::Flapping => EventKind::Flapping,
        AlertEventKind::Repeated => EventKind::Repeated,
        // To whom it was given is for those who work on it.
        AlertEventKind::Assigned => return Ok(()),
    };
    let Some(alert) = alerts::get(conn, alert)? else { return Ok(()) };
    let Some(rule) = alert.rule else { return Ok(()) };
    let channels: Vec<i64> = core_rulechannel::table
        .select(core_rulechannel::channel_id)
        .filter(core_rulechannel::rule_id.eq(rule.0))
        .load(conn)?;
    if channels.is_empty() {
        return Ok(());
    }
    let Some(app) = apps::get(conn, alert.app)? else { return Ok(()) };
    let Some(news) = notification(alert, app, event, kind) else { return Ok(()) };
    let channels = channels.into_iter().map(ChannelId);
    let channels: Vec<ChannelId> = channels.filter(|id| only.is_none_or(|only| only.contains(id))).collect();
    deliveries::announce(conn, &news, &channels)
}

/// What people are told of an alert that a rule raised.
fn notification(alert: Alert, app: App, event: &AlertEvent, kind: EventKind) -> Option<Notification> {
    let (rule, finding) = (alert.rule?, alert.finding?);
    Some(Notification {
        event_id: event.id,
        event: kind,
        at: event.at,
        alert: AlertFacts {
            id: alert.id,
            content: alert.content,
            severity: alert.severity.as_str().to_owned(),
            is_late: finding.is_late,
            opened_at: alert.created_at,
            resolved_at: alert.resolved.map(|touch| touch.at),
        },
        rule: RuleFacts {
            id: rule.0,
            name: alert.rule_name,
            level: finding.level.map_or_else(String::new, |level| level.as_str().to_owned()),
        },
        app: AppFacts { id: app.id, name: app.name, owner: app.owner },
        window: WindowFacts {
            start: finding.window.start,
            end: finding.window.end,
            count: finding.count,
            threshold: finding.threshold,
        },
        samples: finding.patterns,
        query: finding.query,
        actor: event.actor.clone(),
        note: event.note.clone(),
    })
}

/// What became of an alert, the oldest first.
///
/// # Errors
/// See [`DbError`].
pub fn of_alert(conn: &mut Connection, alert: AlertId) -> Result<Vec<AlertEvent>, DbError> {
    let rows: Vec<EventRow> = core_alertevent::table
        .select(EventRow::as_select())
        .filter(core_alertevent::alert_id.eq(alert.0))
        .order(core_alertevent::id.desc())
        .limit(SHOWN)
        .load(conn)?;
    let event = |row: EventRow| {
        Some(AlertEvent {
            id: EventId(row.event_id.parse().ok()?),
            kind: AlertEventKind::from_name(&row.kind)?,
            at: utc(row.at),
            actor: row.actor,
            note: row.note,
        })
    };
    Ok(rows.into_iter().rev().filter_map(event).collect())
}

/// The alerts that were changed together since a moment.
///
/// # Errors
/// See [`DbError`].
pub(super) fn alerts_of(conn: &mut Connection, batch: EventId, since: DateTime<Utc>) -> Result<Vec<AlertId>, DbError> {
    let ids: Vec<i64> = core_alertevent::table
        .select(core_alertevent::alert_id)
        .filter(core_alertevent::batch.eq(batch.0.to_string()))
        .filter(core_alertevent::at.ge(since.naive_utc()))
        .order(core_alertevent::id)
        .load(conn)?;
    Ok(ids.into_iter().map(AlertId).collect())
}
