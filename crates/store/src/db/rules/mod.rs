//! `core_rule` and `core_rulechannel`: what raises alerts, and who is told.

mod save;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;
use logmon_core::alert::{
    Condition, ERROR_LOGS, Factor, Kind, NewRule, Rule, RuleFilter, RuleId, RuleState, Severity, WatchedRule,
    WatchedRules,
};
use logmon_core::app::AppId;
use logmon_core::config::CheckSettings;
use logmon_core::log::Level;
use logmon_core::notification::ChannelId;
use logmon_core::page::Page;

pub use save::{RULES_MAX, SaveRuleError, apply, create, delete, update};

use super::schema::{core_channel, core_rule, core_rulechannel};
use super::{Connection, DbError, channels, schedules, utc};

#[derive(Queryable, Selectable)]
#[diesel(table_name = core_rule)]
struct RuleRow {
    id: i64,
    name: String,
    app_id: Option<i64>,
    kind: String,
    level: Option<String>,
    text: Option<String>,
    threshold: i64,
    factor_hundredths: Option<i32>,
    window_seconds: i32,
    every_seconds: i32,
    severity: String,
    resolve_after: i32,
    flapping_after: i32,
    is_enabled: bool,
    created_at: NaiveDateTime,
    updated_at: NaiveDateTime,
}

impl RuleRow {
    /// The rule; `None` for a row that a newer program wrote.
    fn rule(self, channels: Vec<ChannelId>) -> Option<Rule> {
        let level = match &self.level {
            Some(name) => Some(Level::from_name(name)?),
            None => None,
        };
        let factor = self.factor_hundredths.and_then(|hundredths| u32::try_from(hundredths).ok());
        let threshold = u64::try_from(self.threshold).unwrap_or(0);
        let kind = Kind::from_parts(&self.kind, threshold, factor.and_then(Factor::from_hundredths))?;
        let says = NewRule {
            name: self.name,
            app: self.app_id.map(AppId),
            condition: Condition { level, text: self.text, kind, window: seconds(self.window_seconds) },
            every: seconds(self.every_seconds),
            severity: Severity::from_name(&self.severity)?,
            resolve_after: u32::try_from(self.resolve_after).unwrap_or(0),
            flapping_after: u32::try_from(self.flapping_after).unwrap_or(0),
            channels,
            state: if self.is_enabled { RuleState::Enabled } else { RuleState::Disabled },
        };
        Some(Rule { id: RuleId(self.id), says, created_at: utc(self.created_at), updated_at: utc(self.updated_at) })
    }
}

fn seconds(number: i32) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or(0))
}

/// A page of the rules, newest first.
///
/// # Errors
/// See [`DbError`].
pub fn list(conn: &mut Connection, filter: &RuleFilter, page: Page) -> Result<Vec<Rule>, DbError> {
    let mut query = core_rule::table.select(RuleRow::as_select()).into_boxed();
    if !filter.apps.is_empty() {
        let apps: Vec<i64> = filter.apps.iter().map(|app| app.0).collect();
        query = query.filter(core_rule::app_id.is_null().or(core_rule::app_id.eq_any(apps).assume_not_null()));
    }
    if let Some(state) = filter.state {
        query = query.filter(core_rule::is_enabled.eq(state == RuleState::Enabled));
    }
    if let Some(after) = page.after {
        let time = after.created_at.naive_utc();
        query = query
            .filter(core_rule::created_at.lt(time).or(core_rule::created_at.eq(time).and(core_rule::id.lt(after.id))));
    }
    let rows: Vec<RuleRow> =
        query.order((core_rule::created_at.desc(), core_rule::id.desc())).limit(page.limit.into()).load(conn)?;
    with_channels(conn, rows)
}

/// A rule, and up to which window it was evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    /// The rule.
    pub rule: Rule,
    /// The end of its last window, or when the rule began.
    pub until: DateTime<Utc>,
}

/// Every rule that is evaluated, by its id.
///
/// # Errors
/// See [`DbError`].
pub fn to_evaluate(conn: &mut Connection) -> Result<Vec<Evaluated>, DbError> {
    let enabled = core_rule::table.filter(core_rule::is_enabled.eq(true)).order(core_rule::id);
    let times: Vec<(i64, Option<NaiveDateTime>)> =
        enabled.select((core_rule::id, core_rule::evaluated_until)).load(conn)?;
    let times: BTreeMap<i64, Option<NaiveDateTime>> = times.into_iter().collect();
    let rows: Vec<RuleRow> = enabled.select(RuleRow::as_select()).load(conn)?;
    let evaluated = |rule: Rule| {
        let until = times.get(&rule.id.0).copied().flatten().map_or(rule.created_at, utc);
        Evaluated { rule, until }
    };
    Ok(with_channels(conn, rows)?.into_iter().map(evaluated).collect())
}

/// How far beyond the database's time a rule may have been evaluated: clocks differ.
pub const AHEAD_MAX: TimeDelta = TimeDelta::minutes(2);

/// Takes back what rules were evaluated up to by a clock that was over [`AHEAD_MAX`] ahead of the database's.
///
/// They go on from the database's time: their windows would pass unseen until then. Says of how many rules that was.
///
/// # Errors
/// See [`DbError`].
pub fn take_back(conn: &mut Connection) -> Result<usize, DbError> {
    let now = schedules::now(conn)?;
    let ahead = core_rule::table.filter(core_rule::evaluated_until.gt((now + AHEAD_MAX).naive_utc()));
    Ok(diesel::update(ahead).set(core_rule::evaluated_until.eq(now.naive_utc())).execute(conn)?)
}

/// Notes up to which window rules were evaluated; what is later already stays.
///
/// # Errors
/// See [`DbError`].
pub fn evaluated(conn: &mut Connection, until: &[(RuleId, DateTime<Utc>)]) -> Result<(), DbError> {
    let mut by_end: BTreeMap<DateTime<Utc>, Vec<i64>> = BTreeMap::new();
    for (rule, end) in until {
        by_end.entry(*end).or_default().push(rule.0);
    }
    for (end, rules) in by_end {
        let end = end.naive_utc();
        let earlier = core_rule::evaluated_until.is_null().or(core_rule::evaluated_until.lt(end).assume_not_null());
        diesel::update(core_rule::table.filter(core_rule::id.eq_any(rules)).filter(earlier))
            .set(core_rule::evaluated_until.eq(end))
            .execute(conn)?;
    }
    Ok(())
}

fn with_channels(conn: &mut Connection, rows: Vec<RuleRow>) -> Result<Vec<Rule>, DbError> {
    let ids = rows.iter().map(|row| row.id);
    // The database does not keep a channel that a rule has from being deleted.
    let pairs: Vec<(i64, i64)> = core_rulechannel::table
        .inner_join(core_channel::table.on(core_channel::id.eq(core_rulechannel::channel_id)))
        .select((core_rulechannel::rule_id, core_rulechannel::channel_id))
        .filter(core_rulechannel::rule_id.eq_any(ids))
        .order((core_rulechannel::rule_id, core_rulechannel::channel_id))
        .load(conn)?;
    let mut channels = channels::by_whom(pairs);
    let rule = |row: RuleRow| {
        let channels = channels.remove(&row.id).unwrap_or_default();
        row.rule(channels)
    };
    Ok(rows.into_iter().filter_map(rule).collect())
}

/// One rule.
///
/// # Errors
/// See [`DbError`].
pub fn get(conn: &mut Connection, id: RuleId) -> Result<Option<Rule>, DbError> {
    let row = core_rule::table.find(id.0).select(RuleRow::as_select()).first(conn).optional()?;
    Ok(with_channels(conn, row.into_iter().collect())?.pop())
}

/// The rules whose thresholds are watched while logs come in, by their ids; that of the settings as `settings` have it.
///
/// # Errors
/// See [`DbError`].
pub fn watched(conn: &mut Connection, settings: &CheckSettings) -> Result<WatchedRules, DbError> {
    let rows: Vec<RuleRow> = core_rule::table
        .select(RuleRow::as_select())
        .filter(core_rule::is_enabled.eq(true))
        .filter(core_rule::kind.eq(Kind::MoreThan(0).as_str()))
        .filter(core_rule::text.is_null())
        .order(core_rule::id)
        .load(conn)?;
    let watched = |row: RuleRow| {
        let mut rule = row.rule(Vec::new())?;
        if rule.says.name == ERROR_LOGS {
            rule.says.condition = settings.over(rule.says.condition);
        }
        WatchedRule::of(rule)
    };
    Ok(rows.into_iter().filter_map(watched).collect())
}
