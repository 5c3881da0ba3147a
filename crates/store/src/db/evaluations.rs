//! `core_evaluation`: the ledger of what became of each window of each rule; `core_evaluatedhour` and `core_evaluatedupto`:
//! what had been counted then, by which logs that came late are noticed.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bigint, Datetime};
use logmon_core::alert::{Counts, Needs, Outcome, REACH, RuleId, hour};
use logmon_core::app::AppId;
use logmon_core::log::Level;

use super::schema::{core_evaluatedhour, core_evaluatedupto, core_evaluation};
use super::{Connection, DbError, log_counts, transaction, utc};

/// How many rows go into one statement.
const CHUNK: usize = 1_000;

/// The app that stands for those without a row of their own.
pub const THE_OTHERS: AppId = AppId(0);

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// The rule.
    pub rule: RuleId,
    /// The app, or [`THE_OTHERS`].
    pub app: AppId,
    /// What was looked at; its last moment is not part of it.
    pub window: Range<DateTime<Utc>>,
    /// How many logs were counted; of a rule with a text that is calm all the same, at most so many.
    pub count: u64,
    /// The rule's threshold.
    pub threshold: u64,
    /// What the rule said.
    pub outcome: Outcome,
    /// Whether it was evaluated again, for logs that came late.
    pub is_late: bool,
}

/// Who evaluates, and when.
#[derive(Debug, Clone)]
pub struct By {
    /// The worker.
    pub worker: String,
    /// When it began.
    pub at: DateTime<Utc>,
    /// How long it has taken so far.
    pub took: Duration,
}

/// What a row that is there already says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// How many logs were counted.
    pub count: u64,
    /// What the rule said.
    pub outcome: Outcome,
}

/// Part of an hour that has other logs now than when its windows were evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The app.
    pub app: AppId,
    /// The level.
    pub level: Level,
    /// The part.
    pub range: Range<DateTime<Utc>>,
}

impl Changed {
    fn hour(&self) -> Range<DateTime<Utc>> {
        let start = hour(self.range.start);
        start..start + TimeDelta::hours(1)
    }
}

/// What is known of the logs at one moment.
#[derive(Debug)]
pub struct Reading {
    /// What has changed behind the windows that were evaluated.
    pub changed: Vec<Changed>,
    /// The counts.
    pub counts: Counts,
    /// The whole hours that nobody had evaluated to their end.
    news: Range<DateTime<Utc>>,
    /// How many logs the hour after these has had so far.
    begun: BTreeMap<(AppId, Level), u64>,
}

/// Reads what has changed of `levels` since the last evaluation, and the counts that `needs` asks for when it knows that; all
/// as of one moment. `now` is on a minute.
///
/// # Errors
/// See [`DbError`].
pub fn read(
    conn: &mut Connection,
    now: DateTime<Utc>,
    levels: &[Level],
    needs: impl Fn(&[Changed]) -> Needs,
) -> Result<Reading, DbError> {
    transaction(conn, |conn| {
        let upto = upto(conn)?.unwrap_or(now).min(now);
        let mut changed = changed_hours(conn, now, upto, levels)?;
        changed.extend(changed_part(conn, upto, levels)?);
        let mut needs = needs(&changed);
        // These are remembered when all is done.
        let news = hour(upto).max(hour(now - REACH))..hour(now);
        for level in levels {
            needs.add(&news, Some(*level));
        }
        for changed in &changed {
            needs.add(&changed.hour(), Some(changed.level));
        }
        let counts = log_counts::load(conn, &needs)?;
        let begun = log_counts::in_begun_hour(conn, now, levels)?;
        Ok(Reading { changed, counts, news, begun })
    })
}

/// Up to which moment windows were evaluated; `None` before the first time.
fn upto(conn: &mut Connection) -> Result<Option<DateTime<Utc>>, DbError> {
    let moment: Option<NaiveDateTime> =
        core_evaluatedupto::table.select(core_evaluatedupto::moment).first(conn).optional()?;
    Ok(moment.map(utc))
}

fn changed_hours(
    conn: &mut Connection,
    now: DateTime<Utc>,
    upto: DateTime<Utc>,
    levels: &[Level],
) -> Result<Vec<Changed>, DbError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Datetime)]
        hour: NaiveDateTime,
        #[diesel(sql_type = Bigint)]
        app_id: i64,
        #[diesel(sql_type = diesel::sql_types::Text)]
        level: String,
    }
    if levels.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = levels.iter().map(|level| format!("'{}'", level.as_str())).collect();
    let rows: Vec<Row> = diesel::sql_query(format!(
        "SELECT c.hour, c.app_id, c.level FROM core_loghourcount c
         LEFT JOIN core_evaluatedhour e ON e.hour = c.hour AND e.app_id = c.app_id AND e.level = CAST(c.level AS BINARY)
         WHERE c.hour >= ? AND c.hour < ? AND c.level IN ({}) AND c.count <> COALESCE(e.count, 0)",
        names.join(",")
    ))
    .bind::<Datetime, _>(hour(now - REACH).naive_utc())
    .bind::<Datetime, _>(hour(upto).naive_utc())
    .load(conn)?;
    let changed = |row: Row| {
        let start = utc(row.hour);
        let level = Level::from_filter(&row.level)?;
        Some(Changed { app: AppId(row.app_id), level, range: start..start + TimeDelta::hours(1) })
    };
    Ok(rows.into_iter().filter_map(changed).collect())
}

/// The hour that `upto` lies in: its minutes before that.
fn changed_part(conn: &mut Connection, upto: DateTime<Utc>, levels: &[Level]) -> Result<Vec<Changed>, DbError> {
    let range = hour(upto)..upto;
    if range.is_empty() {
        return Ok(Vec::new());
    }
    let known: Vec<(i64, String, i64)> = core_evaluatedhour::table
        .select((core_evaluatedhour::app_id, core_evaluatedhour::level, core_evaluatedhour::count))
        .filter(core_evaluatedhour::hour.eq(range.start.naive_utc()))
        .load(conn)?;
    let known: HashMap<(i64, String), i64> =
        known.into_iter().map(|(app, level, count)| ((app, level), count)).collect();
    let now = log_counts::in_begun_hour(conn, upto, levels)?;
    let is_other = |((app, level), count): &((AppId, Level), u64)| {
        known.get(&(app.0, level.as_str().to_owned())).copied().unwrap_or(0) != signed(*count)
    };
    let changed = |((app, level), _)| Changed { app, level, range: range.clone() };
    Ok(now.into_iter().filter(is_other).map(changed).collect())
}

/// Remembers what was counted, once everything that follows from it is done. `now` is the moment of the reading.
///
/// # Errors
/// See [`DbError`].
pub fn remember(conn: &mut Connection, reading: &Reading, now: DateTime<Utc>) -> Result<(), DbError> {
    let count = |app: AppId, level: Level, hour: &Range<DateTime<Utc>>| reading.counts.count(app, Some(level), hour);
    let mut noted: BTreeMap<(DateTime<Utc>, AppId, Level), u64> = BTreeMap::new();
    for changed in &reading.changed {
        let hour = changed.hour();
        noted.insert((hour.start, changed.app, changed.level), count(changed.app, changed.level, &hour));
    }
    let mut start = reading.news.start;
    while start < reading.news.end {
        for level in Level::ALL {
            for app in reading.counts.apps(Some(level)) {
                let count = count(app, level, &(start..start + TimeDelta::hours(1)));
                if count > 0 {
                    noted.insert((start, app, level), count);
                }
            }
        }
        start += TimeDelta::hours(1);
    }
    // Last, for of the hour that has begun only what came so far was evaluated.
    noted.extend(reading.begun.iter().map(|((app, level), count)| ((hour(now), *app, *level), *count)));
    let rows: Vec<_> = noted
        .into_iter()
        .map(|((start, app, level), count)| {
            (
                core_evaluatedhour::hour.eq(start.naive_utc()),
                core_evaluatedhour::app_id.eq(app.0),
                core_evaluatedhour::level.eq(level.as_str()),
                core_evaluatedhour::count.eq(signed(count)),
            )
        })
        .collect();
    for chunk in rows.chunks(CHUNK) {
        diesel::replace_into(core_evaluatedhour::table).values(chunk).execute(conn)?;
    }
    diesel::sql_query(
        "INSERT INTO core_evaluatedupto (id, moment) VALUES (1, ?)
         ON DUPLICATE KEY UPDATE moment = GREATEST(moment, VALUES(moment))",
    )
    .bind::<Datetime, _>(now.naive_utc())
    .execute(conn)?;
    let forgotten = core_evaluatedhour::hour.lt(hour(now - REACH).naive_utc());
    diesel::delete(core_evaluatedhour::table.filter(forgotten)).execute(conn)?;
    Ok(())
}

/// What the ledger says of windows of a rule; a row that is not there says nothing.
///
/// # Errors
/// See [`DbError`].
pub fn known(
    conn: &mut Connection,
    rule: RuleId,
    ends: &[DateTime<Utc>],
) -> Result<HashMap<(DateTime<Utc>, AppId), Known>, DbError> {
    let rows: Vec<(NaiveDateTime, i64, i64, String)> = core_evaluation::table
        .select((
            core_evaluation::window_end,
            core_evaluation::app_id,
            core_evaluation::count,
            core_evaluation::outcome,
        ))
        .filter(core_evaluation::rule_id.eq(rule.0))
        .filter(core_evaluation::window_end.eq_any(ends.iter().map(DateTime::naive_utc)))
        .load(conn)?;
    let known = |(end, app, count, outcome): (NaiveDateTime, i64, i64, String)| {
        let outcome = Outcome::from_name(&outcome)?;
        Some(((utc(end), AppId(app)), Known { count: u64::try_from(count).unwrap_or(0), outcome }))
    };
    Ok(rows.into_iter().filter_map(known).collect())
}

/// Whether a window has been found breached already. Locks its place in the ledger until the transaction ends.
///
/// # Errors
/// See [`DbError`].
pub(super) fn is_breached(conn: &mut Connection, row: &Evaluation) -> Result<bool, DbError> {
    let outcome: Option<String> = core_evaluation::table
        .find((row.rule.0, row.window.end.naive_utc(), row.app.0))
        .select(core_evaluation::outcome)
        .for_update()
        .first(conn)
        .optional()?;
    Ok(outcome.is_some_and(|outcome| outcome == Outcome::Breached.as_str()))
}

#[derive(Insertable)]
#[diesel(table_name = core_evaluation)]
struct EvaluationRow<'a> {
    rule_id: i64,
    window_end: NaiveDateTime,
    app_id: i64,
    window_start: NaiveDateTime,
    count: i64,
    threshold: i64,
    outcome: &'static str,
    is_late: bool,
    evaluated_at: NaiveDateTime,
    duration_us: i64,
    worker: &'a str,
}

impl<'a> EvaluationRow<'a> {
    fn of(row: &Evaluation, by: &'a By) -> Self {
        Self {
            rule_id: row.rule.0,
            window_end: row.window.end.naive_utc(),
            app_id: row.app.0,
            window_start: row.window.start.naive_utc(),
            count: signed(row.count),
            threshold: signed(row.threshold),
            outcome: row.outcome.as_str(),
            is_late: row.is_late,
            evaluated_at: by.at.naive_utc(),
            duration_us: i64::try_from(by.took.as_micros()).unwrap_or(i64::MAX),
            worker: &by.worker,
        }
    }
}

/// Writes rows that are not there yet: who evaluates the same window at the same time finds the same.
///
/// # Errors
/// See [`DbError`].
pub fn add(conn: &mut Connection, rows: &[Evaluation], by: &By) -> Result<(), DbError> {
    for chunk in rows.chunks(CHUNK) {
        let values: Vec<_> = chunk.iter().map(|row| EvaluationRow::of(row, by)).collect();
        diesel::insert_or_ignore_into(core_evaluation::table).values(values).execute(conn)?;
    }
    Ok(())
}

/// Writes rows in the place of what is there.
///
/// # Errors
/// See [`DbError`].
pub fn replace(conn: &mut Connection, rows: &[Evaluation], by: &By) -> Result<(), DbError> {
    for chunk in rows.chunks(CHUNK) {
        let values: Vec<_> = chunk.iter().map(|row| EvaluationRow::of(row, by)).collect();
        diesel::replace_into(core_evaluation::table).values(values).execute(conn)?;
    }
    Ok(())
}

/// Forgets some of the rows of windows that ended before a moment; says how many.
///
/// # Errors
/// See [`DbError`].
pub fn delete_some_before(conn: &mut Connection, moment: DateTime<Utc>) -> Result<usize, DbError> {
    let query = diesel::sql_query("DELETE FROM core_evaluation WHERE window_end < ? LIMIT 10000");
    Ok(query.bind::<Datetime, _>(moment.naive_utc()).execute(conn)?)
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
