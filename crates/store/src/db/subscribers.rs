//! `core_subscriber` and `core_subscriberchannel`: who gets a report a day, and through which channels.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as QueryError};
use logmon_core::language::Language;
use logmon_core::notification::{ChannelId, ChannelKind};
use logmon_core::page::Page;
use logmon_core::report::{NewSubscriber, Scope, SubscriberId};
use thiserror::Error;

use super::schema::{core_channel, core_subscriber, core_subscriberchannel};
use super::{Connection, DbError, Retryable, channels, transaction, utc};

/// A subscriber that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// Its id.
    pub id: SubscriberId,
    /// What people made.
    pub says: NewSubscriber,
    /// When it was made: days that were over by then are not reported to it.
    pub created_at: DateTime<Utc>,
}

/// A subscriber could not be made or changed.
#[derive(Debug, Error)]
pub enum SaveSubscriberError {
    /// Another subscriber has that name.
    #[error("a subscriber with this name already exists")]
    NameTaken,
    /// There is no such channel.
    #[error("there is no channel {}", .0.0)]
    NoSuchChannel(ChannelId),
    /// The channel takes alerts and nothing else.
    #[error("the channel {} takes alerts only", .0.0)]
    AlertsOnly(ChannelId),
    /// See [`DbError`].
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<QueryError> for SaveSubscriberError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::NameTaken,
            error => Self::Db(error.into()),
        }
    }
}

impl Retryable for SaveSubscriberError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::NameTaken | Self::NoSuchChannel(_) | Self::AlertsOnly(_) => false,
            Self::Db(error) => error.is_retryable(),
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = core_subscriber)]
struct SubscriberRow {
    id: i64,
    name: String,
    owner: Option<String>,
    is_enabled: bool,
    language: Option<String>,
    created_at: NaiveDateTime,
}

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = core_subscriber, treat_none_as_null = true)]
struct SavedRow<'a> {
    name: &'a str,
    owner: Option<&'a str>,
    is_enabled: bool,
    language: Option<&'a str>,
}

impl<'a> SavedRow<'a> {
    fn of(says: &'a NewSubscriber) -> Self {
        Self {
            name: &says.name,
            owner: says.scope.owner(),
            is_enabled: says.enabled,
            language: says.language.map(Language::as_str),
        }
    }
}

/// A page of the subscribers, newest first.
///
/// # Errors
/// See [`DbError`].
pub fn list(conn: &mut Connection, page: Page) -> Result<Vec<Subscriber>, DbError> {
    let mut query = core_subscriber::table.select(SubscriberRow::as_select()).into_boxed();
    if let Some(after) = page.after {
        query = query.filter(core_subscriber::id.lt(after.id));
    }
    let rows = query.order(core_subscriber::id.desc()).limit(page.limit.into()).load(conn)?;
    with_channels(conn, rows)
}

/// Those that reports are made for.
///
/// # Errors
/// See [`DbError`].
pub fn enabled(conn: &mut Connection) -> Result<Vec<Subscriber>, DbError> {
    let rows = core_subscriber::table
        .select(SubscriberRow::as_select())
        .filter(core_subscriber::is_enabled.eq(true))
        .order(core_subscriber::id)
        .load(conn)?;
    with_channels(conn, rows)
}

/// One subscriber.
///
/// # Errors
/// See [`DbError`].
pub fn get(conn: &mut Connection, id: SubscriberId) -> Result<Option<Subscriber>, DbError> {
    let row = core_subscriber::table.find(id.0).select(SubscriberRow::as_select()).first(conn).optional()?;
    Ok(with_channels(conn, row.into_iter().collect())?.pop())
}

/// Makes a subscriber whose name no other has.
///
/// # Errors
/// See [`SaveSubscriberError`].
pub fn create(
    conn: &mut Connection,
    says: &NewSubscriber,
    now: DateTime<Utc>,
) -> Result<Subscriber, SaveSubscriberError> {
    transaction(conn, |conn| {
        check_channels(conn, &says.channels)?;
        diesel::insert_into(core_subscriber::table)
            .values((SavedRow::of(says), core_subscriber::created_at.eq(now.naive_utc())))
            .execute(conn)?;
        let id = SubscriberId(super::number(conn, "SELECT CAST(LAST_INSERT_ID() AS SIGNED) AS value")?);
        set_channels(conn, id, &says.channels)?;
        Ok(Subscriber { id, says: says.clone(), created_at: now })
    })
}

/// Lets a subscriber be as `says` has it; `None` when there is no such subscriber.
///
/// # Errors
/// See [`SaveSubscriberError`].
pub fn update(
    conn: &mut Connection,
    id: SubscriberId,
    says: &NewSubscriber,
) -> Result<Option<Subscriber>, SaveSubscriberError> {
    transaction(conn, |conn| {
        if !lock(conn, id)? {
            return Ok(None);
        }
        let Some(kept) = get(conn, id)? else { return Ok(None) };
        check_channels(conn, &says.channels)?;
        set_channels(conn, id, &says.channels)?;
        diesel::update(core_subscriber::table.find(id.0)).set(SavedRow::of(says)).execute(conn)?;
        Ok(Some(Subscriber { says: says.clone(), ..kept }))
    })
}

/// Deletes a subscriber with its reports. Says whether it was there.
///
/// # Errors
/// See [`DbError`].
pub fn delete(conn: &mut Connection, id: SubscriberId) -> Result<bool, DbError> {
    Ok(diesel::delete(core_subscriber::table.find(id.0)).execute(conn)? == 1)
}

/// Locks a subscriber until the transaction ends; false when there is none. Whoever makes a report takes this lock first.
pub(super) fn lock(conn: &mut Connection, id: SubscriberId) -> Result<bool, DbError> {
    let row = core_subscriber::table.find(id.0).select(core_subscriber::id).for_update().first::<i64>(conn);
    Ok(row.optional()?.is_some())
}

fn with_channels(conn: &mut Connection, rows: Vec<SubscriberRow>) -> Result<Vec<Subscriber>, DbError> {
    // The database does not keep a channel that a subscriber has from being deleted.
    let pairs: Vec<(i64, i64)> = core_subscriberchannel::table
        .inner_join(core_channel::table.on(core_channel::id.eq(core_subscriberchannel::channel_id)))
        .select((core_subscriberchannel::subscriber_id, core_subscriberchannel::channel_id))
        .filter(core_subscriberchannel::subscriber_id.eq_any(rows.iter().map(|row| row.id)))
        .order((core_subscriberchannel::subscriber_id, core_subscriberchannel::channel_id))
        .load(conn)?;
    let mut channels = channels::by_whom(pairs);
    let subscriber = |row: SubscriberRow| Subscriber {
        id: SubscriberId(row.id),
        says: NewSubscriber {
            name: row.name,
            scope: Scope::of(row.owner),
            channels: channels.remove(&row.id).unwrap_or_default(),
            enabled: row.is_enabled,
            language: row.language.as_deref().and_then(Language::from_name),
        },
        created_at: utc(row.created_at),
    };
    Ok(rows.into_iter().map(subscriber).collect())
}

fn check_channels(conn: &mut Connection, channels: &[ChannelId]) -> Result<(), SaveSubscriberError> {
    let held = channels::hold(conn, channels)?;
    for channel in channels {
        match held.get(channel) {
            None => return Err(SaveSubscriberError::NoSuchChannel(*channel)),
            Some(kind) if kind == ChannelKind::Alertmanager.as_str() => {
                return Err(SaveSubscriberError::AlertsOnly(*channel));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn set_channels(conn: &mut Connection, id: SubscriberId, channels: &[ChannelId]) -> Result<(), DbError> {
    diesel::delete(core_subscriberchannel::table.filter(core_subscriberchannel::subscriber_id.eq(id.0)))
        .execute(conn)?;
    let rows: Vec<_> = channels
        .iter()
        .map(|channel| {
            (core_subscriberchannel::subscriber_id.eq(id.0), core_subscriberchannel::channel_id.eq(channel.0))
        })
        .collect();
    diesel::insert_into(core_subscriberchannel::table).values(rows).execute(conn)?;
    Ok(())
}
