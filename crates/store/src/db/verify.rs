//! Whether the counts are the rows: found minute by minute, and mended where others wrote rows without counting them.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use chrono::{DateTime, DurationRound as _, NaiveDateTime, TimeDelta, Utc};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{Bigint, Datetime, Nullable, Text};
use logmon_core::app::AppId;

use super::schema::{core_log, core_logcount};
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
    let minute = |time: NaiveDateTime| utc(time).duration_trunc(TimeDelta::minutes(1)).unwrap_or(utc(time));
    Ok(row.into_iter().chain(count).min().map(|time| minute(time).max(from)))
}

fn compare(conn: &mut Connection, range: &Range<DateTime<Utc>>) -> Result<Vec<Difference>, DbError> {
    conn.batch_execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")?;
    let compared = compare_in_snapshot(conn, range);
    conn.batch_execute("COMMIT")?;
    compared
}

fn compare_in_snapshot(conn: &mut Connection, range: &Range<DateTime<Utc>>) -> Result<Vec<Difference>, DbError> {
    let mut tally = |sql: &str| -> QueryResult<Vec<Tally>> {
        let (start, end) = (range.start.naive_utc(), range.end.naive_utc());
        diesel::sql_query(sql).bind::<Datetime, _>(start).bind::<Datetime, _>(end).load(conn)
    };
    let rows = tally(
        "SELECT app_id, level, CAST(DATE_FORMAT(created_at, '%Y-%m-%d %H:%i:00') AS DATETIME) AS minute, COUNT(*) AS count
         FROM core_log WHERE created_at >= ? AND created_at < ? GROUP BY 1, 2, 3",
    )?;
    let counts = tally("SELECT app_id, level, minute, count FROM core_logcount WHERE minute >= ? AND minute < ?")?;
    // The logs of an app that is gone belong to nobody.
    let apps: HashSet<AppId> = apps::ids(conn)?.into_iter().collect();
    let mut minutes: BTreeMap<(NaiveDateTime, i64, String), (i64, i64)> = BTreeMap::new();
    for tally in rows.into_iter().filter(|tally| apps.contains(&AppId(tally.app_id))) {
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

/// Counts a minute anew. Whoever stores logs of the minute meanwhile waits, and adds to the new count.
///
/// # Errors
/// See [`DbError`].
pub fn recount(conn: &mut Connection, app: AppId, level: &str, minute: DateTime<Utc>) -> Result<(), DbError> {
    let start = minute.naive_utc();
    let key = || {
        core_logcount::table
            .filter(core_logcount::app_id.eq(app.0))
            .filter(core_logcount::level.eq(level))
            .filter(core_logcount::minute.eq(start))
    };
    transaction(conn, |conn| {
        // Taken before the rows are looked at: what is committed by then is seen, and the rest has to wait for this.
        key().select(core_logcount::count).for_update().first::<i64>(conn).optional()?;
        let rows: i64 = core_log::table
            .filter(core_log::app_id.eq(app.0))
            .filter(core_log::level.eq(level))
            .filter(core_log::created_at.ge(start))
            .filter(core_log::created_at.lt(start + TimeDelta::minutes(1)))
            .count()
            .get_result(conn)?;
        if rows == 0 {
            diesel::delete(key()).execute(conn)?;
        } else {
            diesel::replace_into(core_logcount::table)
                .values((
                    core_logcount::app_id.eq(app.0),
                    core_logcount::level.eq(level),
                    core_logcount::minute.eq(start),
                    core_logcount::count.eq(rows),
                ))
                .execute(conn)?;
        }
        Ok(())
    })
}
