//! Some of the logs of a window: how many a text is in, the newest messages, and the first and last one.

use std::time::Duration;

use chrono::NaiveDateTime;
use diesel::dsl::sql;
use diesel::mysql::Mysql;
use diesel::prelude::*;
use diesel::sql_types::Text;
use logmon_core::alert::Place;
use logmon_core::log::{LogFilter, LogId};

use super::super::schema::core_log;
use super::super::{Connection, DbError, utc, within};
use super::filter::{of_apps_and_levels, of_the_rest};

/// A log's place and the beginning of its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Where it is.
    pub place: Place,
    /// The first 500 characters.
    pub message: String,
}

/// How many logs a filter lets through, when that is known within `deadline`.
///
/// # Errors
/// See [`DbError`]; [`DbError::TooSlow`] after the deadline.
pub fn count(conn: &mut Connection, filter: &LogFilter, deadline: Duration) -> Result<u64, DbError> {
    let count: i64 = within(conn, deadline, |conn| Ok(wanted(filter).count().get_result(conn)?))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// The newest logs that a filter lets through, the newest first.
///
/// # Errors
/// See [`DbError`]; [`DbError::TooSlow`] after the deadline.
pub fn newest(
    conn: &mut Connection,
    filter: &LogFilter,
    limit: u32,
    deadline: Duration,
) -> Result<Vec<Sample>, DbError> {
    let rows: Vec<(i64, NaiveDateTime, String)> = within(conn, deadline, |conn| {
        let query = wanted(filter).order((core_log::created_at.desc(), core_log::id.desc())).limit(limit.into());
        Ok(query.select((core_log::id, core_log::created_at, sql::<Text>("LEFT(message, 500)"))).load(conn)?)
    })?;
    let sample = |(id, at, message)| Sample { place: place((id, at)), message };
    Ok(rows.into_iter().map(sample).collect())
}

/// The first log that a filter lets through.
///
/// # Errors
/// See [`DbError`]; [`DbError::TooSlow`] after the deadline.
pub fn first(conn: &mut Connection, filter: &LogFilter, deadline: Duration) -> Result<Option<Place>, DbError> {
    let row: Option<(i64, NaiveDateTime)> = within(conn, deadline, |conn| {
        let query = wanted(filter).order((core_log::created_at.asc(), core_log::id.asc()));
        Ok(query.select((core_log::id, core_log::created_at)).first(conn).optional()?)
    })?;
    Ok(row.map(place))
}

fn place((id, at): (i64, NaiveDateTime)) -> Place {
    Place { id: LogId(id), created_at: utc(at) }
}

fn wanted(filter: &LogFilter) -> core_log::BoxedQuery<'static, Mysql> {
    let conditions = of_apps_and_levels(&filter.apps, &filter.levels).into_iter().chain(of_the_rest(filter));
    conditions.fold(core_log::table.into_boxed(), QueryDsl::filter)
}
