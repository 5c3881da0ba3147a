//! Logs that are read without their texts where these are long, so that many of them take a bounded memory.

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, Text};
use logmon_core::log::Log;
use logmon_core::page::Cursor;

use super::super::schema::core_log;
use super::super::{Connection, DbError, utc};
use super::{LogRow, LogsPage};

/// A log, without its message and attributes where they are long.
#[derive(Queryable)]
pub(super) struct Short {
    row: LogRow,
    is_long: bool,
}

impl Short {
    /// Where it lies.
    pub(super) fn place(&self) -> Cursor {
        Cursor { created_at: utc(self.row.created_at), id: self.row.id }
    }

    /// All of it, or `None` when it has gone since.
    ///
    /// # Errors
    /// See [`DbError`].
    pub(super) fn whole(self, conn: &mut Connection) -> Result<Option<Log>, DbError> {
        let log = Log::from(self.row);
        if self.is_long { super::get(conn, log.id, log.created_at) } else { Ok(Some(log)) }
    }
}

/// Logs as they are, in their order, until these have so many bytes; and whether that was not all of them.
///
/// # Errors
/// See [`DbError`].
pub(super) fn whole(
    conn: &mut Connection,
    found: impl IntoIterator<Item = Short>,
    bytes: usize,
) -> Result<LogsPage, DbError> {
    let (mut logs, mut left) = (Vec::new(), bytes);
    for short in found {
        if left == 0 {
            return Ok(LogsPage { logs, has_more: true });
        }
        if let Some(log) = short.whole(conn)? {
            let attributes = log.extra.attributes.as_ref().map_or(0, |attributes| attributes.as_str().len());
            left = left.saturating_sub(log.message.len() + attributes);
            logs.push(log);
        }
    }
    Ok(LogsPage { logs, has_more: false })
}

/// The columns of a [`Short`].
type Columns = (
    (
        core_log::id,
        core_log::level,
        SqlLiteral<Text>,
        core_log::created_at,
        core_log::app_id,
        SqlLiteral<Nullable<Text>>,
        core_log::trace_id,
        core_log::span_id,
        core_log::received_at,
        core_log::timestamp_clamped,
    ),
    SqlLiteral<Bool>,
);

/// What is read of each log: texts of over 8 KiB are left out.
pub(super) fn short() -> Columns {
    let message = sql::<Text>("IF(LENGTH(message) + COALESCE(LENGTH(attributes), 0) > 8192, '', message)");
    let attributes =
        sql::<Nullable<Text>>("IF(LENGTH(message) + COALESCE(LENGTH(attributes), 0) > 8192, NULL, attributes)");
    let columns = (
        core_log::id,
        core_log::level,
        message,
        core_log::created_at,
        core_log::app_id,
        attributes,
        core_log::trace_id,
        core_log::span_id,
        core_log::received_at,
        core_log::timestamp_clamped,
    );
    (columns, sql::<Bool>("LENGTH(message) + COALESCE(LENGTH(attributes), 0) > 8192"))
}
