//! `core_log` by id, for who follows what is stored.

use diesel::mysql::Mysql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use logmon_core::log::{LogId, Seen};

use super::super::schema::core_log;
use super::super::{Connection, DbError};
use super::LogsPage;
use super::short::{Short, short, whole};

/// How many gaps are looked into, the newest ones. There are as many only where the ids of a statement lie apart.
const GAPS_MAX: usize = 100;

/// So much is read at a time, but for the last log: each reader that comes back has it in memory.
const BYTES: usize = 4 << 20;

/// The newest ids, the largest first.
///
/// # Errors
/// See [`DbError`].
pub fn newest(conn: &mut Connection, limit: u32) -> Result<Vec<LogId>, DbError> {
    let ids: Vec<i64> =
        core_log::table.select(core_log::id).order(core_log::id.desc()).limit(limit.into()).load(conn)?;
    Ok(ids.into_iter().map(LogId).collect())
}

/// Logs that are not among `seen`, at most `limit`: first what has come to be in its gaps, then those with larger ids. They end
/// earlier once they have [`BYTES`].
///
/// # Errors
/// See [`DbError`].
pub fn unseen(conn: &mut Connection, seen: &Seen, limit: u32) -> Result<LogsPage, DbError> {
    let mut rows = match in_gaps(seen) {
        Some(in_gaps) => read(conn, in_gaps, limit)?,
        None => Vec::new(),
    };
    let left = limit.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
    if left > 0 {
        rows.extend(read(conn, Box::new(core_log::id.gt(seen.last().0)), left)?);
    }
    let is_full = u32::try_from(rows.len()).is_ok_and(|count| count >= limit);
    let page = whole(conn, rows, BYTES)?;
    Ok(LogsPage { has_more: page.has_more || is_full, ..page })
}

type Condition = Box<dyn BoxableExpression<core_log::table, Mysql, SqlType = Bool>>;

fn in_gaps(seen: &Seen) -> Option<Condition> {
    let gaps: Vec<_> = seen.gaps().collect();
    let newest = gaps.into_iter().rev().take(GAPS_MAX);
    newest.fold(None, |found: Option<Condition>, gap| {
        let gap = core_log::id.between(*gap.start(), *gap.end());
        Some(match found {
            None => Box::new(gap),
            Some(found) => Box::new(found.or(gap)),
        })
    })
}

fn read(conn: &mut Connection, condition: Condition, limit: u32) -> Result<Vec<Short>, DbError> {
    let rows = core_log::table.select(short()).filter(condition);
    Ok(rows.order(core_log::id.asc()).limit(limit.into()).load(conn)?)
}
