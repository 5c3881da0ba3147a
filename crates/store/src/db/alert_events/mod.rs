//! `core_alertevent`: each change of an alert, with who made it and why. Written in the transaction of the change, as is what
//! people are told of it.

mod flapping;
mod known;
mod silence;
mod tell;

pub(super) use flapping::calm;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use logmon_core::alert::{AlertEvent, AlertEventKind, AlertId, SilenceId};
use logmon_core::notification::{ChannelId, EventId};

use super::schema::core_alertevent;
use super::{Connection, DbError, utc};
use known::Known;
use silence::{Silencing, silence};
pub use tell::opening;
use tell::tell;

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
    silence_id: Option<i64>,
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
    let Some(mut known) = Known::lock(conn, alert)? else { return Ok(()) };
    let flaps = if event.kind.changes_state() { flapping::begin(conn, &mut known, event)? } else { None };
    match silence(conn, &known, event.at)? {
        Silencing::Goes => Ok(()),
        Silencing::No | Silencing::Ended(_) => tell(conn, &known, flaps.as_ref().unwrap_or(event), None),
    }
}

/// Writes that an alert goes on, and tells so to these of its rule's channels, in one transaction; unless it is under a silence.
///
/// # Errors
/// See [`DbError`].
pub(super) fn record_repeat(
    conn: &mut Connection,
    alert: AlertId,
    channels: &[ChannelId],
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let Some(known) = Known::lock(conn, alert)? else { return Ok(()) };
    match silence(conn, &known, now)? {
        Silencing::Goes => Ok(()),
        Silencing::Ended(event) => tell(conn, &known, &event, None),
        Silencing::No => {
            let event = AlertEvent::by_itself(AlertEventKind::Repeated, now);
            insert(conn, alert, &event, None)?;
            tell(conn, &known, &event, Some(channels))
        }
    }
}

/// Notes whether an alert is under a silence at `now`, and whether it still flaps, and tells what is to be told when it is under
/// none, or does not, any more. The app of the alert is locked.
///
/// # Errors
/// See [`DbError`].
pub(super) fn settle(conn: &mut Connection, alert: AlertId, now: DateTime<Utc>) -> Result<(), DbError> {
    let Some(mut known) = Known::lock(conn, alert)? else { return Ok(()) };
    let calmed = flapping::end(conn, &mut known, now)?;
    match (silence(conn, &known, now)?, calmed) {
        (Silencing::Ended(event), _) | (Silencing::No, Some(event)) => tell(conn, &known, &event, None),
        (Silencing::No, None) | (Silencing::Goes, _) => Ok(()),
    }
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
            core_alertevent::silence_id.eq(event.silence.map(|silence| silence.0)),
        ))
        .execute(conn)?;
    Ok(())
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
            silence: row.silence_id.map(SilenceId),
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
