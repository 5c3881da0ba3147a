//! `core_scheduleslot`: the slots of the schedule, a row each.
//!
//! Whoever inserts the row is the beat that pushes the slot's task: there is no leader. A row that stays claimed, because
//! its beat died or stands still, is taken over by the others; see [`super::schedules`] for why nothing here is locked.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::dsl::min;
use diesel::prelude::*;
use diesel::sql_types::Text;
use logmon_core::schedule::SlotState;

use super::schema::core_scheduleslot::{self, beat, claimed_at, entry, pushed_at, slot, state};
use super::{Connection, DbError, utc};

/// A row that another beat has claimed for longer than this is taken over.
const TAKEOVER: chrono::Duration = chrono::Duration::seconds(5);
/// So many rows are written or read at once.
const CHUNK: usize = 1_000;

/// A slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its moment.
    pub slot: DateTime<Utc>,
    /// What became of it.
    pub state: SlotState,
    /// When its task was pushed.
    pub pushed_at: Option<DateTime<Utc>>,
}

/// Inserts slots, as claimed by `by` or as skipped, and says how many of them nobody had inserted before.
///
/// # Errors
/// See [`DbError`]. It may be called again.
pub fn insert(
    conn: &mut Connection,
    of: &str,
    slots: &[DateTime<Utc>],
    as_state: SlotState,
    by: &str,
) -> Result<usize, DbError> {
    let mut inserted = 0;
    for chunk in slots.chunks(CHUNK) {
        let rows: Vec<String> =
            chunk.iter().map(|moment| format!("SELECT '{}' AS slot", moment.format("%Y-%m-%d %H:%M:%S%.6f"))).collect();
        // What has been seen to may have been removed since, so its absence alone says nothing to a beat that stood still.
        inserted += diesel::sql_query(format!(
            "INSERT IGNORE INTO core_scheduleslot (entry, slot, state, beat, claimed_at)
             SELECT s.entry, due.slot, '{}', ?, UTC_TIMESTAMP(6) FROM core_schedule s
             JOIN ({}) AS due ON CAST(due.slot AS datetime(6)) > s.handled_until WHERE s.entry = ?",
            as_state.as_str(),
            rows.join(" UNION ALL ")
        ))
        .bind::<Text, _>(by)
        .bind::<Text, _>(of)
        .execute(conn)?;
    }
    Ok(inserted)
}

/// The slots of these entries that `by` is to push: its own, and those that another beat has claimed for too long. The
/// oldest first.
///
/// # Errors
/// See [`DbError`].
pub fn to_push(
    conn: &mut Connection,
    of: &[&str],
    by: &str,
    now: DateTime<Utc>,
) -> Result<Vec<(String, DateTime<Utc>)>, DbError> {
    let abandoned = claimed_at.lt((now - TAKEOVER).naive_utc());
    let rows: Vec<(String, NaiveDateTime)> = core_scheduleslot::table
        .select((entry, slot))
        .filter(state.eq(SlotState::Claimed.as_str()))
        .filter(entry.eq_any(of))
        .filter(beat.eq(by).or(abandoned))
        .order(slot)
        .limit(1_000)
        .load(conn)?;
    Ok(rows.into_iter().map(|(of, moment)| (of, utc(moment))).collect())
}

/// Says what became of a claimed slot.
///
/// # Errors
/// See [`DbError`].
pub fn settle(conn: &mut Connection, of: &str, moment: DateTime<Utc>, as_state: SlotState) -> Result<(), DbError> {
    let claimed = core_scheduleslot::table.find((of, moment.naive_utc())).filter(state.eq(SlotState::Claimed.as_str()));
    let time = diesel::dsl::sql::<diesel::sql_types::Nullable<diesel::sql_types::Datetime>>("UTC_TIMESTAMP(6)");
    match as_state {
        SlotState::Pushed => {
            diesel::update(claimed).set((state.eq(as_state.as_str()), pushed_at.eq(time))).execute(conn)?
        }
        SlotState::Claimed | SlotState::Skipped => {
            diesel::update(claimed).set(state.eq(as_state.as_str())).execute(conn)?
        }
    };
    Ok(())
}

/// The oldest claimed slot of each entry that has one.
///
/// # Errors
/// See [`DbError`].
pub fn oldest_waiting(conn: &mut Connection) -> Result<Vec<(String, DateTime<Utc>)>, DbError> {
    let rows: Vec<(String, Option<NaiveDateTime>)> = core_scheduleslot::table
        .filter(state.eq(SlotState::Claimed.as_str()))
        .group_by(entry)
        .select((entry, min(slot)))
        .load(conn)?;
    Ok(rows.into_iter().filter_map(|(of, oldest)| Some((of, utc(oldest?)))).collect())
}

/// The newest slot of an entry.
///
/// # Errors
/// See [`DbError`].
pub fn newest(conn: &mut Connection, of: &str) -> Result<Option<Slot>, DbError> {
    let row: Option<(NaiveDateTime, String, Option<NaiveDateTime>)> = core_scheduleslot::table
        .filter(entry.eq(of))
        .order(slot.desc())
        .select((slot, state, pushed_at))
        .first(conn)
        .optional()?;
    let known = |name: &str| {
        let all = [SlotState::Claimed, SlotState::Pushed, SlotState::Skipped];
        all.into_iter().find(|known| known.as_str() == name)
    };
    Ok(row.and_then(|(moment, name, pushed)| {
        Some(Slot { slot: utc(moment), state: known(&name)?, pushed_at: pushed.map(utc) })
    }))
}

/// How many slots of an entry since `since` were skipped.
///
/// # Errors
/// See [`DbError`].
pub fn skipped_since(conn: &mut Connection, of: &str, since: DateTime<Utc>) -> Result<u64, DbError> {
    let count: i64 = core_scheduleslot::table
        .filter(entry.eq(of))
        .filter(slot.ge(since.naive_utc()))
        .filter(state.eq(SlotState::Skipped.as_str()))
        .count()
        .get_result(conn)?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// The slots later than `now` that were seen to, at most a thousand of them: a clock that was ahead has been set back, and
/// their moment is yet to come.
///
/// # Errors
/// See [`DbError`].
pub fn seen_to_after(conn: &mut Connection, now: DateTime<Utc>) -> Result<Vec<(String, DateTime<Utc>)>, DbError> {
    let rows: Vec<(String, NaiveDateTime)> = core_scheduleslot::table
        .select((entry, slot))
        .filter(slot.gt(now.naive_utc()))
        .filter(state.ne(SlotState::Claimed.as_str()))
        .limit(i64::try_from(CHUNK).unwrap_or(i64::MAX))
        .load(conn)?;
    Ok(rows.into_iter().map(|(of, moment)| (of, utc(moment))).collect())
}

/// Removes slots that were seen to.
///
/// # Errors
/// See [`DbError`].
pub fn remove(conn: &mut Connection, slots: &[(String, DateTime<Utc>)]) -> Result<(), DbError> {
    let mut moments: BTreeMap<&str, Vec<NaiveDateTime>> = BTreeMap::new();
    for (of, moment) in slots {
        moments.entry(of).or_default().push(moment.naive_utc());
    }
    for (of, moments) in moments {
        let rows = core_scheduleslot::table.filter(entry.eq(of)).filter(slot.eq_any(moments));
        diesel::delete(rows.filter(state.ne(SlotState::Claimed.as_str()))).execute(conn)?;
    }
    Ok(())
}

/// Removes the slots before `before` that nobody is to push any more.
///
/// # Errors
/// See [`DbError`].
pub fn delete_before(conn: &mut Connection, before: DateTime<Utc>) -> Result<(), DbError> {
    let sql = format!(
        "DELETE FROM core_scheduleslot WHERE state IN ('{}', '{}') AND slot < '{}' LIMIT 10000",
        SlotState::Pushed.as_str(),
        SlotState::Skipped.as_str(),
        before.format("%Y-%m-%d %H:%M:%S")
    );
    while diesel::sql_query(&sql).execute(conn)? > 0 {}
    Ok(())
}
