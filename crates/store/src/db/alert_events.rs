//! `core_alertevent`: each change of an alert, with who made it and why. Written in the transaction of the change, as is what
//! people are told of it.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use logmon_core::alert::{Alert, AlertEvent, AlertEventKind, AlertId, RuleId, SilenceId, Told};
use logmon_core::app::{App, AppId};
use logmon_core::notification::{
    AlertFacts, AppFacts, ChannelId, EventId, EventKind, Notification, RuleFacts, WindowFacts,
};

use super::schema::{core_alert, core_alertevent, core_rulechannel};
use super::{Connection, DbError, alerts, apps, deliveries, silences, utc};

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
    let Some(known) = Known::lock(conn, alert)? else { return Ok(()) };
    match silence(conn, &known, event.at)? {
        Silencing::Goes => Ok(()),
        Silencing::No | Silencing::Ended(_) => tell(conn, &known, event, None),
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

/// Notes whether an alert is under a silence at `now`, and tells what is to be told when it is under none any more. The app of
/// the alert is locked.
///
/// # Errors
/// See [`DbError`].
pub(super) fn settle(conn: &mut Connection, alert: AlertId, now: DateTime<Utc>) -> Result<(), DbError> {
    let Some(known) = Known::lock(conn, alert)? else { return Ok(()) };
    match silence(conn, &known, now)? {
        Silencing::Ended(event) => tell(conn, &known, &event, None),
        Silencing::No | Silencing::Goes => Ok(()),
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

/// What an alert is now, whatever the transaction saw when it began, and what people know of it. Its row is locked.
struct Known {
    id: AlertId,
    app: AppId,
    rule: Option<RuleId>,
    is: Told,
    told: Told,
    silenced_by: Option<SilenceId>,
}

impl Known {
    fn lock(conn: &mut Connection, id: AlertId) -> Result<Option<Self>, DbError> {
        type Row = (i64, Option<i64>, bool, String, Option<i64>);
        let row: Option<Row> = core_alert::table
            .find(id.0)
            .select((
                core_alert::app_id,
                core_alert::rule_id,
                core_alert::is_resolved,
                core_alert::told,
                core_alert::silenced_by,
            ))
            .for_update()
            .first(conn)
            .optional()?;
        Ok(row.map(|(app, rule, is_resolved, told, silenced_by)| Self {
            id,
            app: AppId(app),
            rule: rule.map(RuleId),
            is: if is_resolved { Told::Over } else { Told::Open },
            told: Told::from_name(&told).unwrap_or(Told::Open),
            silenced_by: silenced_by.map(SilenceId),
        }))
    }
}

/// Whether an alert is under a silence.
enum Silencing {
    /// It is under none.
    No,
    /// It is under one.
    Goes,
    /// It was, and that is over: this says so.
    Ended(AlertEvent),
}

/// Finds out which silence an alert is under, and writes where that has changed.
fn silence(conn: &mut Connection, known: &Known, now: DateTime<Utc>) -> Result<Silencing, DbError> {
    let mut active = silences::active(conn, now)?;
    active.retain(|silence| silence.says.concerns(known.app, known.rule));
    let same = active.iter().find(|silence| Some(silence.id) == known.silenced_by);
    let (now_by, event) = match (same, active.first(), known.silenced_by) {
        (Some(_), _, _) => return Ok(Silencing::Goes),
        (None, None, None) => return Ok(Silencing::No),
        (None, Some(silence), _) => {
            let (actor, note) = (Some(silence.says.created_by.clone()), Some(silence.says.comment.clone()));
            let event = AlertEvent::by_itself(AlertEventKind::Silenced, now);
            (Some(silence.id), AlertEvent { actor, note, silence: Some(silence.id), ..event })
        }
        (None, None, ended) => {
            (None, AlertEvent { silence: ended, ..AlertEvent::by_itself(AlertEventKind::Unsilenced, now) })
        }
    };
    insert(conn, known.id, &event, None)?;
    diesel::update(core_alert::table.find(known.id.0))
        .set(core_alert::silenced_by.eq(now_by.map(|silence| silence.0)))
        .execute(conn)?;
    Ok(if now_by.is_some() { Silencing::Goes } else { Silencing::Ended(event) })
}

/// Tells what is not known yet through some of the rule's channels, or all of them when `only` is `None`.
fn tell(conn: &mut Connection, known: &Known, event: &AlertEvent, only: Option<&[ChannelId]>) -> Result<(), DbError> {
    let Some(kind) = known.told.news(known.is, event.kind) else { return Ok(()) };
    if known.told != known.is {
        let alert = core_alert::table.find(known.id.0);
        diesel::update(alert).set(core_alert::told.eq(known.is.as_str())).execute(conn)?;
    }
    let Some(rule) = known.rule else { return Ok(()) };
    let channels: Vec<i64> = core_rulechannel::table
        .select(core_rulechannel::channel_id)
        .filter(core_rulechannel::rule_id.eq(rule.0))
        .load(conn)?;
    if channels.is_empty() {
        return Ok(());
    }
    let Some(alert) = alerts::get(conn, known.id)? else { return Ok(()) };
    let Some(app) = apps::get(conn, known.app)? else { return Ok(()) };
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
