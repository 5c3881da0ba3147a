//! Which silence an alert is under.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use logmon_core::alert::{AlertEvent, AlertEventKind};

use super::super::schema::core_alert;
use super::super::{Connection, DbError, silences};
use super::insert;
use super::known::Known;

/// Whether an alert is under a silence.
pub(super) enum Silencing {
    /// It is under none.
    No,
    /// It is under one.
    Goes,
    /// It was, and that is over: this says so.
    Ended(AlertEvent),
}

/// Finds out which silence an alert is under, and writes where that has changed.
pub(super) fn silence(conn: &mut Connection, known: &Known, now: DateTime<Utc>) -> Result<Silencing, DbError> {
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
