//! `core_silence`: when nobody is told of which alerts, who wanted it so and why. A silence that is ended stays.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use logmon_core::alert::{
    NewSilence, Recurrence, RuleId, Silence, SilenceChange, SilenceFilter, SilenceId, SilenceState, Touch,
};
use logmon_core::app::AppId;
use logmon_core::field::FieldErrors;
use logmon_core::page::{Cursor, Page};
use thiserror::Error;

use super::schema::{core_rule, core_silence};
use super::{Connection, DbError, Retryable, apps, number, transaction, utc};

/// How many silences there may be that are not over: each alert is held against them.
pub const SILENCES_MAX: i64 = 1_000;

#[derive(Queryable, Selectable)]
#[diesel(table_name = core_silence)]
struct SilenceRow {
    id: i64,
    app_id: Option<i64>,
    rule_id: Option<i64>,
    starts_at: NaiveDateTime,
    ends_at: Option<NaiveDateTime>,
    recurring: Option<String>,
    created_by: String,
    comment: String,
    created_at: NaiveDateTime,
    updated_at: Option<NaiveDateTime>,
    updated_by: Option<String>,
}

impl SilenceRow {
    /// The silence; `None` for a row that a newer program wrote.
    fn silence(self) -> Option<Silence> {
        let recurring = match self.recurring {
            Some(json) => Some(Recurrence::from_json(&json)?),
            None => None,
        };
        let says = NewSilence {
            app: self.app_id.map(AppId),
            rule: self.rule_id.map(RuleId),
            starts_at: utc(self.starts_at),
            ends_at: self.ends_at.map(utc),
            recurring,
            created_by: self.created_by,
            comment: self.comment,
        };
        let updated = self.updated_at.map(|at| Touch { at: utc(at), by: self.updated_by });
        Some(Silence { id: SilenceId(self.id), says, created_at: utc(self.created_at), updated })
    }
}

/// A silence could not be made or changed.
#[derive(Debug, Error)]
pub enum SaveSilenceError {
    /// There is no such app.
    #[error("the app does not exist")]
    NoSuchApp(AppId),
    /// There is no such rule.
    #[error("the rule does not exist")]
    NoSuchRule(RuleId),
    /// There are [`SILENCES_MAX`] that are not over.
    #[error("there are too many silences")]
    TooMany,
    /// It is over.
    #[error("the silence has ended")]
    Ended,
    /// It cannot be changed so.
    #[error("the change is wrong")]
    Wrong(FieldErrors),
    /// See [`DbError`].
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<diesel::result::Error> for SaveSilenceError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Db(error.into())
    }
}

impl Retryable for SaveSilenceError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Db(error) => error.is_retryable(),
            Self::NoSuchApp(_) | Self::NoSuchRule(_) | Self::TooMany | Self::Ended | Self::Wrong(_) => false,
        }
    }
}

/// Those that go on, or will.
#[diesel::dsl::auto_type(no_type_alias)]
fn is_not_over(now: NaiveDateTime) -> _ {
    core_silence::over_at.is_null().or(core_silence::over_at.gt(now).assume_not_null())
}

/// A page of the silences that a filter lets through at `now`, newest first.
///
/// # Errors
/// See [`DbError`].
pub fn list(
    conn: &mut Connection,
    filter: &SilenceFilter,
    page: Page,
    now: DateTime<Utc>,
) -> Result<Vec<Silence>, DbError> {
    let wanted = |silence: &Silence| filter.states.is_empty() || filter.states.contains(&silence.says.state(now));
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let (mut found, mut after) = (Vec::new(), page.after);
    loop {
        let rows = rows(conn, filter, Page { limit: page.limit, after }, now)?;
        let Some(last) = rows.last() else { return Ok(found) };
        after = Some(Cursor { created_at: utc(last.created_at), id: last.id });
        found.extend(rows.into_iter().filter_map(SilenceRow::silence).filter(wanted));
        if found.len() >= limit {
            found.truncate(limit);
            return Ok(found);
        }
    }
}

/// A page of the rows, some of which may be in another state: what recurs is active at its hours alone. They are few, for only
/// those that are not over are such.
fn rows(
    conn: &mut Connection,
    filter: &SilenceFilter,
    page: Page,
    now: DateTime<Utc>,
) -> Result<Vec<SilenceRow>, DbError> {
    let mut query = core_silence::table.select(SilenceRow::as_select()).into_boxed();
    let now = now.naive_utc();
    match (filter.states.is_empty(), filter.states.contains(&SilenceState::Ended)) {
        (false, false) => {
            query = query.filter(is_not_over(now));
        }
        (false, true) if filter.states.iter().all(|state| *state == SilenceState::Ended) => {
            query = query.filter(core_silence::over_at.le(now));
        }
        _ => {}
    }
    if !filter.apps.is_empty() {
        let apps: Vec<i64> = filter.apps.iter().map(|app| app.0).collect();
        query = query.filter(core_silence::app_id.is_null().or(core_silence::app_id.eq_any(apps).assume_not_null()));
    }
    if !filter.rules.is_empty() {
        let rules: Vec<i64> = filter.rules.iter().map(|rule| rule.0).collect();
        query = query.filter(core_silence::rule_id.is_null().or(core_silence::rule_id.eq_any(rules).assume_not_null()));
    }
    if let Some(after) = page.after {
        let time = after.created_at.naive_utc();
        query = query.filter(
            core_silence::created_at.lt(time).or(core_silence::created_at.eq(time).and(core_silence::id.lt(after.id))),
        );
    }
    let order = (core_silence::created_at.desc(), core_silence::id.desc());
    Ok(query.order(order).limit(page.limit.into()).load(conn)?)
}

/// One silence.
///
/// # Errors
/// See [`DbError`].
pub fn get(conn: &mut Connection, id: SilenceId) -> Result<Option<Silence>, DbError> {
    let row = core_silence::table.find(id.0).select(SilenceRow::as_select()).first(conn).optional()?;
    Ok(row.and_then(SilenceRow::silence))
}

/// The silences that are active at `now`, by their ids.
///
/// # Errors
/// See [`DbError`].
pub(super) fn active(conn: &mut Connection, now: DateTime<Utc>) -> Result<Vec<Silence>, DbError> {
    let rows: Vec<SilenceRow> = core_silence::table
        .select(SilenceRow::as_select())
        .filter(is_not_over(now.naive_utc()))
        .filter(core_silence::starts_at.le(now.naive_utc()))
        .order(core_silence::id)
        .load(conn)?;
    let silences = rows.into_iter().filter_map(SilenceRow::silence);
    Ok(silences.filter(|silence| silence.says.state(now) == SilenceState::Active).collect())
}

/// Makes a silence.
///
/// # Errors
/// See [`SaveSilenceError`].
pub fn create(conn: &mut Connection, silence: &NewSilence, now: DateTime<Utc>) -> Result<Silence, SaveSilenceError> {
    transaction(conn, |conn| {
        if let Some(app) = silence.app
            && apps::get(conn, app)?.is_none()
        {
            return Err(SaveSilenceError::NoSuchApp(app));
        }
        if let Some(rule) = silence.rule {
            let found = core_rule::table.find(rule.0).select(core_rule::id).first::<i64>(conn).optional()?;
            found.ok_or(SaveSilenceError::NoSuchRule(rule))?;
        }
        let over = is_not_over(now.naive_utc());
        if core_silence::table.filter(over).count().get_result::<i64>(conn)? >= SILENCES_MAX {
            return Err(SaveSilenceError::TooMany);
        }
        diesel::insert_into(core_silence::table)
            .values((
                core_silence::app_id.eq(silence.app.map(|app| app.0)),
                core_silence::rule_id.eq(silence.rule.map(|rule| rule.0)),
                core_silence::starts_at.eq(silence.starts_at.naive_utc()),
                core_silence::ends_at.eq(silence.ends_at.map(|end| end.naive_utc())),
                core_silence::recurring.eq(silence.recurring.as_ref().map(Recurrence::to_json)),
                core_silence::over_at.eq(silence.over_at().map(|end| end.naive_utc())),
                core_silence::created_by.eq(&silence.created_by),
                core_silence::comment.eq(&silence.comment),
                core_silence::created_at.eq(now.naive_utc()),
            ))
            .execute(conn)?;
        let id = SilenceId(number(conn, "SELECT CAST(LAST_INSERT_ID() AS SIGNED) AS value")?);
        Ok(Silence { id, says: silence.clone(), created_at: now, updated: None })
    })
}

/// Changes the end or the comment of a silence that is not over; `None` when there is no such silence.
///
/// # Errors
/// See [`SaveSilenceError`].
pub fn update(
    conn: &mut Connection,
    id: SilenceId,
    change: &SilenceChange,
    now: DateTime<Utc>,
) -> Result<Option<Silence>, SaveSilenceError> {
    transaction(conn, |conn| {
        let Some(silence) = lock(conn, id)? else { return Ok(None) };
        if silence.says.state(now) == SilenceState::Ended {
            return Err(SaveSilenceError::Ended);
        }
        let says = change.over(&silence.says, now).map_err(SaveSilenceError::Wrong)?;
        diesel::update(core_silence::table.find(id.0))
            .set((
                core_silence::ends_at.eq(says.ends_at.map(|end| end.naive_utc())),
                core_silence::over_at.eq(says.over_at().map(|end| end.naive_utc())),
                core_silence::comment.eq(&says.comment),
                core_silence::updated_at.eq(now.naive_utc()),
                core_silence::updated_by.eq(&change.by),
            ))
            .execute(conn)?;
        Ok(Some(Silence { says, updated: Some(Touch { at: now, by: change.by.clone() }), ..silence }))
    })
}

/// Ends a silence now; again, without harm. `None` when there is no such silence.
///
/// # Errors
/// See [`DbError`].
pub fn end(
    conn: &mut Connection,
    id: SilenceId,
    by: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<Silence>, DbError> {
    transaction(conn, |conn| {
        let Some(mut silence) = lock(conn, id)? else { return Ok(None) };
        if silence.says.state(now) == SilenceState::Ended {
            return Ok(Some(silence));
        }
        diesel::update(core_silence::table.find(id.0))
            .set((
                core_silence::ends_at.eq(now.naive_utc()),
                core_silence::over_at.eq(now.naive_utc()),
                core_silence::updated_at.eq(now.naive_utc()),
                core_silence::updated_by.eq(by),
            ))
            .execute(conn)?;
        silence.says.ends_at = Some(now);
        silence.updated = Some(Touch { at: now, by: by.map(str::to_owned) });
        Ok(Some(silence))
    })
}

fn lock(conn: &mut Connection, id: SilenceId) -> Result<Option<Silence>, DbError> {
    let row = core_silence::table.find(id.0).select(SilenceRow::as_select()).for_update().first(conn).optional()?;
    Ok(row.and_then(SilenceRow::silence))
}
