//! The way to the logs of apps and levels that costs least, by what the counts say of the hours around a page.
//!
//! They lie together in an index, each app and level by itself, but to come from there to a log takes as long as passing
//! several as they lie; while logs come in, that is so for each entry at the index's newest end, wanted or not.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bigint, Datetime, Nullable};
use logmon_core::app::AppId;
use logmon_core::log::{Level, LogFilter, Order};
use logmon_core::page::Page;

use super::super::{Connection, DbError, apps, log_counts, utc, verify};

/// With more pairs than these, reading all logs in the order of time costs less.
const PAIRS_MAX: usize = 300;

/// What is read of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// A page of them, of which each pair is asked for as many.
    Page,
    /// The texts of all, until a page of them has what is looked for.
    Texts,
    /// All, page by page. Most that the index leads to are then to be fetched from disk.
    All,
}

impl Reading {
    /// How many logs are passed as they lie in the time that one takes through the index.
    fn passed(self) -> u64 {
        match self {
            Self::Page => 3,
            Self::Texts => 6,
            Self::All => 30,
        }
    }
}

/// The way to a page.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// The apps and levels whose logs may be read, each for itself; `None` where that is not the way.
    pub(super) pairs: Option<Vec<(AppId, Level)>>,
    /// Whether to read all logs in the order of time costs less, up to the edge.
    pub(super) all_costs_less: bool,
    /// Up to where there are, as far as it is known, as many wanted ones as a page has.
    pub(super) edge: Option<DateTime<Utc>>,
}

/// The way to a page of what a filter lets through.
///
/// # Errors
/// See [`DbError`].
pub(super) fn choose(
    conn: &mut Connection,
    filter: &LogFilter,
    order: Order,
    page: Page,
    reading: Reading,
) -> Result<Choice, DbError> {
    if filter.apps.is_empty() && filter.levels.is_empty() {
        return Ok(Choice::default());
    }
    let apps = if filter.apps.is_empty() { apps::ids(conn)? } else { filter.apps.clone() };
    let levels = if filter.levels.is_empty() { Level::ALL.as_slice() } else { &filter.levels };
    let pairs = apps.len() * levels.len();
    if pairs > PAIRS_MAX {
        return Ok(Choice::default());
    }
    let Share { wanted, all, edge } = share(conn, filter, order, page)?;
    let entries = if reading == Reading::Page { u64::try_from(pairs).unwrap_or(u64::MAX) } else { 1 };
    // Where these hours do not fill a page, it is not known how far away its last log is.
    let edge = edge.filter(|_| reading == Reading::Page && wanted >= page.limit.into());
    let is_near = reading != Reading::Page || edge.is_some();
    let all_costs_less =
        wanted > 0 && is_near && wanted.saturating_mul(entries).saturating_mul(reading.passed()) >= all;
    let pairs = apps.into_iter().flat_map(|app| levels.iter().map(move |level| (app, *level))).collect();
    Ok(Choice { pairs: Some(pairs), all_costs_less, edge })
}

/// How many logs of some hours are of a filter's apps and levels, and how many there are.
struct Share {
    wanted: u64,
    all: u64,
    /// Where these hours end, seen from where a page begins.
    edge: Option<DateTime<Utc>>,
}

/// The share in the last two hours that have logs before the place where a page begins; in the other order, the first two
/// behind it.
fn share(conn: &mut Connection, filter: &LogFilter, order: Order, page: Page) -> Result<Share, DbError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bigint)]
        wanted: i64,
        #[diesel(sql_type = Bigint)]
        looked_at: i64,
        #[diesel(sql_type = Nullable<Datetime>)]
        last: Option<NaiveDateTime>,
    }
    let of = |column: &str, values: Vec<String>| {
        if values.is_empty() { "TRUE".to_owned() } else { format!("{column} IN ({})", values.join(",")) }
    };
    let apps = of("app_id", filter.apps.iter().map(|app| app.0.to_string()).collect());
    let levels = of("level", filter.levels.iter().map(|level| format!("'{}'", level.as_str())).collect());
    let after = page.after.map(|after| after.created_at);
    let (begins, last, hours) = match order {
        Order::NewestFirst => (
            after.or(filter.until).unwrap_or(verify::END),
            "MIN(hour)",
            "hour <= ? AND hour >= (SELECT MAX(hour) FROM core_loghourcount WHERE hour <= ?) - INTERVAL 1 HOUR",
        ),
        Order::OldestFirst => (
            log_counts::hour(after.or(filter.since).unwrap_or(DateTime::UNIX_EPOCH)),
            "MAX(hour) + INTERVAL 1 HOUR",
            "hour >= ? AND hour <= (SELECT MIN(hour) FROM core_loghourcount WHERE hour >= ?) + INTERVAL 1 HOUR",
        ),
    };
    let moment = begins.naive_utc();
    let row: Row = diesel::sql_query(format!(
        "SELECT CAST(COALESCE(SUM(IF({apps} AND {levels}, count, 0)), 0) AS SIGNED) AS wanted,
           CAST(COALESCE(SUM(count), 0) AS SIGNED) AS looked_at, {last} AS last
         FROM core_loghourcount WHERE {hours}"
    ))
    .bind::<Datetime, _>(moment)
    .bind::<Datetime, _>(moment)
    .get_result(conn)?;
    let unsigned = |count| u64::try_from(count).unwrap_or(0);
    Ok(Share { wanted: unsigned(row.wanted), all: unsigned(row.looked_at), edge: row.last.map(utc) })
}
