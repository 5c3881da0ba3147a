//! `core_log`: the logs themselves.

use std::ops::Range;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::dsl::count_star;
use diesel::prelude::*;
use logmon_core::app::AppId;
use logmon_core::log::{Level, Log, LogFilter, LogId, NewLog};
use logmon_core::page::Page;

use super::schema::core_log;
use super::{Connection, DbError, number, transaction, utc};

#[derive(Queryable, Selectable)]
#[diesel(table_name = core_log)]
struct LogRow {
    id: i64,
    level: String,
    message: String,
    created_at: NaiveDateTime,
    app_id: i64,
}

impl From<LogRow> for Log {
    fn from(row: LogRow) -> Self {
        let (id, app) = (LogId(row.id), AppId(row.app_id));
        Self { id, app, level: row.level, message: row.message, created_at: utc(row.created_at) }
    }
}

#[derive(Insertable)]
#[diesel(table_name = core_log)]
struct NewLogRow<'a> {
    level: &'a str,
    message: &'a str,
    created_at: NaiveDateTime,
    app_id: i64,
}

/// Stores logs in one transaction and gives their ids in the same order.
///
/// # Errors
/// See [`DbError`]; nothing is stored then.
pub fn insert(conn: &mut Connection, logs: &[NewLog], now: DateTime<Utc>) -> Result<Vec<LogId>, DbError> {
    let created_at = now.naive_utc();
    let rows: Vec<NewLogRow<'_>> = logs
        .iter()
        .map(|log| NewLogRow { level: log.level.as_str(), message: &log.message, created_at, app_id: log.app.0 })
        .collect();
    transaction(conn, |conn| {
        let mut ids = Vec::with_capacity(rows.len());
        for chunk in rows.chunks(INSERT_ROWS) {
            diesel::insert_into(core_log::table).values(chunk).execute(conn)?;
            // InnoDB takes the ids of one such statement in one go, a step of auto_increment_increment apart.
            let first = number(conn, "SELECT CAST(LAST_INSERT_ID() AS SIGNED) AS value")?;
            let step = number(conn, "SELECT CAST(@@auto_increment_increment AS SIGNED) AS value")?;
            ids.extend((0..).zip(chunk).map(|(n, _): (i64, _)| LogId(first + n * step)));
        }
        Ok(ids)
    })
}

/// How many rows one INSERT carries.
const INSERT_ROWS: usize = 1_000;

/// A page of the logs, newest first.
///
/// # Errors
/// See [`DbError`].
pub fn list(conn: &mut Connection, filter: &LogFilter, page: Page) -> Result<Vec<Log>, DbError> {
    if filter.apps.is_empty() {
        return newest(conn, None, &filter.levels, page);
    }
    // The index is ordered by time only within one app and level, so each such pair is asked for its newest rows.
    let levels = if filter.levels.is_empty() { Level::ALL.as_slice() } else { &filter.levels };
    let mut logs = Vec::new();
    for app in &filter.apps {
        for level in levels {
            logs.extend(newest(conn, Some(*app), std::slice::from_ref(level), page)?);
        }
    }
    logs.sort_by_key(|log| std::cmp::Reverse((log.created_at, log.id)));
    logs.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
    Ok(logs)
}

fn newest(conn: &mut Connection, app: Option<AppId>, levels: &[Level], page: Page) -> Result<Vec<Log>, DbError> {
    let mut query = core_log::table.select(LogRow::as_select()).into_boxed();
    if let Some(app) = app {
        query = query.filter(core_log::app_id.eq(app.0));
    }
    query = match levels {
        [] => query,
        [level] => query.filter(core_log::level.eq(level.as_str())),
        levels => query.filter(core_log::level.eq_any(levels.iter().map(|level| level.as_str()))),
    };
    if let Some(after) = page.after {
        let time = after.created_at.naive_utc();
        query = query
            .filter(core_log::created_at.le(time))
            .filter(core_log::created_at.lt(time).or(core_log::id.lt(after.id)));
    }
    let rows: Vec<LogRow> =
        query.order((core_log::created_at.desc(), core_log::id.desc())).limit(page.limit.into()).load(conn)?;
    Ok(rows.into_iter().map(Log::from).collect())
}

/// How many logs of `level` each app has from `since` on; apps without any are left out.
///
/// # Errors
/// See [`DbError`].
pub fn count_since(conn: &mut Connection, level: Level, since: DateTime<Utc>) -> Result<Vec<(AppId, u64)>, DbError> {
    let counts: Vec<(i64, i64)> = core_log::table
        .group_by(core_log::app_id)
        .select((core_log::app_id, count_star()))
        .filter(core_log::level.eq(level.as_str()))
        .filter(core_log::created_at.ge(since.naive_utc()))
        .load(conn)?;
    Ok(counts.into_iter().map(|(app, count)| (AppId(app), u64::try_from(count).unwrap_or(0))).collect())
}

/// How many logs of each level an app has in a range of time.
///
/// # Errors
/// See [`DbError`].
pub fn count_levels(
    conn: &mut Connection,
    app: AppId,
    range: &Range<DateTime<Utc>>,
) -> Result<Vec<(Level, u64)>, DbError> {
    let counts: Vec<(String, i64)> = core_log::table
        .group_by(core_log::level)
        .select((core_log::level, count_star()))
        .filter(core_log::app_id.eq(app.0))
        .filter(core_log::level.eq_any(Level::ALL.map(Level::as_str)))
        .filter(core_log::created_at.ge(range.start.naive_utc()))
        .filter(core_log::created_at.lt(range.end.naive_utc()))
        .load(conn)?;
    let known = |(level, count): (String, i64)| Some((Level::from_filter(&level)?, u64::try_from(count).ok()?));
    Ok(counts.into_iter().filter_map(known).collect())
}

/// Deletes some of an app's logs and says how many; 0 when there are none left.
///
/// # Errors
/// See [`DbError`].
pub fn delete_some_of_app(conn: &mut Connection, app: AppId) -> Result<u64, DbError> {
    // Diesel's DELETE has no LIMIT for MySQL; the id is a number, never text from outside.
    let sql = format!("DELETE FROM core_log WHERE app_id = {} LIMIT 10000", app.0);
    let deleted = diesel::sql_query(sql).execute(conn)?;
    Ok(u64::try_from(deleted).unwrap_or(u64::MAX))
}
