//! `core_log` by what only the text of the logs says: the logs of a range are read one by one, a piece of it at a time.
//!
//! The piece next to the page is read in the order of time, up to the last log that is wanted. Where that is not enough, so
//! few are wanted that the other pieces are read as they lie, forward, and what is found is sorted: half the cost a log.
//! A piece where it turns out to be much is read again, in the order of time.

use std::ops::Range;
use std::time::{Duration, Instant};

use chrono::{DateTime, DurationRound as _, NaiveDateTime, TimeDelta, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bigint, Datetime, Nullable};
use logmon_core::log::{LogFilter, Order};
use logmon_core::page::{Cursor, Page};

use super::super::{Connection, DbError, utc};
use super::filter::{Condition, of_apps_and_levels};
use super::page::{LogPage, MANY, Way, in_time, select_within};
use super::search::conditions;
use super::short::{Short, short};

/// How long the first piece is.
const NEAR: TimeDelta = TimeDelta::hours(1);
const DAY: TimeDelta = TimeDelta::days(1);
/// Of days of which at least so much is asked for, reading all is faster than finding where to begin and to end.
const MOST_OF_A_DAY: TimeDelta = TimeDelta::hours(18);
/// After a piece that took less, the next one is twice as long.
const SHORT: Duration = Duration::from_millis(20);

/// A page of the logs that a filter lets through. It ends at `end`.
///
/// # Errors
/// [`DbError::TooSlow`] at its end; else see [`DbError`].
pub(super) fn list(
    conn: &mut Connection,
    filter: &LogFilter,
    order: Order,
    page: Page,
    end: Instant,
) -> Result<Vec<Short>, DbError> {
    let mut found: Vec<Short> = Vec::new();
    let Some(mut rest) = span(conn, filter, order, page.after, end)? else { return Ok(found) };
    let (mut piece, mut way, mut days) = (near(&rest, order), Way::InOrder, 1);
    loop {
        let began = Instant::now();
        let limit = page.limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
        let of = LogFilter { since: Some(piece.start), until: Some(piece.end), ..filter.clone() };
        let mut wanted: Vec<Condition> = of_apps_and_levels(&filter.apps, &filter.levels);
        // Nearly every log has a level of ours, so where it may have any this is asked last.
        let last = if filter.levels.is_empty() { wanted.len().min(1) } else { wanted.len() };
        let levels = wanted.split_off(last);
        wanted.extend(conditions(&of, order, page));
        wanted.extend(levels);
        let left = end.saturating_duration_since(began);
        let of_piece = sql::<Bigint>(if matches!(way, Way::InOrder) { "0" } else { "place.found" });
        let columns = (short(), of_piece);
        let rows: Vec<(Short, i64)> = LogPage::new(columns, way, &wanted, order, limit, left).load(conn)?;
        if rows.first().is_some_and(|(_, of_piece)| *of_piece >= i64::from(MANY)) {
            way = Way::InOrder;
            continue;
        }
        found.extend(rows.into_iter().map(|(row, _)| row));
        match order {
            Order::NewestFirst => rest.end = piece.start,
            Order::OldestFirst => rest.start = piece.end,
        }
        if rest.is_empty() || found.len() >= usize::try_from(page.limit).unwrap_or(usize::MAX) {
            return Ok(found);
        }
        days = if began.elapsed() < SHORT && !matches!(way, Way::InOrder) { days * 2 } else { 1 };
        piece = in_days(&rest, order, days);
        way = if piece.end - piece.start >= MOST_OF_A_DAY * days { Way::Days } else { Way::Range };
    }
}

/// Where the logs lie that may be on a page; `None` where there are none.
fn span(
    conn: &mut Connection,
    filter: &LogFilter,
    order: Order,
    after: Option<Cursor>,
    end: Instant,
) -> Result<Option<Range<DateTime<Utc>>>, DbError> {
    #[derive(QueryableByName)]
    struct Ends {
        #[diesel(sql_type = Nullable<Datetime>)]
        first: Option<NaiveDateTime>,
        #[diesel(sql_type = Nullable<Datetime>)]
        last: Option<NaiveDateTime>,
    }
    let left = end.saturating_duration_since(Instant::now());
    in_time(left)?;
    let sql = format!(
        "{}(SELECT MIN(created_at) FROM core_log) AS first, (SELECT MAX(created_at) FROM core_log) AS last",
        select_within(left)
    );
    let ends: Ends = diesel::sql_query(sql).get_result(conn)?;
    let Some((first, last)) = ends.first.zip(ends.last) else { return Ok(None) };
    let behind = |moment: DateTime<Utc>| moment + TimeDelta::microseconds(1);
    let (mut start, mut end) = (utc(first), behind(utc(last)));
    start = filter.since.map_or(start, |since| since.max(start));
    end = filter.until.map_or(end, |until| until.min(end));
    if let Some(after) = after {
        match order {
            Order::NewestFirst => end = end.min(behind(after.created_at)),
            Order::OldestFirst => start = start.max(after.created_at),
        }
    }
    Ok((start < end).then_some(start..end))
}

/// The part of a range that comes first in an order.
fn near(range: &Range<DateTime<Utc>>, order: Order) -> Range<DateTime<Utc>> {
    match order {
        Order::NewestFirst => range.start.max(range.end - NEAR)..range.end,
        Order::OldestFirst => range.start..range.end.min(range.start + NEAR),
    }
}

/// The part of a range that comes first in an order, and lies in so many days of the table.
fn in_days(range: &Range<DateTime<Utc>>, order: Order, days: i32) -> Range<DateTime<Utc>> {
    let midnight = |moment: DateTime<Utc>| moment.duration_trunc(DAY).unwrap_or(moment);
    match order {
        Order::NewestFirst => {
            let last = midnight(range.end - TimeDelta::microseconds(1));
            range.start.max(last - DAY * (days - 1))..range.end
        }
        Order::OldestFirst => range.start..range.end.min(midnight(range.start) + DAY * days),
    }
}
