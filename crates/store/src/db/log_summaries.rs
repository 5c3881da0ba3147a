//! `core_logsummary`: how many logs of each level an app had on a day.

use std::collections::{BTreeMap, HashMap};
use std::ops::{Range, RangeInclusive};

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use logmon_core::app::AppId;
use logmon_core::page::Page;
use logmon_core::summary::{LevelCounts, Summary};

use super::schema::core_logsummary;
use super::{Connection, DbError, apps, log_counts, transaction};

#[derive(Queryable, Selectable)]
#[diesel(table_name = core_logsummary)]
struct SummaryRow {
    id: i64,
    info_count: i32,
    warn_count: i32,
    error_count: i32,
    date: NaiveDate,
    app_id: i64,
}

/// Which summaries are wanted.
#[derive(Debug, Clone, Default)]
pub struct SummaryFilter {
    /// Only of these apps; empty means any.
    pub apps: Vec<AppId>,
    /// Only of this day and later ones.
    pub since: Option<NaiveDate>,
    /// Only of this day and earlier ones.
    pub until: Option<NaiveDate>,
}

/// A page of the summaries with their ids, the newest day first. The cursor's time is the day's midnight in UTC.
///
/// # Errors
/// See [`DbError`].
pub fn list(conn: &mut Connection, filter: &SummaryFilter, page: Page) -> Result<Vec<(i64, Summary)>, DbError> {
    let mut query = core_logsummary::table.select(SummaryRow::as_select()).into_boxed();
    if !filter.apps.is_empty() {
        query = query.filter(core_logsummary::app_id.eq_any(filter.apps.iter().map(|app| app.0)));
    }
    if let Some(since) = filter.since {
        query = query.filter(core_logsummary::date.ge(since));
    }
    if let Some(until) = filter.until {
        query = query.filter(core_logsummary::date.le(until));
    }
    if let Some(after) = page.after {
        let date = after.created_at.date_naive();
        query = query.filter(
            core_logsummary::date.lt(date).or(core_logsummary::date.eq(date).and(core_logsummary::id.lt(after.id))),
        );
    }
    let rows: Vec<SummaryRow> =
        query.order((core_logsummary::date.desc(), core_logsummary::id.desc())).limit(page.limit.into()).load(conn)?;
    Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
}

/// What each app's summaries of some days say. A day that was not summed up is left out.
///
/// # Errors
/// See [`DbError`].
pub fn between(
    conn: &mut Connection,
    days: RangeInclusive<NaiveDate>,
) -> Result<BTreeMap<NaiveDate, HashMap<AppId, LevelCounts>>, DbError> {
    let rows: Vec<SummaryRow> = core_logsummary::table
        .select(SummaryRow::as_select())
        .filter(core_logsummary::date.ge(days.start()))
        .filter(core_logsummary::date.le(days.end()))
        .load(conn)?;
    let mut told: BTreeMap<NaiveDate, HashMap<AppId, LevelCounts>> = BTreeMap::new();
    for summary in rows.into_iter().map(Summary::from) {
        // Django may have left two.
        let known = told.entry(summary.date).or_default().entry(summary.app).or_default();
        *known = summary.counts.max_each(known);
    }
    Ok(told)
}

impl From<SummaryRow> for Summary {
    fn from(row: SummaryRow) -> Self {
        let count = |n: i32| u64::try_from(n).unwrap_or(0);
        let counts =
            LevelCounts { info: count(row.info_count), warn: count(row.warn_count), error: count(row.error_count) };
        Self { app: AppId(row.app_id), date: row.date, counts }
    }
}

/// Counts an app's logs of a day and puts the summary in the place of whatever the app has for that day.
///
/// However many do so at once, the newest numbers stay. Nothing is done for an app that is gone.
///
/// # Errors
/// See [`DbError`].
pub fn recount(
    conn: &mut Connection,
    app: AppId,
    date: NaiveDate,
    range: &Range<DateTime<Utc>>,
) -> Result<(), DbError> {
    transaction(conn, |conn| {
        // Before anything is counted: who comes second counts later, too.
        if !apps::lock(conn, app)? {
            return Ok(());
        }
        let mut counts = LevelCounts::default();
        for (level, count) in log_counts::of_app(conn, app, range)? {
            counts.add(level, count);
        }
        replace(conn, &Summary { app, date, counts })
    })
}

/// The apps with more logs of some level on a day than its summary says, and of none with fewer: some came late.
///
/// Where there are fewer, somebody took logs away, and what the summary says is all that is known of them. Of a day without any summary there is none: it is still to be summed up. `range` is the day's.
///
/// # Errors
/// See [`DbError`].
pub fn outgrown(conn: &mut Connection, date: NaiveDate, range: &Range<DateTime<Utc>>) -> Result<Vec<AppId>, DbError> {
    let Some(told) = between(conn, date..=date)?.remove(&date) else { return Ok(Vec::new()) };
    let counted = log_counts::of_apps(conn, range)?;
    let is_outgrown = |(app, counts): &(AppId, LevelCounts)| {
        let told = told.get(app).copied().unwrap_or_default();
        let counts = counts.each(|count| count.min(LARGEST));
        counts != told && counts.max_each(&told) == counts
    };
    Ok(counted.into_iter().filter(is_outgrown).map(|(app, _)| app).collect())
}

/// The columns are the seed's, 32-bit numbers: past two billion logs a day they say two billion.
const LARGEST: u64 = 2_147_483_647;

fn replace(conn: &mut Connection, summary: &Summary) -> Result<(), DbError> {
    let count = |n: u64| i32::try_from(n).unwrap_or(i32::MAX);
    let same = core_logsummary::table
        .filter(core_logsummary::app_id.eq(summary.app.0))
        .filter(core_logsummary::date.eq(summary.date));
    diesel::delete(same).execute(conn)?;
    diesel::insert_into(core_logsummary::table)
        .values((
            core_logsummary::app_id.eq(summary.app.0),
            core_logsummary::date.eq(summary.date),
            core_logsummary::info_count.eq(count(summary.counts.info)),
            core_logsummary::warn_count.eq(count(summary.counts.warn)),
            core_logsummary::error_count.eq(count(summary.counts.error)),
        ))
        .execute(conn)?;
    Ok(())
}

/// Deletes an app's summaries.
///
/// # Errors
/// See [`DbError`].
pub fn delete_of_app(conn: &mut Connection, app: AppId) -> Result<(), DbError> {
    diesel::delete(core_logsummary::table.filter(core_logsummary::app_id.eq(app.0))).execute(conn)?;
    Ok(())
}
