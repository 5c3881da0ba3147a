//! Alerts that silences begin or end for, or that calm down, while nothing else happens to them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use logmon_core::alert::{AlertId, RuleId, Silence, Told};
use logmon_core::app::AppId;

use super::super::schema::core_alert;
use super::super::{Connection, DbError, alert_events, apps, silences, transaction};

/// The alerts that a silence has begun for, or that none is for any more, as far as anybody is still to know of them; and those
/// that flapped and have calmed down. The oldest first.
///
/// # Errors
/// See [`DbError`].
pub fn unsettled(conn: &mut Connection, now: DateTime<Utc>) -> Result<Vec<AlertId>, DbError> {
    type Row = (i64, i64, Option<i64>, Option<i64>);
    let row = (core_alert::id, core_alert::app_id, core_alert::rule_id, core_alert::silenced_by);
    let active = silences::active(conn, now)?;
    let still = core_alert::is_resolved.eq(false).or(core_alert::told.ne(Told::Over.as_str()));
    let silenced = core_alert::table.select(row).filter(core_alert::silenced_by.is_not_null()).filter(still);
    let mut rows: Vec<Row> = silenced.load(conn)?;
    if !active.is_empty() {
        let open = core_alert::table.select(row).filter(core_alert::is_resolved.eq(false));
        rows.extend(open.filter(core_alert::silenced_by.is_null()).load::<Row>(conn)?);
    }
    let changed = |(_, app, rule, by): &Row| {
        let concerns = |silence: &&Silence| silence.says.concerns(AppId(*app), rule.map(RuleId));
        match by {
            None => active.iter().any(|silence| concerns(&silence)),
            Some(by) => !active.iter().filter(concerns).any(|silence| silence.id.0 == *by),
        }
    };
    let mut ids: BTreeSet<AlertId> = rows.iter().filter(|row| changed(row)).map(|row| AlertId(row.0)).collect();
    ids.extend(alert_events::calm(conn, now)?);
    Ok(ids.into_iter().collect())
}

/// Notes of an alert which silence it is under at `now`, if any, and whether it still flaps, and tells what is to be told when it
/// is under none, or does not, any more; however many try at once.
///
/// # Errors
/// See [`DbError`].
pub fn settle(conn: &mut Connection, id: AlertId, now: DateTime<Utc>) -> Result<(), DbError> {
    transaction(conn, |conn| {
        let app: Option<i64> = core_alert::table.find(id.0).select(core_alert::app_id).first(conn).optional()?;
        let Some(app) = app else { return Ok(()) };
        // As whoever changes an alert does.
        apps::lock(conn, AppId(app))?;
        alert_events::settle(conn, id, now)
    })
}
