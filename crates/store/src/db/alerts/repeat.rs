//! Alerts that go on and that nobody looks after: told again, each time that a channel has said nothing of them for as long as
//! it states.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bigint, Datetime};
use logmon_core::alert::AlertId;
use logmon_core::notification::ChannelId;

use super::super::schema::core_alert;
use super::super::{Connection, DbError, alert_events, transaction};

/// How many alerts are looked for at once.
const AT_ONCE: u32 = 500;

/// The channels of an alert's rule that have said nothing of it for as long as they state. What one was last told is told when
/// it was sent or given up: while it waits nothing is added to it, so after a time in which nothing was sent there is one word,
/// not as many as were missed. One that flaps was told to be quiet,
/// and one that is under a silence is.
const UNTOLD: &str = "
    FROM core_alert a
    JOIN core_rule r ON r.id = a.rule_id AND r.is_enabled
    JOIN core_rulechannel rc ON rc.rule_id = r.id
    JOIN core_channel c ON c.id = rc.channel_id AND c.is_enabled AND c.repeat_after IS NOT NULL
    WHERE a.is_resolved = 0 AND a.acknowledged_at IS NULL AND a.is_flapping = 0
      AND a.silenced_by IS NULL
      AND a.created_at <= ? - INTERVAL c.repeat_after SECOND
      AND NOT EXISTS (
        SELECT 1 FROM core_notification n
        JOIN core_delivery d ON d.event_id = n.event_id AND d.channel_id = c.id
        LEFT JOIN core_delivery g ON g.id = d.digest_id
        WHERE n.alert_id = a.id
          AND (d.state = 'waiting' OR g.state = 'waiting'
               OR COALESCE(g.finished_at, d.finished_at) > ? - INTERVAL c.repeat_after SECOND))";

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = Bigint)]
    id: i64,
}

/// The alerts that are open, that nobody looks after, and that a channel is to be told of again: the oldest of them.
///
/// # Errors
/// See [`DbError`].
pub fn unheeded(conn: &mut Connection, now: DateTime<Utc>) -> Result<Vec<AlertId>, DbError> {
    let ids: Vec<Id> = diesel::sql_query(format!("SELECT DISTINCT a.id {UNTOLD} ORDER BY a.id LIMIT {AT_ONCE}"))
        .bind::<Datetime, _>(now.naive_utc())
        .bind::<Datetime, _>(now.naive_utc())
        .load(conn)?;
    Ok(ids.into_iter().map(|row| AlertId(row.id)).collect())
}

/// Tells an alert again to the channels that are due, however many try at once; how many those were.
///
/// # Errors
/// See [`DbError`].
pub fn repeat(conn: &mut Connection, alert: AlertId, now: DateTime<Utc>) -> Result<usize, DbError> {
    transaction(conn, |conn| {
        // Before anything else is read, so that what follows sees what others did before they gave the lock away.
        let locked: Option<i64> =
            core_alert::table.find(alert.0).select(core_alert::id).for_update().first(conn).optional()?;
        if locked.is_none() {
            return Ok(0);
        }
        let channels: Vec<Id> = diesel::sql_query(format!("SELECT c.id {UNTOLD} AND a.id = ? ORDER BY c.id"))
            .bind::<Datetime, _>(now.naive_utc())
            .bind::<Datetime, _>(now.naive_utc())
            .bind::<Bigint, _>(alert.0)
            .load(conn)?;
        let channels: Vec<ChannelId> = channels.into_iter().map(|row| ChannelId(row.id)).collect();
        if !channels.is_empty() {
            alert_events::record_repeat(conn, alert, &channels, now)?;
        }
        Ok(channels.len())
    })
}
