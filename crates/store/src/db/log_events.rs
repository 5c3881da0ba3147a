//! `core_logevent`: the event ids of records, and the logs that were stored for them.
//!
//! [`super::writer`] looks them up, and writes them in the transaction that stores the logs. As long as a log is kept, its
//! event id is known.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Datetime;
use logmon_core::app::AppId;

use super::{Connection, DbError};

/// Forgets some of an app's event ids and says how many; 0 when there are none left.
///
/// # Errors
/// See [`DbError`].
pub fn delete_some_of_app(conn: &mut Connection, app: AppId) -> Result<u64, DbError> {
    let sql = format!("DELETE FROM core_logevent WHERE app_id = {} ORDER BY event_id LIMIT 10000", app.0);
    let deleted = diesel::sql_query(sql).execute(conn)?;
    Ok(u64::try_from(deleted).unwrap_or(u64::MAX))
}

/// Forgets the event ids of logs from before `until` that are gone.
///
/// # Errors
/// See [`DbError`].
pub(super) fn delete_of_dropped(conn: &mut Connection, until: DateTime<Utc>) -> Result<(), DbError> {
    let sql = "DELETE FROM core_logevent WHERE created_at < ? AND NOT EXISTS (
                 SELECT 1 FROM core_log WHERE core_log.created_at = core_logevent.created_at AND core_log.id = log_id
               ) ORDER BY created_at LIMIT 10000";
    while diesel::sql_query(sql).bind::<Datetime, _>(until.naive_utc()).execute(conn)? > 0 {}
    Ok(())
}
