//! `core_ingestkey`: which requests were stored already, and what they were answered.
//!
//! A key is written by [`super::writer`] in the transaction that stores the request's logs: whoever finds it knows that
//! they are stored, and who does not, that they are not.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::schema::core_ingestkey;
use super::{Connection, DbError};

/// A request that was stored under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The SHA-256 of its body.
    pub body_hash: Vec<u8>,
    /// The HTTP status that it was answered with.
    pub status: u16,
    /// The body of the answer.
    pub answer: String,
}

/// The request that was stored under `key`, if there was one.
///
/// # Errors
/// See [`DbError`].
pub fn find(conn: &mut Connection, key: &str) -> Result<Option<Stored>, DbError> {
    let row: Option<(Vec<u8>, i16, String)> = core_ingestkey::table
        .find(key.as_bytes())
        .select((core_ingestkey::body_hash, core_ingestkey::status, core_ingestkey::answer))
        .first(conn)
        .optional()?;
    Ok(row.map(|(body_hash, status, answer)| Stored { body_hash, status: status.unsigned_abs(), answer }))
}

/// Forgets the keys that are older than `before`.
///
/// # Errors
/// See [`DbError`].
pub fn delete_before(conn: &mut Connection, before: DateTime<Utc>) -> Result<(), DbError> {
    let sql =
        format!("DELETE FROM core_ingestkey WHERE created_at < '{}' LIMIT 10000", before.format("%Y-%m-%d %H:%M:%S"));
    while diesel::sql_query(&sql).execute(conn)? > 0 {}
    Ok(())
}
