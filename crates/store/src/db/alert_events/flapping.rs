//! Alerts of a rule and an app that open and resolve again and again. The newest of them has the mark, so at most one has.

use chrono::{DateTime, Utc};
use diesel::dsl::{exists, not};
use diesel::prelude::*;
use logmon_core::alert::{AlertEvent, AlertEventKind, AlertId, CALM, FLAPPING_WINDOW, Told};

use super::super::schema::{core_alert, core_alertevent, core_rule};
use super::super::{Connection, DbError};
use super::insert;
use super::known::Known;

/// Notes that an alert whose state has just changed flaps, when it does: as the one before of its rule and app did, or because
/// that has changed too often now, which is an event of its own.
///
/// # Errors
/// See [`DbError`].
pub(super) fn begin(
    conn: &mut Connection,
    known: &mut Known,
    event: &AlertEvent,
) -> Result<Option<AlertEvent>, DbError> {
    if known.is_flapping {
        return Ok(None);
    }
    let Some(rule) = known.rule else { return Ok(None) };
    let after: Option<i32> = core_rule::table.find(rule.0).select(core_rule::flapping_after).first(conn).optional()?;
    let after = i64::from(after.unwrap_or(0));
    if after == 0 {
        return Ok(None);
    }
    let of_both = core_alert::rule_id.eq(rule.0).and(core_alert::app_id.eq(known.app.0));
    if event.kind != AlertEventKind::Resolved {
        let before: Option<(i64, String)> = core_alert::table
            .select((core_alert::id, core_alert::told))
            .filter(core_alert::is_flapping.eq(true))
            .filter(of_both)
            .first(conn)
            .optional()?;
        if let Some((before, told)) = before {
            set(conn, AlertId(before), Mark::Taken, Told::Over)?;
            known.told = Told::from_name(&told).unwrap_or(Told::Flapping);
            known.is_flapping = true;
            set(conn, known.id, Mark::Given, known.told)?;
            return Ok(None);
        }
    }
    // Each alert has a change at least, so this many hold enough of them.
    let newest: Vec<i64> = core_alert::table
        .select(core_alert::id)
        .filter(of_both)
        .order((core_alert::created_at.desc(), core_alert::id.desc()))
        .limit(after + 1)
        .load(conn)?;
    let kinds: Vec<String> = core_alertevent::table
        .select(core_alertevent::kind)
        .filter(core_alertevent::alert_id.eq_any(newest))
        .filter(core_alertevent::kind.eq_any(kinds(&[AlertEventKind::Calmed])))
        .filter(core_alertevent::at.gt((event.at - FLAPPING_WINDOW).naive_utc()))
        .order(core_alertevent::id.desc())
        .limit(after + 1)
        .load(conn)?;
    // It is counted anew from when it had calmed down.
    let changes = kinds.iter().take_while(|kind| *kind != AlertEventKind::Calmed.as_str()).count();
    if i64::try_from(changes).is_ok_and(|changes| changes <= after) {
        return Ok(None);
    }
    let flaps = AlertEvent::by_itself(AlertEventKind::Flapping, event.at);
    insert(conn, known.id, &flaps, None)?;
    set(conn, known.id, Mark::Given, known.told)?;
    known.is_flapping = true;
    Ok(Some(flaps))
}

/// Notes that an alert flaps no more, when it did and has been the same for long enough.
///
/// # Errors
/// See [`DbError`].
pub(super) fn end(conn: &mut Connection, known: &mut Known, now: DateTime<Utc>) -> Result<Option<AlertEvent>, DbError> {
    if !known.is_flapping || !calm(conn, now)?.contains(&known.id) {
        return Ok(None);
    }
    let calmed = AlertEvent::by_itself(AlertEventKind::Calmed, now);
    insert(conn, known.id, &calmed, None)?;
    set(conn, known.id, Mark::Taken, known.told)?;
    known.is_flapping = false;
    Ok(Some(calmed))
}

/// The alerts that flapped and have been the same for long enough, or whose rule says no more that they could.
///
/// # Errors
/// See [`DbError`].
pub(in super::super) fn calm(conn: &mut Connection, now: DateTime<Utc>) -> Result<Vec<AlertId>, DbError> {
    let recent = core_alertevent::table
        .filter(core_alertevent::alert_id.eq(core_alert::id))
        .filter(core_alertevent::kind.eq_any(kinds(&[AlertEventKind::Flapping])))
        .filter(core_alertevent::at.gt((now - CALM).naive_utc()));
    let can = core_rule::table
        .filter(core_rule::id.nullable().eq(core_alert::rule_id))
        .filter(core_rule::flapping_after.gt(0));
    let ids: Vec<i64> = core_alert::table
        .select(core_alert::id)
        .filter(core_alert::is_flapping.eq(true))
        .filter(not(exists(recent)).or(not(exists(can))))
        .load(conn)?;
    Ok(ids.into_iter().map(AlertId).collect())
}

/// The names of what changes the state of an alert, and of `more`.
fn kinds(more: &[AlertEventKind]) -> Vec<&'static str> {
    let wanted = |kind: &&AlertEventKind| kind.changes_state() || more.contains(kind);
    AlertEventKind::ALL.iter().filter(wanted).map(|kind| kind.as_str()).collect()
}

/// What becomes of the mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Given,
    Taken,
}

fn set(conn: &mut Connection, alert: AlertId, mark: Mark, told: Told) -> Result<(), DbError> {
    diesel::update(core_alert::table.find(alert.0))
        .set((core_alert::is_flapping.eq(mark == Mark::Given), core_alert::told.eq(told.as_str())))
        .execute(conn)?;
    Ok(())
}
