//! `core_ingestkey`: which requests were stored already, and what they were answered.
//!
//! A key is written by [`super::writer`] in the transaction that stores the request's logs: whoever finds it knows that
//! they are stored, and who does not, that they are not.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::dsl::max;
use diesel::prelude::*;
use logmon_core::tasks::KeyOrigin;

use super::schema::core_ingestkey;
use super::{Connection, DbError, utc};

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

/// Forgets the keys that clients made and that are older than `before`.
///
/// # Errors
/// See [`DbError`].
pub fn delete_of_clients(conn: &mut Connection, before: DateTime<Utc>) -> Result<(), DbError> {
    delete(conn, KeyOrigin::Client.as_str(), before)
}

/// Who made a key says nothing any more once its batch is a dead letter.
const BURIED: &str = "buried";

/// Keeps the keys of batches that are dead letters: each of them counts as made now, and is forgotten by
/// [`delete_of_buried`] alone.
///
/// # Errors
/// See [`DbError`].
pub fn keep(conn: &mut Connection, keys: &[String], now: DateTime<Utc>) -> Result<(), DbError> {
    for keys in keys.chunks(500) {
        let keys = keys.iter().map(String::as_bytes);
        diesel::update(core_ingestkey::table.filter(core_ingestkey::idempotency_key.eq_any(keys)))
            .set((core_ingestkey::origin.eq(BURIED), core_ingestkey::created_at.eq(now.naive_utc())))
            .execute(conn)?;
    }
    Ok(())
}

/// Forgets the keys that were kept last before `before`.
///
/// # Errors
/// See [`DbError`].
pub fn delete_of_buried(conn: &mut Connection, before: DateTime<Utc>) -> Result<(), DbError> {
    delete(conn, BURIED, before)
}

/// How long, at most, a batch takes to come again once workers store batches: those that dead workers held come next.
const COMES_AGAIN: TimeDelta = TimeDelta::hours(1);

/// Forgets the keys of queued batches that cannot come again.
///
/// Those are older by an hour than one which is an hour old itself: workers were storing batches well after them. Only such
/// time counts, for without a worker a batch waits on Redis for days.
///
/// # Errors
/// See [`DbError`].
pub fn delete_of_batches(conn: &mut Connection, now: DateTime<Utc>) -> Result<(), DbError> {
    let newest: Option<NaiveDateTime> = core_ingestkey::table
        .select(max(core_ingestkey::created_at))
        .filter(core_ingestkey::origin.eq(KeyOrigin::Batch.as_str()))
        .filter(core_ingestkey::created_at.le((now - COMES_AGAIN).naive_utc()))
        .first(conn)?;
    newest.map_or(Ok(()), |newest| delete(conn, KeyOrigin::Batch.as_str(), utc(newest) - COMES_AGAIN))
}

fn delete(conn: &mut Connection, origin: &str, before: DateTime<Utc>) -> Result<(), DbError> {
    let before = before.format("%Y-%m-%d %H:%M:%S");
    let sql = format!(
        "DELETE FROM core_ingestkey WHERE origin = '{origin}' AND created_at < '{before}' ORDER BY created_at LIMIT 10000"
    );
    while diesel::sql_query(&sql).execute(conn)? > 0 {}
    Ok(())
}
