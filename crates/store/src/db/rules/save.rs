//! Making, changing and removing rules.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;
use logmon_core::alert::{ERROR_LOGS, NewRule, Rule, RuleId, RuleState};
use logmon_core::app::AppId;
use logmon_core::config::CheckSettings;
use logmon_core::log::Level;
use logmon_core::notification::ChannelId;
use thiserror::Error;

use super::super::schema::{core_rule, core_rulechannel};
use super::super::{Connection, DbError, Retryable, apps, channels, number, transaction, utc};
use super::get;

/// How many rules there may be: each is evaluated every few minutes.
pub const RULES_MAX: i64 = 2_000;

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = core_rule, treat_none_as_null = true)]
struct RuleValues<'a> {
    name: &'a str,
    app_id: Option<i64>,
    kind: &'a str,
    level: Option<&'a str>,
    text: Option<&'a str>,
    threshold: i64,
    factor_hundredths: Option<i32>,
    window_seconds: i32,
    every_seconds: i32,
    severity: &'a str,
    resolve_after: i32,
    flapping_after: i32,
    is_enabled: bool,
    updated_at: NaiveDateTime,
}

impl<'a> RuleValues<'a> {
    fn of(rule: &'a NewRule, updated_at: DateTime<Utc>) -> Self {
        let condition = &rule.condition;
        let seconds = |duration: Duration| i32::try_from(duration.as_secs()).unwrap_or(i32::MAX);
        Self {
            name: &rule.name,
            app_id: rule.app.map(|app| app.0),
            kind: condition.kind.as_str(),
            level: condition.level.map(Level::as_str),
            text: condition.text.as_deref(),
            threshold: i64::try_from(condition.threshold()).unwrap_or(i64::MAX),
            factor_hundredths: condition.kind.factor().and_then(|factor| i32::try_from(factor.hundredths()).ok()),
            window_seconds: seconds(condition.window),
            every_seconds: seconds(rule.every),
            severity: rule.severity.as_str(),
            resolve_after: i32::try_from(rule.resolve_after).unwrap_or(i32::MAX),
            flapping_after: i32::try_from(rule.flapping_after).unwrap_or(i32::MAX),
            is_enabled: rule.state == RuleState::Enabled,
            updated_at: updated_at.naive_utc(),
        }
    }
}

/// A rule could not be made, changed or removed.
#[derive(Debug, Error)]
pub enum SaveRuleError {
    /// Another rule has that name.
    #[error("a rule with this name already exists")]
    NameTaken,
    /// There is no such app.
    #[error("the app does not exist")]
    NoSuchApp(AppId),
    /// There are no such channels.
    #[error("channels do not exist")]
    NoSuchChannels(Vec<ChannelId>),
    /// There are [`RULES_MAX`] already.
    #[error("there are too many rules")]
    TooMany,
    /// Somebody else has changed it meanwhile.
    #[error("the rule was changed meanwhile")]
    Changed,
    /// It is the rule of the settings.
    #[error("the rule of the settings cannot be removed")]
    IsOfTheSettings,
    /// See [`DbError`].
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<diesel::result::Error> for SaveRuleError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Db(error.into())
    }
}

impl Retryable for SaveRuleError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Db(error) => error.is_retryable(),
            Self::NameTaken
            | Self::NoSuchApp(_)
            | Self::NoSuchChannels(_)
            | Self::TooMany
            | Self::Changed
            | Self::IsOfTheSettings => false,
        }
    }
}

/// Lets the rule `error-logs` say what `settings` say; does nothing where it does already.
///
/// # Errors
/// See [`DbError`].
pub fn apply(conn: &mut Connection, settings: &CheckSettings, now: DateTime<Utc>) -> Result<(), DbError> {
    let id: Option<i64> =
        core_rule::table.select(core_rule::id).filter(core_rule::name.eq(ERROR_LOGS)).first(conn).optional()?;
    let Some(rule) = id.map(|id| get(conn, RuleId(id))).transpose()?.flatten() else { return Ok(()) };
    let condition = settings.over(rule.says.condition.clone());
    if condition == rule.says.condition {
        return Ok(());
    }
    match update(conn, rule.id, rule.updated_at, &NewRule { condition, ..rule.says }, now) {
        // Whoever changes it meanwhile is another worker, or is overruled by the next check.
        Ok(_) | Err(SaveRuleError::Changed) => Ok(()),
        Err(SaveRuleError::Db(error)) => Err(error),
        Err(error) => {
            log::warn!("the rule {ERROR_LOGS} is not as the settings say: {error}");
            Ok(())
        }
    }
}

/// Makes a rule whose name no other has.
///
/// # Errors
/// See [`SaveRuleError`].
pub fn create(conn: &mut Connection, rule: &NewRule, now: DateTime<Utc>) -> Result<Rule, SaveRuleError> {
    transaction(conn, |conn| {
        check(conn, rule, None)?;
        if core_rule::table.count().get_result::<i64>(conn)? >= RULES_MAX {
            return Err(SaveRuleError::TooMany);
        }
        diesel::insert_into(core_rule::table)
            .values((RuleValues::of(rule, now), core_rule::created_at.eq(now.naive_utc())))
            .execute(conn)?;
        let id = RuleId(number(conn, "SELECT CAST(LAST_INSERT_ID() AS SIGNED) AS value")?);
        set_channels(conn, id, &rule.channels)?;
        Ok(Rule { id, says: rule.clone(), created_at: now, updated_at: now })
    })
}

/// Changes a rule that is still as it was at `seen`; `None` when there is no such rule.
///
/// # Errors
/// See [`SaveRuleError`].
pub fn update(
    conn: &mut Connection,
    id: RuleId,
    seen: DateTime<Utc>,
    rule: &NewRule,
    now: DateTime<Utc>,
) -> Result<Option<Rule>, SaveRuleError> {
    transaction(conn, |conn| {
        let Some(created_at) = lock(conn, id, Some(seen))? else { return Ok(None) };
        check(conn, rule, Some(id))?;
        // Its own time for each change, also where the clock stood still.
        let updated_at = now.max(seen + TimeDelta::microseconds(1));
        let own = core_rule::table.find(id.0);
        if rule.state == RuleState::Enabled {
            // What passed while it was disabled is nothing that was missed.
            diesel::update(own.filter(core_rule::is_enabled.eq(false)))
                .set(core_rule::evaluated_until.eq(updated_at.naive_utc()))
                .execute(conn)?;
        }
        diesel::update(own).set(RuleValues::of(rule, updated_at)).execute(conn)?;
        set_channels(conn, id, &rule.channels)?;
        Ok(Some(Rule { id, says: rule.clone(), created_at, updated_at }))
    })
}

/// Removes a rule, one that is still as it was at `seen` where that is given. Says whether it was there.
///
/// # Errors
/// See [`SaveRuleError`].
pub fn delete(conn: &mut Connection, id: RuleId, seen: Option<DateTime<Utc>>) -> Result<bool, SaveRuleError> {
    transaction(conn, |conn| {
        if lock(conn, id, seen)?.is_none() {
            return Ok(false);
        }
        let name: String = core_rule::table.find(id.0).select(core_rule::name).first(conn)?;
        if name == ERROR_LOGS {
            return Err(SaveRuleError::IsOfTheSettings);
        }
        diesel::delete(core_rule::table.find(id.0)).execute(conn)?;
        Ok(true)
    })
}

/// Locks a rule, gives when it was made, and checks that it is as it was at `seen`.
fn lock(
    conn: &mut Connection,
    id: RuleId,
    seen: Option<DateTime<Utc>>,
) -> Result<Option<DateTime<Utc>>, SaveRuleError> {
    let times: Option<(NaiveDateTime, NaiveDateTime)> = core_rule::table
        .find(id.0)
        .select((core_rule::created_at, core_rule::updated_at))
        .for_update()
        .first(conn)
        .optional()?;
    match (times, seen) {
        (Some((_, updated_at)), Some(seen)) if utc(updated_at) != seen => Err(SaveRuleError::Changed),
        (times, _) => Ok(times.map(|(created_at, _)| utc(created_at))),
    }
}

/// Whether a rule may be stored: the lock on its name's place in the index lets one of two who take the same name pass.
fn check(conn: &mut Connection, rule: &NewRule, own: Option<RuleId>) -> Result<(), SaveRuleError> {
    let same: Option<i64> = core_rule::table
        .select(core_rule::id)
        .filter(core_rule::name.eq(&rule.name))
        .for_update()
        .first(conn)
        .optional()?;
    if same.is_some_and(|id| own != Some(RuleId(id))) {
        return Err(SaveRuleError::NameTaken);
    }
    if let Some(app) = rule.app
        && apps::get(conn, app)?.is_none()
    {
        return Err(SaveRuleError::NoSuchApp(app));
    }
    let held = channels::hold(conn, &rule.channels)?;
    let missing: Vec<ChannelId> = rule.channels.iter().copied().filter(|id| !held.contains_key(id)).collect();
    if missing.is_empty() { Ok(()) } else { Err(SaveRuleError::NoSuchChannels(missing)) }
}

fn set_channels(conn: &mut Connection, id: RuleId, channels: &[ChannelId]) -> Result<(), DbError> {
    diesel::delete(core_rulechannel::table.filter(core_rulechannel::rule_id.eq(id.0))).execute(conn)?;
    let rows: Vec<_> = channels
        .iter()
        .map(|channel| (core_rulechannel::rule_id.eq(id.0), core_rulechannel::channel_id.eq(channel.0)))
        .collect();
    diesel::insert_into(core_rulechannel::table).values(rows).execute(conn)?;
    Ok(())
}
