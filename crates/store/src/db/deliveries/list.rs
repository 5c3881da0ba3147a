//! Deliveries as people look at them, with each try; and those that were given up, sent again.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use logmon_core::alert::AlertId;
use logmon_core::notification::{ChannelId, DeliveryId, DeliveryState};
use logmon_core::page::Page;
use uuid::Uuid;

use super::super::schema::{core_delivery, core_deliveryattempt, core_notification};
use super::super::{Connection, DbError, utc};
use super::Attempt;

/// A delivery with what it tells.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The event's id.
    pub event_id: Uuid,
    /// The event's name.
    pub event: String,
    /// The alert that it is about.
    pub alert: Option<AlertId>,
    /// The channel.
    pub channel: ChannelId,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next, while it waits.
    pub next_at: DateTime<Utc>,
    /// The delivery that tells it with others.
    pub digest: Option<DeliveryId>,
    /// When it was due first.
    pub created_at: DateTime<Utc>,
    /// When it came to its end.
    pub finished_at: Option<DateTime<Utc>>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = core_delivery)]
struct DeliveryRow {
    id: i64,
    event_id: String,
    #[diesel(select_expression = core_notification::event)]
    event: String,
    #[diesel(select_expression = core_notification::alert_id)]
    alert_id: Option<i64>,
    channel_id: i64,
    state: String,
    attempts: i32,
    next_at: NaiveDateTime,
    digest_id: Option<i64>,
    created_at: NaiveDateTime,
    finished_at: Option<NaiveDateTime>,
}

impl DeliveryRow {
    fn read(self) -> Option<Delivery> {
        Some(Delivery {
            id: DeliveryId(self.id),
            event_id: self.event_id.parse().ok()?,
            event: self.event,
            alert: self.alert_id.map(AlertId),
            channel: ChannelId(self.channel_id),
            state: DeliveryState::from_name(&self.state)?,
            attempts: u32::try_from(self.attempts).unwrap_or(0),
            next_at: utc(self.next_at),
            digest: self.digest_id.map(DeliveryId),
            created_at: utc(self.created_at),
            finished_at: self.finished_at.map(utc),
        })
    }
}

/// Which deliveries are wanted.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Only of this channel.
    pub channel: Option<ChannelId>,
    /// Only about this alert.
    pub alert: Option<AlertId>,
    /// Only those so far.
    pub state: Option<DeliveryState>,
}

/// A page of the deliveries, newest first: the order of their ids.
///
/// # Errors
/// See [`DbError`].
pub fn list(conn: &mut Connection, filter: &DeliveryFilter, page: Page) -> Result<Vec<Delivery>, DbError> {
    let mut query =
        core_delivery::table.inner_join(core_notification::table).select(DeliveryRow::as_select()).into_boxed();
    if let Some(channel) = filter.channel {
        query = query.filter(core_delivery::channel_id.eq(channel.0));
    }
    if let Some(alert) = filter.alert {
        query = query.filter(core_notification::alert_id.eq(alert.0));
    }
    if let Some(state) = filter.state {
        query = query.filter(core_delivery::state.eq(state.as_str()));
    }
    if let Some(after) = page.after {
        query = query.filter(core_delivery::id.lt(after.id));
    }
    let rows: Vec<DeliveryRow> = query.order(core_delivery::id.desc()).limit(page.limit.into()).load(conn)?;
    Ok(rows.into_iter().filter_map(DeliveryRow::read).collect())
}

/// One delivery with its tries, the oldest first.
///
/// # Errors
/// See [`DbError`].
pub fn show(conn: &mut Connection, id: DeliveryId) -> Result<Option<(Delivery, Vec<Attempt>)>, DbError> {
    let row: Option<DeliveryRow> = core_delivery::table
        .inner_join(core_notification::table)
        .select(DeliveryRow::as_select())
        .filter(core_delivery::id.eq(id.0))
        .first(conn)
        .optional()?;
    let Some(delivery) = row.and_then(DeliveryRow::read) else { return Ok(None) };
    let rows: Vec<(NaiveDateTime, Option<i16>, i32, String)> = core_deliveryattempt::table
        .select((
            core_deliveryattempt::created_at,
            core_deliveryattempt::status,
            core_deliveryattempt::duration_ms,
            core_deliveryattempt::answer,
        ))
        .filter(core_deliveryattempt::delivery_id.eq(id.0))
        .order(core_deliveryattempt::id)
        .load(conn)?;
    let attempt = |(at, status, duration_ms, answer): (_, Option<i16>, _, _)| Attempt {
        at: utc(at),
        status: status.and_then(|status| u16::try_from(status).ok()),
        duration_ms: u32::try_from(duration_ms).unwrap_or(0),
        answer,
    };
    Ok(Some((delivery, rows.into_iter().map(attempt).collect())))
}

/// Lets a delivery that was given up be sent again, now; false when it is not given up.
///
/// # Errors
/// See [`DbError`].
pub fn send_again(conn: &mut Connection, id: DeliveryId, now: DateTime<Utc>) -> Result<bool, DbError> {
    let dead = core_delivery::table.find(id.0).filter(core_delivery::state.eq(DeliveryState::Dead.as_str()));
    let updated = diesel::update(dead)
        .set((
            core_delivery::state.eq(DeliveryState::Waiting.as_str()),
            core_delivery::attempts.eq(0),
            core_delivery::next_at.eq(now.naive_utc()),
            core_delivery::finished_at.eq(None::<NaiveDateTime>),
        ))
        .execute(conn)?;
    Ok(updated > 0)
}
