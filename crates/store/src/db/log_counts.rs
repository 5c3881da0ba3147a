//! `core_logcount` and `core_loghourcount`: how many logs of a level an app has in each minute, and in each hour.
//!
//! The writer adds to them in the transaction that stores the logs, so for every app, level and minute the count is the
//! number of rows. Only rows that others wrote are missing, until they are recounted.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::dsl::{count_star, sql};
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{Bigint, Datetime, Text};
use logmon_core::alert::{Counts, Needs};
pub use logmon_core::alert::{hour, minute};
use logmon_core::app::AppId;
use logmon_core::log::{Buckets, Level};
use logmon_core::summary::LevelCounts;

use super::schema::{core_log, core_logcount, core_loghourcount};
use super::{Connection, DbError, apps, utc};

/// Exactly how many logs an app has since `since`, whatever time it is now: of a level, or of all. Reads the rows of one minute, counts for the others.
///
/// # Errors
/// See [`DbError`].
pub fn exactly_since(
    conn: &mut Connection,
    app: AppId,
    level: Option<Level>,
    since: DateTime<Utc>,
) -> Result<u64, DbError> {
    let edge = minute(since);
    let whole = if edge == since { edge } else { edge + TimeDelta::minutes(1) };
    let levels: Vec<&str> =
        level.map_or_else(|| Level::ALL.to_vec(), |level| vec![level]).into_iter().map(Level::as_str).collect();
    let in_whole_minutes: i64 = core_logcount::table
        .select(sql::<Bigint>("CAST(COALESCE(SUM(count), 0) AS SIGNED)"))
        .filter(core_logcount::app_id.eq(app.0))
        .filter(core_logcount::level.eq_any(&levels))
        .filter(core_logcount::minute.ge(whole.naive_utc()))
        .first(conn)?;
    let in_the_edge: i64 = core_log::table
        .select(count_star())
        .filter(core_log::app_id.eq(app.0))
        .filter(core_log::level.eq_any(&levels))
        .filter(core_log::created_at.ge(since.naive_utc()))
        .filter(core_log::created_at.lt(whole.naive_utc()))
        .first(conn)?;
    Ok(unsigned(in_whole_minutes) + unsigned(in_the_edge))
}

/// How many logs of each level an app has in a range that begins and ends on a minute; levels with none are left out.
///
/// Reads the counts of the whole hours in it, and those of the minutes before and after them: what it costs follows the
/// hours, also where the days of a time zone begin at half past one.
///
/// # Errors
/// See [`DbError`].
pub fn of_app(conn: &mut Connection, app: AppId, range: &Range<DateTime<Utc>>) -> Result<Vec<(Level, u64)>, DbError> {
    let hours = whole_hours(range);
    let mut found = BTreeMap::new();
    let mut add = |rows: Vec<(String, i64)>| {
        for (level, count) in rows {
            if let Some(level) = Level::from_filter(&level) {
                *found.entry(level).or_default() += unsigned(count);
            }
        }
    };
    let sum = || sql::<Bigint>("CAST(SUM(count) AS SIGNED)");
    for minutes in [range.start..hours.start, hours.end..range.end] {
        if minutes.is_empty() {
            continue;
        }
        let of_minutes = core_logcount::table
            .group_by(core_logcount::level)
            .select((core_logcount::level, sum()))
            .filter(core_logcount::app_id.eq(app.0))
            // Named, so that of each level only the range is read and not the app's whole history.
            .filter(core_logcount::level.eq_any(Level::ALL.map(Level::as_str)))
            .filter(core_logcount::minute.ge(minutes.start.naive_utc()))
            .filter(core_logcount::minute.lt(minutes.end.naive_utc()));
        add(of_minutes.load(conn)?);
    }
    let of_hours = core_loghourcount::table
        .group_by(core_loghourcount::level)
        .select((core_loghourcount::level, sum()))
        .filter(core_loghourcount::app_id.eq(app.0))
        .filter(core_loghourcount::hour.ge(hours.start.naive_utc()))
        .filter(core_loghourcount::hour.lt(hours.end.naive_utc()));
    add(of_hours.load(conn)?);
    Ok(found.into_iter().collect())
}

/// The whole hours in a range; an empty range at its end where there are none.
fn whole_hours(range: &Range<DateTime<Utc>>) -> Range<DateTime<Utc>> {
    let first = hour(range.start);
    let start = if first == range.start { first } else { first + TimeDelta::hours(1) };
    let end = hour(range.end);
    if start < end { start..end } else { range.end..range.end }
}

/// How many logs of each level every app has in a range that begins and ends on a minute; apps with none are left out.
///
/// Reads the counts of the whole hours, and those of minutes only before and after them.
///
/// # Errors
/// See [`DbError`].
pub fn of_apps(conn: &mut Connection, range: &Range<DateTime<Utc>>) -> Result<Vec<(AppId, LevelCounts)>, DbError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bigint)]
        app_id: i64,
        #[diesel(sql_type = Text)]
        level: String,
        #[diesel(sql_type = Bigint)]
        count: i64,
    }
    let begun = hour(range.start);
    let start = if begun == range.start { begun } else { begun + TimeDelta::hours(1) };
    let end = hour(range.end).max(start);
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT app_id, level, CAST(SUM(count) AS SIGNED) AS count FROM (
           SELECT app_id, level, count FROM core_loghourcount WHERE hour >= ? AND hour < ?
           UNION ALL SELECT app_id, level, count FROM core_logcount WHERE minute >= ? AND minute < ?
           UNION ALL SELECT app_id, level, count FROM core_logcount WHERE minute >= ? AND minute < ?
         ) AS counts GROUP BY app_id, level",
    )
    .bind::<Datetime, _>(start.naive_utc())
    .bind::<Datetime, _>(end.naive_utc())
    .bind::<Datetime, _>(range.start.naive_utc())
    .bind::<Datetime, _>(start.naive_utc())
    .bind::<Datetime, _>(end.naive_utc())
    .bind::<Datetime, _>(range.end.naive_utc())
    .load(conn)?;
    let mut found: BTreeMap<AppId, LevelCounts> = BTreeMap::new();
    for row in rows {
        if let Some(level) = Level::from_filter(&row.level) {
            found.entry(AppId(row.app_id)).or_default().add(level, unsigned(row.count));
        }
    }
    Ok(found.into_iter().collect())
}

/// How many logs of each level there are in each of `buckets`, by its place: of `apps`, or of all where that is empty. Those
/// with none are left out.
///
/// # Errors
/// See [`DbError`].
pub fn in_buckets(
    conn: &mut Connection,
    buckets: &Buckets,
    apps: &[AppId],
    levels: &[Level],
) -> Result<Vec<(usize, Level, u64)>, DbError> {
    let range = buckets.range();
    let rows = if buckets.width() >= TimeDelta::hours(1) {
        in_hours(conn, &range, apps, levels)?
    } else {
        in_minutes(conn, &range, apps, levels)?
    };
    let mut found: BTreeMap<(usize, Level), u64> = BTreeMap::new();
    for (time, level, count) in rows.into_iter().filter(|(.., count)| *count > 0) {
        if let (Some(place), Some(level)) = (buckets.place(utc(time)), Level::from_filter(&level)) {
            *found.entry((place, level)).or_default() += unsigned(count);
        }
    }
    Ok(found.into_iter().map(|((place, level), count)| (place, level, count)).collect())
}

/// When a minute or an hour begins, a level, and how many logs of the level there are in it.
type OfLevel = (NaiveDateTime, String, i64);

define_sql_function! {
    /// Of integers it is a decimal without fraction, which is read as what it is: a cast would only cost more.
    #[aggregate]
    #[sql_name = "SUM"]
    fn total(count: Bigint) -> Bigint;
}

/// A range's first and last moment: the server compares a row with both at once, and not with one after the other.
fn first_and_last(range: &Range<DateTime<Utc>>) -> (NaiveDateTime, NaiveDateTime) {
    (range.start.naive_utc(), (range.end - TimeDelta::microseconds(1)).naive_utc())
}

// In the order of the table, so that the server adds up as it reads.
fn in_hours(
    conn: &mut Connection,
    range: &Range<DateTime<Utc>>,
    apps: &[AppId],
    levels: &[Level],
) -> Result<Vec<OfLevel>, DbError> {
    let (first, last) = first_and_last(range);
    let hours = core_loghourcount::table
        .group_by((core_loghourcount::hour, core_loghourcount::level))
        .select((core_loghourcount::hour, core_loghourcount::level, total(core_loghourcount::count)))
        .filter(core_loghourcount::hour.between(first, last));
    // The one statement that never differs: it is prepared only once.
    if apps.is_empty() && levels.is_empty() {
        return Ok(hours.load(conn)?);
    }
    let mut hours = hours.into_boxed();
    if !apps.is_empty() {
        hours = hours.filter(core_loghourcount::app_id.eq_any(apps.iter().map(|app| app.0)));
    }
    if !levels.is_empty() {
        hours = hours.filter(core_loghourcount::level.eq_any(levels.iter().map(|level| level.as_str())));
    }
    Ok(hours.load(conn)?)
}

/// The counts of a minute by level. A sum of integers would be a decimal, at twice the cost; these are exact up to
/// 2^53. A row for each level would need a temporary table, at twice the cost again.
fn by_level() -> (SqlLiteral<Bigint>, SqlLiteral<Bigint>, SqlLiteral<Bigint>) {
    let of =
        |level: Level| sql::<Bigint>(&format!("CAST(SUM(IF(level = '{}', count, 0E0)) AS SIGNED)", level.as_str()));
    (of(Level::Info), of(Level::Warn), of(Level::Error))
}

fn in_minutes(
    conn: &mut Connection,
    range: &Range<DateTime<Utc>>,
    apps: &[AppId],
    levels: &[Level],
) -> Result<Vec<OfLevel>, DbError> {
    let levels = if levels.is_empty() { &Level::ALL } else { levels };
    // Apps and levels are named, so that of each only the range is read, in the order of the table.
    let apps = if apps.is_empty() { apps::ids(conn)? } else { apps.to_vec() };
    let (info, warn, error) = by_level();
    let minutes = core_logcount::table
        .group_by(core_logcount::minute)
        .select((core_logcount::minute, info, warn, error))
        .filter(core_logcount::app_id.eq_any(apps.iter().map(|app| app.0)))
        .filter(core_logcount::level.eq_any(levels.iter().map(|level| level.as_str())))
        .filter(core_logcount::minute.ge(range.start.naive_utc()))
        .filter(core_logcount::minute.lt(range.end.naive_utc()));
    let rows: Vec<(NaiveDateTime, i64, i64, i64)> = minutes.load(conn)?;
    let of_levels = |(minute, info, warn, error)| {
        Level::ALL
            .into_iter()
            .zip([info, warn, error])
            .map(move |(level, count)| (minute, level.as_str().to_owned(), count))
    };
    Ok(rows.into_iter().flat_map(of_levels).collect())
}

/// Deletes an app's counts.
///
/// # Errors
/// See [`DbError`].
pub fn delete_of_app(conn: &mut Connection, app: AppId) -> Result<(), DbError> {
    diesel::delete(core_logcount::table.filter(core_logcount::app_id.eq(app.0))).execute(conn)?;
    diesel::delete(core_loghourcount::table.filter(core_loghourcount::app_id.eq(app.0))).execute(conn)?;
    Ok(())
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// How many logs of a level an app has in a minute, or an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// The app.
    pub app: AppId,
    /// The level.
    pub level: Level,
    /// When the minute, or hour, begins.
    pub time: DateTime<Utc>,
    /// How many.
    pub count: u64,
}

/// How many logs of `levels` every app had in the hour that `moment`, which is on a minute, lies in, up to then.
///
/// Reads the hour's count, and the counts of its minutes only from then on: of the past, of which there is more and more, none.
///
/// # Errors
/// See [`DbError`].
pub fn in_begun_hour(
    conn: &mut Connection,
    moment: DateTime<Utc>,
    levels: &[Level],
) -> Result<BTreeMap<(AppId, Level), u64>, DbError> {
    let (start, end) = (hour(moment), hour(moment) + TimeDelta::hours(1));
    if start == moment {
        return Ok(BTreeMap::new());
    }
    let of_hour = hours_of(conn, &(start..end), levels, None)?;
    let mut found: BTreeMap<_, _> = of_hour.into_iter().map(|tally| ((tally.app, tally.level), tally.count)).collect();
    for tally in minutes_of(conn, &(moment..end), levels, None)? {
        if let Some(count) = found.get_mut(&(tally.app, tally.level)) {
            *count = count.saturating_sub(tally.count);
        }
    }
    Ok(found)
}

/// The counts of minutes in a range, in the order of time: of one app, or of every app.
fn minutes_of(
    conn: &mut Connection,
    range: &Range<DateTime<Utc>>,
    levels: &[Level],
    app: Option<AppId>,
) -> Result<Vec<Tally>, DbError> {
    let mut query = core_logcount::table
        .select((core_logcount::app_id, core_logcount::level, core_logcount::minute, core_logcount::count))
        .filter(core_logcount::level.eq_any(levels.iter().map(|level| level.as_str())))
        .filter(core_logcount::minute.ge(range.start.naive_utc()))
        .filter(core_logcount::minute.lt(range.end.naive_utc()))
        .order(core_logcount::minute)
        .into_boxed();
    if let Some(app) = app {
        query = query.filter(core_logcount::app_id.eq(app.0));
    }
    let rows: Vec<(i64, String, NaiveDateTime, i64)> = query.load(conn)?;
    Ok(rows.into_iter().filter_map(tally).collect())
}

fn hours_of(
    conn: &mut Connection,
    range: &Range<DateTime<Utc>>,
    levels: &[Level],
    app: Option<AppId>,
) -> Result<Vec<Tally>, DbError> {
    let mut query = core_loghourcount::table
        .select((
            core_loghourcount::app_id,
            core_loghourcount::level,
            core_loghourcount::hour,
            core_loghourcount::count,
        ))
        .filter(core_loghourcount::hour.ge(range.start.naive_utc()))
        .filter(core_loghourcount::hour.lt(range.end.naive_utc()))
        .filter(core_loghourcount::level.eq_any(levels.iter().map(|level| level.as_str())))
        .order(core_loghourcount::hour)
        .into_boxed();
    if let Some(app) = app {
        query = query.filter(core_loghourcount::app_id.eq(app.0));
    }
    let rows: Vec<(i64, String, NaiveDateTime, i64)> = query.load(conn)?;
    Ok(rows.into_iter().filter_map(tally).collect())
}

fn tally((app, level, time, count): (i64, String, NaiveDateTime, i64)) -> Option<Tally> {
    Some(Tally { app: AppId(app), level: Level::from_filter(&level)?, time: utc(time), count: unsigned(count) })
}

/// The counts that are needed, each read once.
///
/// # Errors
/// See [`DbError`].
pub fn load(conn: &mut Connection, needs: &Needs) -> Result<Counts, DbError> {
    let (mut counts, levels) = (Counts::default(), needs.levels());
    for range in needs.minutes() {
        for tally in minutes_of(conn, &range, &levels, needs.app())? {
            counts.add_minute(tally.app, tally.level, tally.time, tally.count);
        }
    }
    for range in needs.hours() {
        for tally in hours_of(conn, &range, &levels, needs.app())? {
            counts.add_hour(tally.app, tally.level, tally.time, tally.count);
        }
    }
    if needs.has_firsts() {
        let rows: Vec<(i64, String, Option<NaiveDateTime>)> = core_logcount::table
            .group_by((core_logcount::app_id, core_logcount::level))
            .select((core_logcount::app_id, core_logcount::level, diesel::dsl::min(core_logcount::minute)))
            .load(conn)?;
        for (app, level, first) in rows {
            if let (Some(level), Some(first)) = (Level::from_filter(&level), first) {
                counts.add_first(AppId(app), level, utc(first));
            }
        }
    }
    Ok(counts)
}
