//! `core_log`: the logs themselves here, each way to read many of them in a file of its own. They are stored by [`super::writer`].

mod choice;
pub mod export;
mod filter;
pub mod histogram;
mod page;
pub mod samples;
mod scan;
pub mod search;
mod short;
pub mod tail;
mod text;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use logmon_core::app::AppId;
use logmon_core::log::{Attributes, Extra, Log, LogId, SpanId, TraceId};

use super::schema::core_log;
use super::{Connection, DbError, utc};

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

/// A page of logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogsPage {
    /// The logs.
    pub logs: Vec<Log>,
    /// Whether there may be more behind them.
    pub has_more: bool,
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

/// The log with an id, if it is there.
///
/// # Errors
/// See [`DbError`].
pub fn find(conn: &mut Connection, id: LogId) -> Result<Option<Log>, DbError> {
    let row = core_log::table.select(LogRow::as_select()).filter(core_log::id.eq(id.0)).first(conn).optional()?;
    Ok(row.map(Log::from))
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
