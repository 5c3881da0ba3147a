//! `core_alert`: what was raised and whether somebody has dealt with it.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use logmon_core::alert::{Alert, AlertId, AlertState};
use logmon_core::app::AppId;
use logmon_core::page::Page;

use super::schema::core_alert;
use super::{Connection, DbError, apps, transaction, utc};

#[derive(Queryable, Selectable)]
#[diesel(table_name = core_alert)]
struct AlertRow {
    id: i64,
    content: String,
    is_resolved: bool,
    created_at: NaiveDateTime,
    app_id: i64,
}

impl From<AlertRow> for Alert {
    fn from(row: AlertRow) -> Self {
        Self {
            id: AlertId(row.id),
            app: AppId(row.app_id),
            content: row.content,
            state: if row.is_resolved { AlertState::Resolved } else { AlertState::Open },
            created_at: utc(row.created_at),
        }
    }
}

/// A page of the open alerts, newest first.
///
/// # Errors
/// See [`DbError`].
pub fn open(conn: &mut Connection, page: Page) -> Result<Vec<Alert>, DbError> {
    let mut query =
        core_alert::table.select(AlertRow::as_select()).filter(core_alert::is_resolved.eq(false)).into_boxed();
    if let Some(after) = page.after {
        let time = after.created_at.naive_utc();
        query = query.filter(
            core_alert::created_at.lt(time).or(core_alert::created_at.eq(time).and(core_alert::id.lt(after.id))),
        );
    }
    let rows =
        query.order((core_alert::created_at.desc(), core_alert::id.desc())).limit(page.limit.into()).load(conn)?;
    Ok(rows.into_iter().map(Alert::from).collect())
}

/// Resolves an alert, again without harm; `None` when there is no such alert.
///
/// # Errors
/// See [`DbError`].
pub fn resolve(conn: &mut Connection, id: AlertId) -> Result<Option<Alert>, DbError> {
    diesel::update(core_alert::table.find(id.0)).set(core_alert::is_resolved.eq(true)).execute(conn)?;
    let row = core_alert::table.find(id.0).select(AlertRow::as_select()).first(conn).optional()?;
    Ok(row.map(Alert::from))
}

/// What became of an alert that was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raised {
    /// It is there now.
    New(AlertId),
    /// The app has an open alert already, or is gone.
    NotNeeded,
}

/// Those of `apps` that have an open alert.
///
/// # Errors
/// See [`DbError`].
pub fn apps_with_open(conn: &mut Connection, apps: &[AppId]) -> Result<HashSet<AppId>, DbError> {
    let found: Vec<i64> = core_alert::table
        .select(core_alert::app_id)
        .distinct()
        .filter(core_alert::app_id.eq_any(apps.iter().map(|app| app.0)))
        .filter(core_alert::is_resolved.eq(false))
        .load(conn)?;
    Ok(found.into_iter().map(AppId).collect())
}

/// Raises an alert for an app that has no open one, however many try at once.
///
/// # Errors
/// See [`DbError`].
pub fn raise(conn: &mut Connection, app: AppId, content: &str, now: DateTime<Utc>) -> Result<Raised, DbError> {
    transaction(conn, |conn| {
        if !apps::lock(conn, app)? {
            return Ok(Raised::NotNeeded);
        }
        let open = core_alert::table
            .select(core_alert::id)
            .filter(core_alert::app_id.eq(app.0))
            .filter(core_alert::is_resolved.eq(false))
            // A locking read sees what was committed since the transaction began.
            .for_update()
            .first::<i64>(conn)
            .optional()?;
        if open.is_some() {
            return Ok(Raised::NotNeeded);
        }
        diesel::insert_into(core_alert::table)
            .values((
                core_alert::app_id.eq(app.0),
                core_alert::content.eq(content),
                core_alert::is_resolved.eq(false),
                core_alert::created_at.eq(now.naive_utc()),
            ))
            .execute(conn)?;
        let id = super::number(conn, "SELECT CAST(LAST_INSERT_ID() AS SIGNED) AS value")?;
        Ok(Raised::New(AlertId(id)))
    })
}

/// Deletes an app's alerts.
///
/// # Errors
/// See [`DbError`].
pub fn delete_of_app(conn: &mut Connection, app: AppId) -> Result<(), DbError> {
    diesel::delete(core_alert::table.filter(core_alert::app_id.eq(app.0))).execute(conn)?;
    Ok(())
}
