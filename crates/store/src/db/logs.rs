//! `core_log`: the logs themselves. They are stored by [`super::writer`].

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use logmon_core::app::AppId;
use logmon_core::log::{Attributes, Extra, Level, Log, LogFilter, LogId, SpanId, TraceId};
use logmon_core::page::Page;

use super::schema::core_log;
use super::{Connection, DbError, apps, utc};

#[derive(Queryable, Selectable)]
#[diesel(table_name = core_log)]
pub(super) struct LogRow {
    id: i64,
    level: String,
    message: String,
    created_at: NaiveDateTime,
    app_id: i64,
    attributes: Option<String>,
    trace_id: Option<String>,
    span_id: Option<String>,
    received_at: Option<NaiveDateTime>,
    timestamp_clamped: bool,
}

impl From<LogRow> for Log {
    fn from(row: LogRow) -> Self {
        let (id, app) = (LogId(row.id), AppId(row.app_id));
        let extra = Extra {
            attributes: row.attributes.and_then(Attributes::from_stored),
            trace_id: row.trace_id.map(|id| TraceId::new(&id)),
            span_id: row.span_id.map(|id| SpanId::new(&id)),
            received_at: row.received_at.map(utc),
            timestamp_clamped: row.timestamp_clamped,
        };
        Self { id, app, level: row.level, message: row.message, created_at: utc(row.created_at), extra }
    }
}

/// The log with an id and this time, if it is there.
///
/// # Errors
/// See [`DbError`].
pub fn get(conn: &mut Connection, id: LogId, created_at: DateTime<Utc>) -> Result<Option<Log>, DbError> {
    let row: Option<LogRow> = core_log::table
        .select(LogRow::as_select())
        .filter(core_log::created_at.eq(created_at.naive_utc()))
        .filter(core_log::id.eq(id.0))
        .first(conn)
        .optional()?;
    Ok(row.map(Log::from))
}

/// A page of the logs, newest first.
///
/// # Errors
/// See [`DbError`].
pub fn list(conn: &mut Connection, filter: &LogFilter, page: Page) -> Result<Vec<Log>, DbError> {
    if filter.apps.is_empty() && filter.levels.is_empty() {
        return newest(conn, None, page);
    }
    // The index is ordered by time only within one app and level, so each such pair is asked for its newest rows.
    let apps = if filter.apps.is_empty() { apps::ids(conn)? } else { filter.apps.clone() };
    let levels = if filter.levels.is_empty() { Level::ALL.as_slice() } else { &filter.levels };
    let mut logs = Vec::new();
    for app in apps {
        for level in levels {
            logs.extend(newest(conn, Some((app, *level)), page)?);
        }
    }
    logs.sort_by_key(|log| std::cmp::Reverse((log.created_at, log.id)));
    logs.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
    Ok(logs)
}

fn newest(conn: &mut Connection, of: Option<(AppId, Level)>, page: Page) -> Result<Vec<Log>, DbError> {
    let mut query = core_log::table.select(LogRow::as_select()).into_boxed();
    if let Some((app, level)) = of {
        query = query.filter(core_log::app_id.eq(app.0)).filter(core_log::level.eq(level.as_str()));
    }
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
