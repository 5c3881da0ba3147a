//! `core_channel`: where people are told. Secrets are sealed here on their way in, and opened on their way out.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as QueryError};
use logmon_core::notification::{Channel, ChannelConfig, ChannelId, ChannelKind, NewChannel, QuietHours, RateLimit};
use logmon_core::page::Page;
use logmon_core::seal::{CannotOpen, Sealer};
use thiserror::Error;
use uuid::Uuid;

use super::schema::{core_channel, core_rule, core_rulechannel, core_subscriber, core_subscriberchannel};
use super::{Connection, DbError, transaction, utc};

/// What the sealed configurations of channels are sealed for.
const PURPOSE: &str = "channel";

#[derive(Queryable, Selectable)]
#[diesel(table_name = core_channel)]
struct ChannelRow {
    id: i64,
    kind: String,
    name: String,
    config: String,
    sealed: Option<Vec<u8>>,
    is_enabled: bool,
    rate_limit: Option<i32>,
    group_wait: Option<i32>,
    quiet_hours: Option<String>,
    repeat_after: Option<i32>,
    template: Option<String>,
    created_at: NaiveDateTime,
}

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = core_channel, treat_none_as_null = true)]
struct SavedRow<'a> {
    kind: &'a str,
    name: &'a str,
    config: String,
    sealed: Option<Vec<u8>>,
    is_enabled: bool,
    rate_limit: Option<i32>,
    group_wait: Option<i32>,
    quiet_hours: Option<String>,
    repeat_after: Option<i32>,
    template: Option<String>,
}

/// A channel as it is shown, without its secrets.
#[derive(Debug, Clone)]
pub struct ShownChannel {
    /// Its id.
    pub id: ChannelId,
    /// Its kind.
    pub kind: ChannelKind,
    /// Its name.
    pub name: String,
    /// Its configuration without secrets.
    pub config: serde_json::Value,
    /// Whether it is used.
    pub enabled: bool,
    /// How often it is used at most.
    pub rate_limit: Option<RateLimit>,
    /// For how long what happens waits for what happens with it.
    pub group_wait: Option<Duration>,
    /// When it is not used.
    pub quiet_hours: Option<QuietHours>,
    /// After how long an open alert is told again.
    pub repeat_after: Option<Duration>,
    /// Its template as JSON.
    pub template: Option<serde_json::Value>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A channel could not be made or changed.
#[derive(Debug, Error)]
pub enum SaveChannelError {
    /// Another channel has that name.
    #[error("a channel with this name already exists")]
    NameTaken,
    /// It has secrets, and there is no `SECRET_KEY` to seal them with.
    #[error("SECRET_KEY is not set")]
    NoKey,
    /// See [`DbError`].
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<QueryError> for SaveChannelError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::NameTaken,
            error => Self::Db(error.into()),
        }
    }
}

/// A channel is there, but cannot be used.
#[derive(Debug, Error)]
pub enum OpenChannelError {
    /// It has secrets, and there is no `SECRET_KEY` to open them with.
    #[error("SECRET_KEY is not set, so the channel's secrets cannot be opened")]
    NoKey,
    /// See [`CannotOpen`].
    #[error("the channel's secrets cannot be opened: {0}; save them again")]
    CannotOpen(#[from] CannotOpen),
    /// The row holds what this version does not know.
    #[error("the channel cannot be read: {0}")]
    Malformed(String),
    /// See [`DbError`].
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<QueryError> for OpenChannelError {
    fn from(error: QueryError) -> Self {
        Self::Db(error.into())
    }
}

/// A page of the channels, newest first. Those of a kind that this version does not know are left out.
///
/// # Errors
/// See [`DbError`].
pub fn list(conn: &mut Connection, page: Page) -> Result<Vec<ShownChannel>, DbError> {
    let mut query = core_channel::table.select(ChannelRow::as_select()).into_boxed();
    if let Some(after) = page.after {
        let time = after.created_at.naive_utc();
        query = query.filter(
            core_channel::created_at.lt(time).or(core_channel::created_at.eq(time).and(core_channel::id.lt(after.id))),
        );
    }
    let rows: Vec<ChannelRow> =
        query.order((core_channel::created_at.desc(), core_channel::id.desc())).limit(page.limit.into()).load(conn)?;
    Ok(rows.into_iter().filter_map(ChannelRow::shown).collect())
}

/// One channel as it is shown.
///
/// # Errors
/// See [`DbError`].
pub fn show(conn: &mut Connection, id: ChannelId) -> Result<Option<ShownChannel>, DbError> {
    let row = core_channel::table.find(id.0).select(ChannelRow::as_select()).first(conn).optional()?;
    Ok(row.and_then(ChannelRow::shown))
}

/// One channel with its secrets.
///
/// # Errors
/// See [`OpenChannelError`].
pub fn open(
    conn: &mut Connection,
    id: ChannelId,
    sealer: Option<&Sealer>,
) -> Result<Option<Channel>, OpenChannelError> {
    let row = core_channel::table.find(id.0).select(ChannelRow::as_select()).first(conn).optional()?;
    row.map(|row: ChannelRow| row.open(sealer)).transpose()
}

/// Makes a channel.
///
/// # Errors
/// See [`SaveChannelError`].
pub fn create(
    conn: &mut Connection,
    channel: &NewChannel,
    sealer: Option<&Sealer>,
    now: DateTime<Utc>,
) -> Result<ChannelId, SaveChannelError> {
    let row = SavedRow::of(channel, sealer)?;
    diesel::insert_into(core_channel::table)
        .values((row, core_channel::created_at.eq(now.naive_utc())))
        .execute(conn)?;
    Ok(ChannelId(super::number(conn, "SELECT CAST(LAST_INSERT_ID() AS SIGNED) AS value")?))
}

/// Puts a channel in the place of the one with this id; false when there is none.
///
/// # Errors
/// See [`SaveChannelError`].
pub fn update(
    conn: &mut Connection,
    id: ChannelId,
    channel: &NewChannel,
    sealer: Option<&Sealer>,
) -> Result<bool, SaveChannelError> {
    let row = SavedRow::of(channel, sealer)?;
    Ok(diesel::update(core_channel::table.find(id.0)).set(row).execute(conn)? > 0)
}

/// What became of a channel that was to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone.
    Yes,
    /// There was none.
    NoSuch,
    /// Somebody tells it something.
    InUse(Users),
}

/// Who tells a channel something, by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Users {
    /// The rules.
    pub rules: Vec<String>,
    /// The subscribers.
    pub subscribers: Vec<String>,
}

/// Deletes a channel with its deliveries, unless a rule or a subscriber has it.
///
/// # Errors
/// See [`DbError`].
pub fn delete(conn: &mut Connection, id: ChannelId) -> Result<Deleted, DbError> {
    transaction(conn, |conn| {
        // Whoever saves a rule or a subscriber that has it holds the row until that is stored, and this waits for it.
        let found: Option<i64> =
            core_channel::table.find(id.0).select(core_channel::id).for_update().first(conn).optional()?;
        if found.is_none() {
            return Ok(Deleted::NoSuch);
        }
        let rules: Vec<String> = core_rulechannel::table
            .inner_join(core_rule::table)
            .select(core_rule::name)
            .filter(core_rulechannel::channel_id.eq(id.0))
            .order(core_rule::name)
            .load(conn)?;
        let subscribers: Vec<String> = core_subscriberchannel::table
            .inner_join(core_subscriber::table)
            .select(core_subscriber::name)
            .filter(core_subscriberchannel::channel_id.eq(id.0))
            .order(core_subscriber::name)
            .load(conn)?;
        if !rules.is_empty() || !subscribers.is_empty() {
            return Ok(Deleted::InUse(Users { rules, subscribers }));
        }
        diesel::delete(core_channel::table.find(id.0)).execute(conn)?;
        Ok(Deleted::Yes)
    })
}

/// The kinds of those of these channels that there are. They stay until the transaction ends.
///
/// # Errors
/// See [`DbError`].
pub(super) fn hold(conn: &mut Connection, ids: &[ChannelId]) -> Result<BTreeMap<ChannelId, String>, DbError> {
    let found: Vec<(i64, String)> = core_channel::table
        .select((core_channel::id, core_channel::kind))
        .filter(core_channel::id.eq_any(ids.iter().map(|id| id.0)))
        .order(core_channel::id)
        .for_update()
        .load(conn)?;
    Ok(found.into_iter().map(|(id, kind)| (ChannelId(id), kind)).collect())
}

/// The channels of each who has some, of pairs of the two.
pub(super) fn by_whom(pairs: Vec<(i64, i64)>) -> BTreeMap<i64, Vec<ChannelId>> {
    let mut channels: BTreeMap<i64, Vec<ChannelId>> = BTreeMap::new();
    for (who, channel) in pairs {
        channels.entry(who).or_default().push(ChannelId(channel));
    }
    channels
}

/// Claims a channel, so that one worker at a time uses it; a claim that is not renewed ends. False when another has it,
/// when it is off, or when it is gone. Who has it claims it again to renew it.
///
/// # Errors
/// See [`DbError`].
pub fn claim(
    conn: &mut Connection,
    id: ChannelId,
    owner: Uuid,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<bool, DbError> {
    let owner = owner.to_string();
    let free = core_channel::claimed_until
        .is_null()
        .or(core_channel::claimed_until.le(now.naive_utc()))
        .or(core_channel::claimed_by.eq(&owner));
    let claimed = diesel::update(
        core_channel::table.find(id.0).filter(core_channel::is_enabled.eq(true)).filter(free.assume_not_null()),
    )
    .set((core_channel::claimed_by.eq(&owner), core_channel::claimed_until.eq(until.naive_utc())))
    .execute(conn)?;
    Ok(claimed > 0)
}

/// Ends a claim.
///
/// # Errors
/// See [`DbError`].
pub fn release(conn: &mut Connection, id: ChannelId, owner: Uuid) -> Result<(), DbError> {
    diesel::update(core_channel::table.find(id.0).filter(core_channel::claimed_by.eq(owner.to_string())))
        .set((core_channel::claimed_by.eq(None::<String>), core_channel::claimed_until.eq(None::<NaiveDateTime>)))
        .execute(conn)?;
    Ok(())
}

impl ChannelRow {
    fn shown(self) -> Option<ShownChannel> {
        let kind = ChannelKind::from_name(&self.kind)?;
        let config = match self.sealed {
            Some(_) => serde_json::from_str(&self.config).ok()?,
            None => ChannelConfig::from_json(kind, &self.config).ok()?.shown(),
        };
        Some(ShownChannel {
            id: ChannelId(self.id),
            kind,
            config,
            rate_limit: rate_limit(self.rate_limit),
            group_wait: seconds(self.group_wait),
            quiet_hours: self.quiet_hours.as_deref().and_then(QuietHours::from_json),
            repeat_after: seconds(self.repeat_after),
            template: self.template.as_deref().and_then(|text| serde_json::from_str(text).ok()),
            name: self.name,
            enabled: self.is_enabled,
            created_at: utc(self.created_at),
        })
    }

    fn open(self, sealer: Option<&Sealer>) -> Result<Channel, OpenChannelError> {
        let malformed = |what: &str| OpenChannelError::Malformed(what.to_owned());
        let kind = ChannelKind::from_name(&self.kind).ok_or_else(|| malformed("its kind is not known"))?;
        let json = match &self.sealed {
            None => self.config.clone(),
            Some(sealed) => sealer.ok_or(OpenChannelError::NoKey)?.open(sealed, PURPOSE)?,
        };
        let config = ChannelConfig::from_json(kind, &json).map_err(|e| OpenChannelError::Malformed(e.to_string()))?;
        let template = self.template.as_deref().map(serde_json::from_str).transpose();
        let settings = NewChannel {
            config,
            enabled: self.is_enabled,
            rate_limit: rate_limit(self.rate_limit),
            group_wait: seconds(self.group_wait),
            quiet_hours: self.quiet_hours.as_deref().and_then(QuietHours::from_json),
            repeat_after: seconds(self.repeat_after),
            template: template.map_err(|e| OpenChannelError::Malformed(e.to_string()))?,
            name: self.name,
        };
        Ok(Channel { id: ChannelId(self.id), settings, created_at: utc(self.created_at) })
    }
}

fn rate_limit(stored: Option<i32>) -> Option<RateLimit> {
    stored.and_then(|limit| u32::try_from(limit).ok()?.try_into().ok()).map(RateLimit)
}

fn stored(span: Duration) -> Option<i32> {
    i32::try_from(span.as_secs()).ok()
}

fn seconds(stored: Option<i32>) -> Option<Duration> {
    stored.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs)
}

impl<'a> SavedRow<'a> {
    fn of(channel: &'a NewChannel, sealer: Option<&Sealer>) -> Result<Self, SaveChannelError> {
        let whole = json(channel.config.to_json())?;
        let (config, sealed) = if channel.config.has_secrets() {
            let sealer = sealer.ok_or(SaveChannelError::NoKey)?;
            (channel.config.shown().to_string(), Some(sealer.seal(&whole, PURPOSE)))
        } else {
            (whole, None)
        };
        Ok(Self {
            kind: channel.config.kind().as_str(),
            name: &channel.name,
            config,
            sealed,
            is_enabled: channel.enabled,
            rate_limit: channel.rate_limit.and_then(|limit| i32::try_from(limit.0.get()).ok()),
            group_wait: channel.group_wait.and_then(stored),
            quiet_hours: channel.quiet_hours.map(|quiet| quiet.to_value().to_string()),
            repeat_after: channel.repeat_after.and_then(stored),
            template: channel.template.as_ref().map(|template| json(template.to_json())).transpose()?,
        })
    }
}

fn json(written: Result<String, serde_json::Error>) -> Result<String, SaveChannelError> {
    written.map_err(|e| DbError::from(QueryError::SerializationError(e.into())).into())
}
