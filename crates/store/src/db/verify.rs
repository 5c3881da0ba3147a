//! Whether the counts are the rows: found minute by minute, and mended where others wrote rows without counting them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use chrono::{DateTime, DurationRound as _, NaiveDateTime, TimeDelta, Utc};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{Bigint, Datetime, Nullable, Text};
use logmon_core::app::AppId;

use super::log_counts::{hour, minute};
use super::partitions::has_table;
use super::schema::core_logcount;
use super::{Connection, DbError, apps, transaction, utc};

/// A minute of an app's logs of a level whose count is not the number of its rows, or an hour whose count is not that of
/// its minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The app.
    pub app: AppId,
    /// The level's name.
    pub level: String,
    /// Whether it is one of a minute or of an hour.
    pub span: Span,
    /// When the minute or hour begins.
    pub start: DateTime<Utc>,
    /// How many there should be: the rows of a minute, the counts of an hour's minutes.
    pub expected: u64,
    /// How many were counted.
    pub counted: u64,
}

/// What a count is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

impl Difference {
    /// From its beginning to its end.
    pub fn range(&self) -> Range<DateTime<Utc>> {
        let length = match self.span {
            Span::Minute => TimeDelta::minutes(1),
            Span::Hour => STEP,
        };
        self.start..self.start + length
    }
}

#[derive(Clone, QueryableByName)]
struct Tally {
    #[diesel(sql_type = Bigint)]
    app_id: i64,
    #[diesel(sql_type = Text)]
    level: String,
    #[diesel(sql_type = Datetime)]
    minute: NaiveDateTime,
    #[diesel(sql_type = Bigint)]
    count: i64,
}

/// How much time is compared at once: the memory and the length of a snapshot depend on it, not on the whole range.
const STEP: TimeDelta = TimeDelta::hours(1);

/// The differences within a range, in the order of time; `found` hears of each. Both numbers of a minute are read in
/// one snapshot, so that logs may come in meanwhile.
///
/// # Errors
/// See [`DbError`].
pub fn differences(
    conn: &mut Connection,
    range: &Range<DateTime<Utc>>,
    mut found: impl FnMut(&mut Connection, Difference) -> Result<(), DbError>,
) -> Result<(), DbError> {
    let mut from = range.start;
    while let Some(start) = next_moment(conn, from, range.end)? {
        let until = (hour(start) + STEP).min(range.end);
        for difference in compare(conn, &(start..until))? {
            found(conn, difference)?;
        }
        from = until;
    }
    Ok(())
}

/// The hour of the first row or count in a range, or the range's beginning where that is later.
fn next_moment(
    conn: &mut Connection,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, DbError> {
    #[derive(QueryableByName)]
    struct Moment {
        #[diesel(sql_type = Nullable<Datetime>)]
        moment: Option<NaiveDateTime>,
    }
    let mut first = |sql: &str| {
        let query = diesel::sql_query(sql).bind::<Datetime, _>(from.naive_utc()).bind::<Datetime, _>(until.naive_utc());
        query.get_result::<Moment>(conn).map(|row| row.moment)
    };
    let row = first("SELECT MIN(created_at) AS moment FROM core_log WHERE created_at >= ? AND created_at < ?")?;
    let count = first("SELECT MIN(minute) AS moment FROM core_logcount WHERE minute >= ? AND minute < ?")?;
    let hour_count = first("SELECT MIN(hour) AS moment FROM core_loghourcount WHERE hour >= ? AND hour < ?")?;
    Ok(row.into_iter().chain(count).chain(hour_count).min().map(|time| hour(utc(time)).max(from)))
}

fn compare(conn: &mut Connection, range: &Range<DateTime<Utc>>) -> Result<Vec<Difference>, DbError> {
    conn.batch_execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")?;
    let compared = compare_in_snapshot(conn, range);
    conn.batch_execute("COMMIT")?;
    compared
}

/// How many rows each app has of each level in each minute; those of an app that is gone belong to nobody.
fn rows_by_minute(conn: &mut Connection, range: &Range<DateTime<Utc>>) -> Result<Vec<Tally>, DbError> {
    let rows: Vec<Tally> = diesel::sql_query(
        "SELECT app_id, level, CAST(DATE_FORMAT(created_at, '%Y-%m-%d %H:%i:00') AS DATETIME) AS minute, COUNT(*) AS count
         FROM core_log WHERE created_at >= ? AND created_at < ? GROUP BY 1, 2, 3",
    )
    .bind::<Datetime, _>(range.start.naive_utc())
    .bind::<Datetime, _>(range.end.naive_utc())
    .load(conn)?;
    let apps: HashSet<AppId> = apps::ids(conn)?.into_iter().collect();
    Ok(rows.into_iter().filter(|tally| apps.contains(&AppId(tally.app_id))).collect())
}

fn compare_in_snapshot(conn: &mut Connection, range: &Range<DateTime<Utc>>) -> Result<Vec<Difference>, DbError> {
    let rows = rows_by_minute(conn, range)?;
    let mut counts = |sql: &str| -> Result<Vec<Tally>, DbError> {
        let query = diesel::sql_query(sql).bind::<Datetime, _>(range.start.naive_utc());
        Ok(query.bind::<Datetime, _>(range.end.naive_utc()).load(conn)?)
    };
    let minutes = counts("SELECT app_id, level, minute, count FROM core_logcount WHERE minute >= ? AND minute < ?")?;
    let mut found = unequal(Span::Minute, rows, minutes.clone());
    // Of an hour of which only a part is asked for, the rest is not known.
    if range.start == hour(range.start) && range.end == range.start + STEP {
        let start = range.start.naive_utc();
        let by_minute = minutes.into_iter().map(|tally| Tally { minute: start, ..tally }).collect();
        let by_hour =
            counts("SELECT app_id, level, hour AS minute, count FROM core_loghourcount WHERE hour >= ? AND hour < ?")?;
        found.extend(unequal(Span::Hour, by_minute, by_hour));
    }
    Ok(found)
}

fn unequal(span: Span, expected: Vec<Tally>, counted: Vec<Tally>) -> Vec<Difference> {
    let mut both: BTreeMap<(NaiveDateTime, i64, String), (i64, i64)> = BTreeMap::new();
    for tally in expected {
        both.entry((tally.minute, tally.app_id, tally.level)).or_default().0 += tally.count;
    }
    for tally in counted {
        both.entry((tally.minute, tally.app_id, tally.level)).or_default().1 += tally.count;
    }
    let unsigned = |count: i64| u64::try_from(count).unwrap_or(0);
    let difference = |((start, app, level), (expected, counted)): (_, (i64, i64))| Difference {
        app: AppId(app),
        level,
        span,
        start: utc(start),
        expected: unsigned(expected),
        counted: unsigned(counted),
    };
    both.into_iter().filter(|(_, (expected, counted))| expected != counted).map(difference).collect()
}

/// Counts every minute of a range anew, and the hours that they lie in; the range begins and ends on a minute.
///
/// Whoever stores logs of these minutes meanwhile waits, and adds to the new counts.
///
/// # Errors
/// See [`DbError`].
pub fn recount(conn: &mut Connection, range: &Range<DateTime<Utc>>) -> Result<(), DbError> {
    let counts = |range: &Range<DateTime<Utc>>| {
        core_logcount::table
            .filter(core_logcount::minute.ge(range.start.naive_utc()))
            .filter(core_logcount::minute.lt(range.end.naive_utc()))
    };
    let last = hour(range.end);
    let hours = hour(range.start)..if last == range.end { last } else { last + STEP };
    transaction(conn, |conn| {
        // Taken before the rows are looked at: what is committed by then is seen, and the rest has to wait for this.
        counts(&hours).select(core_logcount::count).for_update().load::<i64>(conn)?;
        let rows: Vec<_> = rows_by_minute(conn, range)?
            .into_iter()
            .map(|tally| {
                (
                    core_logcount::app_id.eq(tally.app_id),
                    core_logcount::level.eq(tally.level),
                    core_logcount::minute.eq(tally.minute),
                    core_logcount::count.eq(tally.count),
                )
            })
            .collect();
        diesel::delete(counts(range)).execute(conn)?;
        for chunk in rows.chunks(1_000) {
            diesel::insert_into(core_logcount::table).values(chunk).execute(conn)?;
        }
        sum_hours(conn, &hours)
    })
}

/// Counts every hour before `until` anew, hour by hour.
///
/// # Errors
/// See [`DbError`].
pub(super) fn recount_before(conn: &mut Connection, until: DateTime<Utc>) -> Result<(), DbError> {
    let mut from = DateTime::UNIX_EPOCH;
    while let Some(start) = next_moment(conn, from, until)? {
        let start = hour(start);
        recount(conn, &(start..start + STEP))?;
        from = start + STEP;
    }
    Ok(())
}

/// Makes the counts of whole hours from those of their minutes.
fn sum_hours(conn: &mut Connection, hours: &Range<DateTime<Utc>>) -> Result<(), DbError> {
    let mut run = |sql: &str| {
        let query = diesel::sql_query(sql).bind::<Datetime, _>(hours.start.naive_utc());
        query.bind::<Datetime, _>(hours.end.naive_utc()).execute(conn)
    };
    run("DELETE FROM core_loghourcount WHERE hour >= ? AND hour < ?")?;
    run("INSERT INTO core_loghourcount (hour, app_id, level, count)
         SELECT CAST(DATE_FORMAT(minute, '%Y-%m-%d %H:00:00') AS DATETIME) AS hour, app_id, level, SUM(count)
         FROM core_logcount WHERE minute >= ? AND minute < ? GROUP BY hour, app_id, level")?;
    Ok(())
}

/// Counts the logs that no program of ours stored, where there may be any: in a database that Django works on.
///
/// # Errors
/// See [`DbError`].
pub fn count_what_others_wrote(conn: &mut Connection, range: &Range<DateTime<Utc>>) -> Result<(), DbError> {
    if !has_table(conn, "django_migrations")? {
        return Ok(());
    }
    let mut minutes = BTreeSet::new();
    differences(conn, range, |_, difference| {
        minutes.insert(minute(difference.start));
        Ok(())
    })?;
    for minute in minutes {
        // Its hour is made anew with it.
        recount(conn, &(minute..minute + TimeDelta::minutes(1)))?;
    }
    Ok(())
}

/// Counts the logs that were stored before there were counts, hour by hour; begins again where it was broken off. Says
/// how many hours had logs.
///
/// # Errors
/// See [`DbError`].
pub(super) fn count_for_the_first_time(conn: &mut Connection) -> Result<u64, DbError> {
    if !has_table(conn, "core_logcount_waiting")? {
        return Ok(0);
    }
    let (mut hours, mut from) = (0, DateTime::UNIX_EPOCH);
    while let Some(start) = next_moment(conn, from, END)? {
        let start = start.duration_trunc(STEP).unwrap_or(start);
        recount(conn, &(start..start + STEP))?;
        (hours, from) = (hours + 1, start + STEP);
    }
    conn.batch_execute("DROP TABLE IF EXISTS core_logcount_waiting")?;
    Ok(hours)
}

/// Later than any moment that a `datetime` holds.
pub const END: DateTime<Utc> = match DateTime::from_timestamp(253_402_300_799, 0) {
    Some(time) => time,
    None => DateTime::UNIX_EPOCH,
};
