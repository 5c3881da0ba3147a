//! The outbox: `core_notification` is what happened, `core_delivery` whom it is told, `core_deliveryattempt` each try.
//!
//! A row is written in the transaction of what it tells of, and is delivered at least once: an attempt that nobody could
//! record is made again, with the same event id.

mod list;

use chrono::{DateTime, Utc};
use diesel::dsl::{count_star, exists, sql};
use diesel::prelude::*;
use diesel::result::Error as QueryError;
use diesel::sql_types::{Datetime, Text};
use logmon_core::alert::AlertId;
use logmon_core::notification::{ChannelId, DeliveryId, DeliveryState, Digest, EventId, Notification, ReportNotice};

use super::schema::{core_channel, core_delivery, core_deliveryattempt, core_notification};
use super::{Connection, DbError, transaction};
pub use list::{Delivery, DeliveryFilter, list, send_again, show};

/// A delivery that is due.
#[derive(Debug, Clone)]
pub struct Due {
    /// Its id.
    pub id: DeliveryId,
    /// What is told: a `Payload` as JSON.
    pub payload: String,
    /// How often it was tried.
    pub attempts: u32,
}

/// A try to tell.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// When.
    pub at: DateTime<Utc>,
    /// The receiver's status, if it answered.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub duration_ms: u32,
    /// The first bytes of its answer, or why there is none.
    pub answer: String,
}

/// What becomes of a delivery after a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The receiver has it.
    Delivered,
    /// It is tried again then.
    Retry(DateTime<Utc>),
    /// It is given up.
    Dead,
}

impl Next {
    fn outcome(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry(_) => "retry",
            Self::Dead => "dead",
        }
    }
}

/// Tells of what happened through each of these channels that is there and on. To be called in the transaction in which it
/// happened.
///
/// # Errors
/// See [`DbError`].
pub fn announce(conn: &mut Connection, event: &Notification, channels: &[ChannelId]) -> Result<(), DbError> {
    if channels.is_empty() {
        return Ok(());
    }
    let json = event.to_json().map_err(|e| QueryError::SerializationError(e.into()))?;
    insert_notification(conn, event.event_id, event.event.as_str(), Some(event.alert.id), &json, event.at)?;
    deliver(conn, event.event_id, event.at, channels, Wait::ForOthers)
}

/// The same of a daily report.
///
/// # Errors
/// See [`DbError`].
pub fn announce_report(conn: &mut Connection, notice: &ReportNotice, channels: &[ChannelId]) -> Result<(), DbError> {
    if channels.is_empty() {
        return Ok(());
    }
    let json = notice.to_json().map_err(|e| QueryError::SerializationError(e.into()))?;
    insert_notification(conn, notice.event_id, notice.event.as_str(), None, &json, notice.at)?;
    deliver(conn, notice.event_id, notice.at, channels, Wait::Not)
}

/// Whether a channel that groups what happens together waits for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    ForOthers,
    Not,
}

/// Has a notification delivered through each of these channels that is there and on.
fn deliver(
    conn: &mut Connection,
    id: EventId,
    at: DateTime<Utc>,
    channels: &[ChannelId],
    wait: Wait,
) -> Result<(), DbError> {
    let (id, at) = (id.0.to_string(), at.naive_utc());
    let seconds = match wait {
        Wait::ForOthers => " AS DATETIME(6)) + INTERVAL COALESCE(core_channel.group_wait, 0) SECOND",
        Wait::Not => " AS DATETIME(6))",
    };
    let next_at = sql::<Datetime>("CAST(").bind::<Datetime, _>(at).sql(seconds);
    let told = core_channel::table
        .filter(core_channel::id.eq_any(channels.iter().map(|channel| channel.0)))
        .filter(core_channel::is_enabled.eq(true))
        .select((id.into_sql::<Text>(), core_channel::id, next_at, at.into_sql::<Datetime>()));
    diesel::insert_into(core_delivery::table)
        .values(told)
        .into_columns((
            core_delivery::event_id,
            core_delivery::channel_id,
            core_delivery::next_at,
            core_delivery::created_at,
        ))
        .execute(conn)?;
    Ok(())
}

fn insert_notification(
    conn: &mut Connection,
    id: EventId,
    event: &str,
    alert: Option<AlertId>,
    payload: &str,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    diesel::insert_into(core_notification::table)
        .values((
            core_notification::event_id.eq(id.0.to_string()),
            core_notification::event.eq(event),
            core_notification::alert_id.eq(alert.map(|alert| alert.0)),
            core_notification::payload.eq(payload),
            core_notification::created_at.eq(at.naive_utc()),
        ))
        .execute(conn)?;
    Ok(())
}

/// The channels that have something to tell, are on, and are used by nobody now.
///
/// # Errors
/// See [`DbError`].
pub fn due_channels(conn: &mut Connection, now: DateTime<Utc>) -> Result<Vec<ChannelId>, DbError> {
    let now = now.naive_utc();
    let due = core_delivery::table
        .filter(core_delivery::channel_id.eq(core_channel::id))
        .filter(core_delivery::state.eq(DeliveryState::Waiting.as_str()))
        .filter(core_delivery::next_at.le(now));
    let free = core_channel::claimed_until.is_null().or(core_channel::claimed_until.le(now).assume_not_null());
    let ids = core_channel::table
        .select(core_channel::id)
        .filter(core_channel::is_enabled.eq(true))
        .filter(free)
        .filter(exists(due))
        .order(core_channel::id)
        .load(conn)?;
    Ok(ids.into_iter().map(ChannelId).collect())
}

/// What a channel has to tell now, at most `limit`, the oldest first.
///
/// # Errors
/// See [`DbError`].
pub fn due(conn: &mut Connection, channel: ChannelId, now: DateTime<Utc>, limit: u32) -> Result<Vec<Due>, DbError> {
    let rows: Vec<(i64, String, i32)> = core_delivery::table
        .inner_join(core_notification::table)
        .select((core_delivery::id, core_notification::payload, core_delivery::attempts))
        .filter(core_delivery::channel_id.eq(channel.0))
        .filter(core_delivery::state.eq(DeliveryState::Waiting.as_str()))
        .filter(core_delivery::next_at.le(now.naive_utc()))
        .order(core_delivery::id)
        .limit(limit.into())
        .load(conn)?;
    let due =
        |(id, payload, attempts)| Due { id: DeliveryId(id), payload, attempts: u32::try_from(attempts).unwrap_or(0) };
    Ok(rows.into_iter().map(due).collect())
}

/// What a channel has to tell until then and was not tried yet, at most `limit`, the oldest first.
///
/// # Errors
/// See [`DbError`].
pub fn untried(
    conn: &mut Connection,
    channel: ChannelId,
    until: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<Due>, DbError> {
    let mut due = due(conn, channel, until, limit)?;
    due.retain(|due| due.attempts == 0);
    Ok(due)
}

/// How often a channel was used since then.
///
/// # Errors
/// See [`DbError`].
pub fn used_since(conn: &mut Connection, channel: ChannelId, since: DateTime<Utc>) -> Result<u64, DbError> {
    let count: i64 = core_deliveryattempt::table
        .select(count_star())
        .filter(core_deliveryattempt::channel_id.eq(channel.0))
        .filter(core_deliveryattempt::created_at.gt(since.naive_utc()))
        .first(conn)?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Puts one delivery, which tells several events, in the place of those that tell them one by one.
///
/// # Errors
/// See [`DbError`].
pub fn fold(
    conn: &mut Connection,
    channel: ChannelId,
    folded: &[DeliveryId],
    digest: &Digest,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let json = digest.to_json().map_err(|e| QueryError::SerializationError(e.into()))?;
    transaction(conn, |conn| {
        insert_notification(conn, digest.event_id, "digest", None, &json, now)?;
        diesel::insert_into(core_delivery::table)
            .values((
                core_delivery::event_id.eq(digest.event_id.0.to_string()),
                core_delivery::channel_id.eq(channel.0),
                core_delivery::next_at.eq(now.naive_utc()),
                core_delivery::created_at.eq(now.naive_utc()),
            ))
            .execute(conn)?;
        let id = super::number(conn, "SELECT CAST(LAST_INSERT_ID() AS SIGNED) AS value")?;
        let those = core_delivery::table
            .filter(core_delivery::id.eq_any(folded.iter().map(|id| id.0)))
            .filter(core_delivery::state.eq(DeliveryState::Waiting.as_str()));
        diesel::update(those)
            .set((
                core_delivery::state.eq(DeliveryState::Folded.as_str()),
                core_delivery::digest_id.eq(id),
                core_delivery::finished_at.eq(now.naive_utc()),
            ))
            .execute(conn)?;
        Ok(())
    })
}

/// Lets what a channel has to tell now wait until then.
///
/// # Errors
/// See [`DbError`].
pub fn postpone(
    conn: &mut Connection,
    channel: ChannelId,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<(), DbError> {
    let waiting = core_delivery::table
        .filter(core_delivery::channel_id.eq(channel.0))
        .filter(core_delivery::state.eq(DeliveryState::Waiting.as_str()))
        .filter(core_delivery::next_at.le(now.naive_utc()));
    diesel::update(waiting).set(core_delivery::next_at.eq(until.naive_utc())).execute(conn)?;
    Ok(())
}

/// Keeps a try, and what becomes of the delivery.
///
/// # Errors
/// See [`DbError`].
pub fn record(
    conn: &mut Connection,
    channel: ChannelId,
    id: DeliveryId,
    attempt: &Attempt,
    next: Next,
) -> Result<(), DbError> {
    transaction(conn, |conn| {
        diesel::insert_into(core_deliveryattempt::table)
            .values((
                core_deliveryattempt::delivery_id.eq(id.0),
                core_deliveryattempt::channel_id.eq(channel.0),
                core_deliveryattempt::created_at.eq(attempt.at.naive_utc()),
                core_deliveryattempt::outcome.eq(next.outcome()),
                core_deliveryattempt::status.eq(attempt.status.and_then(|status| i16::try_from(status).ok())),
                core_deliveryattempt::duration_ms.eq(i32::try_from(attempt.duration_ms).unwrap_or(i32::MAX)),
                core_deliveryattempt::answer.eq(&attempt.answer),
            ))
            .execute(conn)?;
        let (state, next_at, finished_at) = match next {
            Next::Delivered => (DeliveryState::Delivered, None, Some(attempt.at.naive_utc())),
            Next::Retry(at) => (DeliveryState::Waiting, Some(at.naive_utc()), None),
            Next::Dead => (DeliveryState::Dead, None, Some(attempt.at.naive_utc())),
        };
        diesel::update(core_delivery::table.find(id.0))
            .set((
                core_delivery::state.eq(state.as_str()),
                core_delivery::attempts.eq(core_delivery::attempts + 1),
                next_at.map(|at| core_delivery::next_at.eq(at)),
                core_delivery::finished_at.eq(finished_at),
            ))
            .execute(conn)?;
        Ok(())
    })
}

/// Forgets what happened before then, but for what still waits; at most some thousands at once. How many went.
///
/// # Errors
/// See [`DbError`].
pub fn forget_before(conn: &mut Connection, before: DateTime<Utc>) -> Result<usize, DbError> {
    const AT_ONCE: i64 = 5_000;
    let waiting = core_delivery::table
        .filter(core_delivery::event_id.eq(core_notification::event_id))
        .filter(core_delivery::state.eq(DeliveryState::Waiting.as_str()));
    let old: Vec<String> = core_notification::table
        .select(core_notification::event_id)
        .filter(core_notification::created_at.lt(before.naive_utc()))
        .filter(diesel::dsl::not(exists(waiting)))
        .limit(AT_ONCE)
        .load(conn)?;
    Ok(diesel::delete(core_notification::table.filter(core_notification::event_id.eq_any(old))).execute(conn)?)
}
