//! What people are told of a change of an alert.

use diesel::prelude::*;
use logmon_core::alert::{Alert, AlertEvent, AlertEventKind, AlertId};
use logmon_core::app::App;
use logmon_core::notification::{AlertFacts, AppFacts, ChannelId, EventKind, Notification, RuleFacts, WindowFacts};

use super::super::schema::{core_alert, core_rulechannel};
use super::super::{Connection, DbError, alerts, apps, deliveries};
use super::known::Known;

/// Tells what is not known yet through some of the rule's channels, or all of them when `only` is `None`.
pub(super) fn tell(
    conn: &mut Connection,
    known: &Known,
    event: &AlertEvent,
    only: Option<&[ChannelId]>,
) -> Result<(), DbError> {
    let Some(kind) = known.told.news(known.is(), event.kind) else { return Ok(()) };
    if known.told != known.is() {
        let alert = core_alert::table.find(known.id.0);
        diesel::update(alert).set(core_alert::told.eq(known.is().as_str())).execute(conn)?;
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

/// What people were told when an alert was raised; `None` where there is no such alert, or no rule raised it.
///
/// # Errors
/// See [`DbError`].
pub fn opening(conn: &mut Connection, alert: AlertId) -> Result<Option<Notification>, DbError> {
    let Some(alert) = alerts::get(conn, alert)? else { return Ok(None) };
    let Some(app) = apps::get(conn, alert.app)? else { return Ok(None) };
    let event = AlertEvent::by_itself(AlertEventKind::Opened, alert.created_at);
    Ok(notification(alert, app, &event, EventKind::Opened))
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
