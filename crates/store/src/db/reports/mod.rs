//! `core_report`: what each subscriber was told of a day, revision by revision.

mod material;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::result::Error as QueryError;
use diesel::sql_types::Bigint;
use logmon_core::language::Language;
use logmon_core::notification::{EventId, ReportEvent, ReportNotice};
use logmon_core::page::Page;
use logmon_core::report::{Report, ReportId, SubscriberId};
use uuid::Uuid;

use super::schema::{core_logsummary, core_report};
use super::subscribers::{self, Subscriber};
use super::{Connection, DbError, deliveries, transaction, utc};
pub use material::{Budget, Looked, add_patterns, gather};

/// A report that is kept, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReport {
    /// Its id.
    pub id: ReportId,
    /// Who was told.
    pub subscriber: SubscriberId,
    /// The day.
    pub date: NaiveDate,
    /// Which revision it is, from 1 on.
    pub revision: u32,
    /// The id of the event by which it was told.
    pub event_id: Uuid,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = core_report)]
struct ReportRow {
    id: i64,
    date: NaiveDate,
    subscriber_id: i64,
    revision: i32,
    event_id: String,
    created_at: NaiveDateTime,
}

impl From<ReportRow> for KeptReport {
    fn from(row: ReportRow) -> Self {
        Self {
            id: ReportId(row.id),
            subscriber: SubscriberId(row.subscriber_id),
            date: row.date,
            revision: u32::try_from(row.revision).unwrap_or(0),
            event_id: row.event_id.parse().unwrap_or_default(),
            created_at: utc(row.created_at),
        }
    }
}

/// Which reports are wanted.
#[derive(Debug, Clone, Default)]
pub struct ReportFilter {
    /// Only of this day.
    pub date: Option<NaiveDate>,
    /// Only those of this subscriber.
    pub subscriber: Option<SubscriberId>,
}

/// A page of the reports, the last made first: the order of their ids.
///
/// # Errors
/// See [`DbError`].
pub fn list(conn: &mut Connection, filter: &ReportFilter, page: Page) -> Result<Vec<KeptReport>, DbError> {
    let mut query = core_report::table.select(ReportRow::as_select()).into_boxed();
    if let Some(date) = filter.date {
        query = query.filter(core_report::date.eq(date));
    }
    if let Some(subscriber) = filter.subscriber {
        query = query.filter(core_report::subscriber_id.eq(subscriber.0));
    }
    if let Some(after) = page.after {
        query = query.filter(core_report::id.lt(after.id));
    }
    let rows: Vec<ReportRow> = query.order(core_report::id.desc()).limit(page.limit.into()).load(conn)?;
    Ok(rows.into_iter().map(KeptReport::from).collect())
}

/// One report with its content.
///
/// # Errors
/// See [`DbError`].
pub fn get(conn: &mut Connection, id: ReportId) -> Result<Option<(KeptReport, Report)>, DbError> {
    let row: Option<(ReportRow, String)> =
        core_report::table.find(id.0).select((ReportRow::as_select(), core_report::content)).first(conn).optional()?;
    row.map(|(row, content)| Ok((row.into(), read(&content)?))).transpose()
}

/// The newest revision of what a subscriber was told of a day.
///
/// # Errors
/// See [`DbError`].
pub fn newest(
    conn: &mut Connection,
    subscriber: SubscriberId,
    date: NaiveDate,
) -> Result<Option<(KeptReport, Report)>, DbError> {
    let row: Option<(ReportRow, String)> = core_report::table
        .select((ReportRow::as_select(), core_report::content))
        .filter(core_report::date.eq(date))
        .filter(core_report::subscriber_id.eq(subscriber.0))
        .order(core_report::revision.desc())
        .first(conn)
        .optional()?;
    row.map(|(row, content)| Ok((row.into(), read(&content)?))).transpose()
}

fn read(content: &str) -> Result<Report, DbError> {
    Ok(serde_json::from_str(content).map_err(|e| QueryError::DeserializationError(e.into()))?)
}

/// What of a day was summed up: another value means that a summary was replaced. `None` where nothing was.
///
/// # Errors
/// See [`DbError`].
pub fn summary_ids(conn: &mut Connection, date: NaiveDate) -> Result<Option<i64>, DbError> {
    let sum = core_logsummary::table
        .select(sql::<diesel::sql_types::Nullable<Bigint>>("CAST(SUM(id) AS SIGNED)"))
        .filter(core_logsummary::date.eq(date))
        .first(conn)?;
    Ok(sum)
}

/// Whose reports of which days, from `since` on, were made before summaries of that day were replaced: the newest revision counts,
/// and only where it was made before `made_before`.
///
/// # Errors
/// See [`DbError`].
pub fn outdated(
    conn: &mut Connection,
    since: NaiveDate,
    made_before: DateTime<Utc>,
) -> Result<Vec<(SubscriberId, NaiveDate)>, DbError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bigint)]
        subscriber_id: i64,
        #[diesel(sql_type = diesel::sql_types::Date)]
        date: NaiveDate,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT r.subscriber_id, r.date FROM core_report r
         JOIN (SELECT date, subscriber_id, MAX(revision) AS revision FROM core_report WHERE date >= ?
               GROUP BY date, subscriber_id) AS newest
           ON newest.date = r.date AND newest.subscriber_id = r.subscriber_id AND newest.revision = r.revision
         JOIN (SELECT date, CAST(SUM(id) AS SIGNED) AS ids FROM core_logsummary WHERE date >= ? GROUP BY date) AS summed
           ON summed.date = r.date
         WHERE r.summary_ids <> summed.ids AND r.created_at <= ? ORDER BY r.date, r.subscriber_id",
    )
    .bind::<diesel::sql_types::Date, _>(since)
    .bind::<diesel::sql_types::Date, _>(since)
    .bind::<diesel::sql_types::Datetime, _>(made_before.naive_utc())
    .load(conn)?;
    Ok(rows.into_iter().map(|row| (SubscriberId(row.subscriber_id), row.date)).collect())
}

/// A report that was made.
#[derive(Debug)]
pub struct NewReport<'a> {
    /// Whom it is for.
    pub subscriber: &'a Subscriber,
    /// What it says.
    pub report: &'a Report,
    /// See [`summary_ids`], as it was before the report was made.
    pub summary_ids: i64,
    /// The language in which it is told.
    pub language: Language,
}

/// Keeps a report and tells it, in one transaction. False, and nothing is done, where that revision is there already or the
/// subscriber is gone.
///
/// # Errors
/// See [`DbError`].
pub fn keep(conn: &mut Connection, new: &NewReport<'_>, now: DateTime<Utc>) -> Result<bool, DbError> {
    let (subscriber, report) = (new.subscriber, new.report);
    let content = serde_json::to_string(report).map_err(|e| QueryError::SerializationError(e.into()))?;
    let event_id = EventId::new();
    transaction(conn, |conn| {
        if !subscribers::lock(conn, subscriber.id)?
            || revision(conn, subscriber.id, report.date)? + 1 != report.revision
        {
            return Ok(false);
        }
        diesel::insert_into(core_report::table)
            .values((
                core_report::date.eq(report.date),
                core_report::subscriber_id.eq(subscriber.id.0),
                core_report::revision.eq(i32::try_from(report.revision).unwrap_or(i32::MAX)),
                core_report::event_id.eq(event_id.0.to_string()),
                core_report::summary_ids.eq(new.summary_ids),
                core_report::content.eq(&content),
                core_report::created_at.eq(now.naive_utc()),
            ))
            .execute(conn)?;
        let id = ReportId(super::number(conn, "SELECT CAST(LAST_INSERT_ID() AS SIGNED) AS value")?);
        let notice = ReportNotice {
            event_id,
            event: ReportEvent::of(report),
            at: now,
            id,
            subscriber: subscriber.says.name.clone(),
            language: new.language,
            query: format!("/api/reports/{}/", id.0),
            report: report.clone(),
        };
        deliveries::announce_report(conn, &notice, &subscriber.says.channels)?;
        Ok(true)
    })
}

/// Notes that the newest report of a day says what the summaries do.
///
/// # Errors
/// See [`DbError`].
pub fn confirm(conn: &mut Connection, id: ReportId, summary_ids: i64) -> Result<(), DbError> {
    diesel::update(core_report::table.find(id.0)).set(core_report::summary_ids.eq(summary_ids)).execute(conn)?;
    Ok(())
}

fn revision(conn: &mut Connection, subscriber: SubscriberId, date: NaiveDate) -> Result<u32, DbError> {
    let newest: Option<i32> = core_report::table
        .select(diesel::dsl::max(core_report::revision))
        .filter(core_report::date.eq(date))
        .filter(core_report::subscriber_id.eq(subscriber.0))
        .first(conn)?;
    Ok(newest.and_then(|newest| u32::try_from(newest).ok()).unwrap_or(0))
}

/// Forgets the reports of the days before `date`; at most some hundreds at once. How many went.
///
/// # Errors
/// See [`DbError`].
pub fn forget_before(conn: &mut Connection, date: NaiveDate) -> Result<usize, DbError> {
    const AT_ONCE: i64 = 500;
    let old: Vec<i64> =
        core_report::table.select(core_report::id).filter(core_report::date.lt(date)).limit(AT_ONCE).load(conn)?;
    Ok(diesel::delete(core_report::table.filter(core_report::id.eq_any(old))).execute(conn)?)
}
