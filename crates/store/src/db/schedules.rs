//! `core_schedule`: the entries of the schedule as the beats wrote them, and how far they have come.
//!
//! Here and in [`super::schedule_slots`] each change is one statement of its own: a beat that stands still in the middle
//! holds no lock that the others wait for. Every time is the database's.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Datetime, Text};
use logmon_core::schedule::Schedule;
use logmon_core::schedule::progress::Progress;

use super::schema::core_schedule;
use super::{Connection, DbError, schedule_slots, utc};

/// An entry, and how far the beats have come with it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// When it is due, in words or as a crontab.
    pub schedule: String,
    /// The zone that this is read in.
    pub zone: String,
    /// How far they have come.
    pub progress: Progress,
}

/// The entries that are on the schedule, and the moment at which that was so.
#[derive(Debug, Clone)]
pub struct Entries {
    /// The entries, by name.
    pub entries: Vec<Entry>,
    /// The database's time.
    pub now: DateTime<Utc>,
}

/// An entry that no beat has looked at for so much longer than at the others has been taken off the schedule.
const GONE: chrono::Duration = chrono::Duration::minutes(1);

/// Writes what an entry is. A new one begins now: what was due before is not made up for.
///
/// # Errors
/// See [`DbError`].
pub fn register(conn: &mut Connection, entry: &str, schedule: &Schedule) -> Result<(), DbError> {
    diesel::sql_query(
        "INSERT INTO core_schedule (entry, schedule, zone, handled_until, seen_at)
         VALUES (?, ?, ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))
         ON DUPLICATE KEY UPDATE schedule = VALUES(schedule), zone = VALUES(zone)",
    )
    .bind::<Text, _>(entry)
    .bind::<Text, _>(schedule.to_string())
    .bind::<Text, _>(schedule.zone().name())
    .execute(conn)?;
    Ok(())
}

/// The database's time.
///
/// # Errors
/// See [`DbError`].
pub fn now(conn: &mut Connection) -> Result<DateTime<Utc>, DbError> {
    #[derive(QueryableByName)]
    struct Now {
        #[diesel(sql_type = Datetime)]
        now: NaiveDateTime,
    }
    let row: Now = diesel::sql_query("SELECT UTC_TIMESTAMP(6) AS now").get_result(conn)?;
    Ok(utc(row.now))
}

/// Up to which moment each entry's slots have been seen to.
///
/// # Errors
/// See [`DbError`].
pub fn handled(conn: &mut Connection) -> Result<Vec<(String, DateTime<Utc>)>, DbError> {
    let rows: Vec<(String, NaiveDateTime)> =
        core_schedule::table.select((core_schedule::entry, core_schedule::handled_until)).load(conn)?;
    Ok(rows.into_iter().map(|(entry, until)| (entry, utc(until))).collect())
}

/// Says that an entry's slots up to `until` have been seen to.
///
/// # Errors
/// See [`DbError`].
pub fn advance(conn: &mut Connection, entry: &str, until: DateTime<Utc>) -> Result<(), DbError> {
    let behind = core_schedule::table.find(entry).filter(core_schedule::handled_until.lt(until.naive_utc()));
    diesel::update(behind).set(core_schedule::handled_until.eq(until.naive_utc())).execute(conn)?;
    Ok(())
}

/// Whether a clock that was ahead has seen to what lies more than a minute after `now`.
///
/// # Errors
/// See [`DbError`].
pub fn is_ahead(conn: &mut Connection, now: DateTime<Utc>) -> Result<bool, DbError> {
    let ahead = (now + chrono::Duration::minutes(1)).naive_utc();
    let ahead = core_schedule::table.filter(core_schedule::handled_until.gt(ahead));
    Ok(diesel::select(diesel::dsl::exists(ahead)).get_result(conn)?)
}

/// Takes back to `now` what has been seen to by a clock that was ahead, and says of how many entries that was.
///
/// # Errors
/// See [`DbError`].
pub fn take_back(conn: &mut Connection, now: DateTime<Utc>) -> Result<usize, DbError> {
    let ahead = (now + chrono::Duration::minutes(1)).naive_utc();
    let ahead = core_schedule::table.filter(core_schedule::handled_until.gt(ahead));
    Ok(diesel::update(ahead).set(core_schedule::handled_until.eq(now.naive_utc())).execute(conn)?)
}

/// Says that a beat has looked at these entries; at most every five seconds, however many beats do.
///
/// # Errors
/// See [`DbError`].
pub fn touch(conn: &mut Connection, entries: &[&str], now: DateTime<Utc>) -> Result<(), DbError> {
    let before = (now - chrono::Duration::seconds(5)).naive_utc();
    let ahead = now.naive_utc();
    let old = core_schedule::seen_at.lt(before).or(core_schedule::seen_at.gt(ahead));
    let stale = core_schedule::table.filter(core_schedule::entry.eq_any(entries)).filter(old);
    diesel::update(stale).set(core_schedule::seen_at.eq(now.naive_utc())).execute(conn)?;
    Ok(())
}

/// What is on the schedule.
///
/// # Errors
/// See [`DbError`].
pub fn list(conn: &mut Connection) -> Result<Entries, DbError> {
    let waiting = schedule_slots::oldest_waiting(conn)?;
    let rows: Vec<(String, String, String, NaiveDateTime, NaiveDateTime)> =
        core_schedule::table.order(core_schedule::entry).load(conn)?;
    let newest = rows.iter().map(|(.., seen_at)| *seen_at).max();
    let on_schedule = rows.into_iter().filter(|(.., seen_at)| newest.is_some_and(|newest| newest - *seen_at <= GONE));
    let entry = |(name, schedule, zone, handled_until, seen_at): (String, String, String, _, _)| {
        let progress = Progress {
            schedule: Schedule::from_text(&schedule, &zone),
            handled_until: utc(handled_until),
            waiting: waiting.iter().find(|(entry, _)| *entry == name).map(|(_, slot)| *slot),
            seen_at: utc(seen_at),
        };
        Entry { name, schedule, zone, progress }
    };
    Ok(Entries { entries: on_schedule.map(entry).collect(), now: now(conn)? })
}
