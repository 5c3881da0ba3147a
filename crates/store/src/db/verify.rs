//! Whether the counts are the rows: found minute by minute, and mended where others wrote rows without counting them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use chrono::{DateTime, DurationRound as _, NaiveDateTime, TimeDelta, Utc};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{Bigint, Datetime, Nullable, Text};
use logmon_core::app::AppId;

use super::log_counts::minute;
use super::partitions::has_table;
use super::schema::core_logcount;
use super::{Connection, DbError, apps, transaction, utc};

/// A minute of an app's logs of a level whose count is not the number of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The app.
    pub app: AppId,
    /// The level's name.
    pub level: String,
    /// The minute.
    pub minute: DateTime<Utc>,
    /// How many rows there are.
    pub rows: u64,
    /// How many were counted.
    pub counted: u64,
}

#[derive(QueryableByName)]
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
        let until = (start + STEP).min(range.end);
        for difference in compare(conn, &(start..until))? {
            found(conn, difference)?;
        }
        from = until;
    }
    Ok(())
}

/// The minute of the first row or count in a range.
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
    Ok(row.into_iter().chain(count).min().map(|time| minute(utc(time)).max(from)))
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
    let counts: Vec<Tally> =
        diesel::sql_query("SELECT app_id, level, minute, count FROM core_logcount WHERE minute >= ? AND minute < ?")
            .bind::<Datetime, _>(range.start.naive_utc())
            .bind::<Datetime, _>(range.end.naive_utc())
            .load(conn)?;
    let mut minutes: BTreeMap<(NaiveDateTime, i64, String), (i64, i64)> = BTreeMap::new();
    for tally in rows {
        minutes.entry((tally.minute, tally.app_id, tally.level)).or_default().0 += tally.count;
    }
    for tally in counts {
        minutes.entry((tally.minute, tally.app_id, tally.level)).or_default().1 += tally.count;
    }
    let unsigned = |count: i64| u64::try_from(count).unwrap_or(0);
    let difference = |((minute, app, level), (rows, counted)): (_, (i64, i64))| Difference {
        app: AppId(app),
        level,
        minute: utc(minute),
        rows: unsigned(rows),
        counted: unsigned(counted),
    };
    Ok(minutes.into_iter().filter(|(_, (rows, counted))| rows != counted).map(difference).collect())
}

/// Counts every minute of a range anew; the range begins and ends on a minute.
///
/// Whoever stores logs of these minutes meanwhile waits, and adds to the new counts.
///
/// # Errors
/// See [`DbError`].
pub fn recount(conn: &mut Connection, range: &Range<DateTime<Utc>>) -> Result<(), DbError> {
    let counts = || {
        core_logcount::table
            .filter(core_logcount::minute.ge(range.start.naive_utc()))
            .filter(core_logcount::minute.lt(range.end.naive_utc()))
    };
    transaction(conn, |conn| {
        // Taken before the rows are looked at: what is committed by then is seen, and the rest has to wait for this.
        counts().select(core_logcount::count).for_update().load::<i64>(conn)?;
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
        diesel::delete(counts()).execute(conn)?;
        for chunk in rows.chunks(1_000) {
            diesel::insert_into(core_logcount::table).values(chunk).execute(conn)?;
        }
        Ok(())
    })
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
        minutes.insert(difference.minute);
        Ok(())
    })?;
    for minute in minutes {
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
