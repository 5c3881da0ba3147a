//! `core_app`: the business systems.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use logmon_core::app::{App, AppChange, AppId, NewApp};
use logmon_core::page::Page;
use thiserror::Error;

use super::schema::core_app;
use super::{Connection, DbError, Retryable, alerts, log_counts, log_events, log_summaries, logs, transaction, utc};

#[derive(Queryable, Selectable)]
#[diesel(table_name = core_app)]
struct AppRow {
    id: i64,
    name: String,
    owner: String,
    created_at: NaiveDateTime,
}

impl From<AppRow> for App {
    fn from(row: AppRow) -> Self {
        Self { id: AppId(row.id), name: row.name, owner: row.owner, created_at: utc(row.created_at) }
    }
}

#[derive(AsChangeset)]
#[diesel(table_name = core_app)]
struct AppChangeRow<'a> {
    name: Option<&'a str>,
    owner: Option<&'a str>,
}

/// An app could not be made or changed.
#[derive(Debug, Error)]
pub enum SaveAppError {
    /// Another app has that name.
    #[error("an app with this name already exists")]
    NameTaken,
    /// See [`DbError`].
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<diesel::result::Error> for SaveAppError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Db(error.into())
    }
}

impl Retryable for SaveAppError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::NameTaken => false,
            Self::Db(error) => error.is_retryable(),
        }
    }
}

/// A page of the apps, newest first.
///
/// # Errors
/// See [`DbError`].
pub fn list(conn: &mut Connection, page: Page) -> Result<Vec<App>, DbError> {
    let mut query = core_app::table.select(AppRow::as_select()).into_boxed();
    if let Some(after) = page.after {
        let time = after.created_at.naive_utc();
        query = query
            .filter(core_app::created_at.lt(time).or(core_app::created_at.eq(time).and(core_app::id.lt(after.id))));
    }
    let rows = query.order((core_app::created_at.desc(), core_app::id.desc())).limit(page.limit.into()).load(conn)?;
    Ok(rows.into_iter().map(App::from).collect())
}

/// Every app, in the order of their ids.
///
/// # Errors
/// See [`DbError`].
pub fn all(conn: &mut Connection) -> Result<Vec<App>, DbError> {
    let rows = core_app::table.select(AppRow::as_select()).order(core_app::id).load(conn)?;
    Ok(rows.into_iter().map(App::from).collect())
}

/// Every app's id.
///
/// # Errors
/// See [`DbError`].
pub fn ids(conn: &mut Connection) -> Result<Vec<AppId>, DbError> {
    let ids = core_app::table.select(core_app::id).order(core_app::id).load(conn)?;
    Ok(ids.into_iter().map(AppId).collect())
}

/// Those of `ids` that are apps.
///
/// # Errors
/// See [`DbError`].
pub fn known(conn: &mut Connection, ids: &[AppId]) -> Result<Vec<AppId>, DbError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = ids.iter().map(|id| id.0);
    let known = core_app::table.select(core_app::id).filter(core_app::id.eq_any(wanted)).load(conn)?;
    Ok(known.into_iter().map(AppId).collect())
}

/// One app.
///
/// # Errors
/// See [`DbError`].
pub fn get(conn: &mut Connection, id: AppId) -> Result<Option<App>, DbError> {
    let row = core_app::table.find(id.0).select(AppRow::as_select()).first(conn).optional()?;
    Ok(row.map(App::from))
}

/// Makes an app whose name no other has.
///
/// # Errors
/// See [`SaveAppError`].
pub fn create(conn: &mut Connection, app: &NewApp, now: DateTime<Utc>) -> Result<App, SaveAppError> {
    transaction(conn, |conn| {
        if is_taken(conn, &app.name, None)? {
            return Err(SaveAppError::NameTaken);
        }
        diesel::insert_into(core_app::table)
            .values((
                core_app::name.eq(&app.name),
                core_app::owner.eq(&app.owner),
                core_app::created_at.eq(now.naive_utc()),
            ))
            .execute(conn)?;
        let id = super::number(conn, "SELECT CAST(LAST_INSERT_ID() AS SIGNED) AS value")?;
        Ok(App { id: AppId(id), name: app.name.clone(), owner: app.owner.clone(), created_at: now })
    })
}

/// Whether an app but `own` has this name. Locks the name's gap in the index, so that two at once cannot both find it
/// free: Django's table has no unique key, and may hold doubles already.
fn is_taken(conn: &mut Connection, name: &str, own: Option<AppId>) -> Result<bool, DbError> {
    let same: Vec<(i64, String)> = core_app::table
        .select((core_app::id, core_app::name))
        .filter(core_app::name.eq(name))
        .for_update()
        .load(conn)?;
    // The column takes letters of either case, and any two emoji, for the same.
    Ok(same.iter().any(|(id, other)| other == name && own != Some(AppId(*id))))
}

/// Changes an app; `None` when there is no such app.
///
/// # Errors
/// See [`SaveAppError`].
pub fn update(conn: &mut Connection, id: AppId, change: &AppChange) -> Result<Option<App>, SaveAppError> {
    transaction(conn, |conn| {
        if !lock(conn, id)? {
            return Ok(None);
        }
        if let Some(name) = &change.name
            && is_taken(conn, name, Some(id))?
        {
            return Err(SaveAppError::NameTaken);
        }
        if change.name.is_some() || change.owner.is_some() {
            let row = AppChangeRow { name: change.name.as_deref(), owner: change.owner.as_deref() };
            diesel::update(core_app::table.find(id.0)).set(row).execute(conn)?;
        }
        Ok(get(conn, id)?)
    })
}

/// Locks the app until the transaction ends; false when there is no such app. What must happen once an app takes this
/// lock first.
///
/// # Errors
/// See [`DbError`].
pub(super) fn lock(conn: &mut Connection, id: AppId) -> Result<bool, DbError> {
    let row = core_app::table.find(id.0).select(core_app::id).for_update().first::<i64>(conn).optional()?;
    Ok(row.is_some())
}

/// Deletes an app with everything that is kept of it, in one transaction, and says how many logs that were.
///
/// Whoever stores logs of the app meanwhile adds to its counts, which need the app: they wait for the end of this, and
/// are refused then.
///
/// # Errors
/// See [`DbError`].
pub fn delete_with_rest(conn: &mut Connection, id: AppId) -> Result<u64, DbError> {
    transaction(conn, |conn| {
        if !lock(conn, id)? {
            return Ok(0);
        }
        log_counts::delete_of_app(conn, id)?;
        let mut deleted = 0;
        loop {
            match logs::delete_some_of_app(conn, id)? {
                0 => break,
                count => deleted += count,
            }
        }
        while log_events::delete_some_of_app(conn, id)? > 0 {}
        alerts::delete_of_app(conn, id)?;
        log_summaries::delete_of_app(conn, id)?;
        diesel::delete(core_app::table.find(id.0)).execute(conn)?;
        Ok(deleted)
    })
}
