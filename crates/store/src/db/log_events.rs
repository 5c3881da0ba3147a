//! `core_logevent`: the event ids of records, and the logs that were stored for them.
//!
//! [`super::writer`] looks them up, and writes them in the transaction that stores the logs. As long as a log is kept, its
//! event id is known.

use chrono::NaiveDate;
use diesel::prelude::*;
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

/// Forgets the event ids of logs from before `day`.
///
/// # Errors
/// See [`DbError`].
pub fn delete_before(conn: &mut Connection, day: NaiveDate) -> Result<(), DbError> {
    let sql = format!("DELETE FROM core_logevent WHERE created_at < '{day}' ORDER BY created_at LIMIT 10000");
    while diesel::sql_query(&sql).execute(conn)? > 0 {}
    Ok(())
}
