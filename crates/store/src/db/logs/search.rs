//! `core_log` by what a filter lets through, a page at a time, in the order of (`created_at`, `id`).
//!
//! The logs of an app and level lie together in an index, in this order. So each such pair gives its first ones, and the
//! first of these are the page: one statement, however many pairs. Without a pair, or where the others are few, all logs are
//! passed in this order, which is that of the primary key.

use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Datetime, Nullable};
use logmon_core::log::{Log, LogFilter, Order};
use logmon_core::page::{Cursor, Page};

use super::super::schema::core_log;
use super::super::{Connection, DbError, utc};
use super::choice::{Choice, Reading};
use super::filter::{Condition, of_apps_and_levels, of_the_rest};
use super::page::{LogPage, Way};
use super::short::{Short, short, whole};
use super::{LogsPage, choice, scan};

/// With fewer pairs than these, every day is looked into at once; with more, or none, first the one that is next to the page.
const PAIRS_FEW: usize = 5;
const DAY: TimeDelta = TimeDelta::days(1);

/// The logs of a page take so much together, but for the last one: then it ends before its limit.
const PAGE_BYTES: usize = 16 << 20;

/// A page of the logs that a filter lets through, in an order. Finding them takes no longer than `deadline`.
///
/// # Errors
/// [`DbError::TooSlow`] after the deadline; else see [`DbError`].
pub fn list(
    conn: &mut Connection,
    filter: &LogFilter,
    order: Order,
    page: Page,
    deadline: Duration,
) -> Result<LogsPage, DbError> {
    let one_more = Page { limit: page.limit.saturating_add(1), ..page };
    let found = find(conn, filter, order, one_more, Instant::now() + deadline)?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let count = found.len();
    let page = whole(conn, found.into_iter().take(limit), PAGE_BYTES)?;
    Ok(LogsPage { has_more: page.has_more || count > limit, ..page })
}

fn find(
    conn: &mut Connection,
    filter: &LogFilter,
    order: Order,
    page: Page,
    end: Instant,
) -> Result<Vec<Short>, DbError> {
    let reading = if filter.reads_text() { Reading::Texts } else { Reading::Page };
    let Choice { pairs, all_costs_less, edge } = choice::choose(conn, filter, order, page, reading)?;
    if reading == Reading::Texts && (pairs.is_none() || all_costs_less) {
        return scan::list(conn, filter, order, page, end);
    }
    let read = |conn: &mut Connection, filter: &LogFilter, page: Page, way: Way<'_>| {
        let left = end.saturating_duration_since(Instant::now());
        let mut conditions = conditions(filter, order, page);
        if matches!(way, Way::InOrder) {
            conditions.extend(of_apps_and_levels(&filter.apps, &filter.levels));
        }
        LogPage::new(short(), way, &conditions, order, page.limit, left).load::<Short>(conn)
    };
    let by_pairs = pairs.as_deref().map_or(Way::InOrder, Way::Pairs);
    // What is read in order begins with a look into each day that may have some of it.
    let edge = match (edge, pairs.as_ref().map(Vec::len)) {
        (None, None) => begins(filter, order, page.after).and_then(|begins| a_day_away(begins, order)),
        (None, Some(PAIRS_FEW..)) => match begins(filter, order, page.after) {
            Some(begins) => a_day_away(begins, order),
            None => first(conn, order)?.and_then(|begins| a_day_away(begins, order)),
        },
        (edge, _) => edge,
    };
    let Some(edge) = edge else { return read(conn, filter, page, by_pairs) };
    let (near, far) = parted(filter, order, edge);
    let mut found = read(conn, &near, page, if all_costs_less { Way::InOrder } else { by_pairs })?;
    let limit = page.limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
    if limit > 0 {
        found.extend(read(conn, &far, Page { limit, ..page }, by_pairs)?);
    }
    Ok(found)
}

/// The newest log that a filter would let through but for its range, which it lies outside of. `None` also where there is
/// no range.
///
/// # Errors
/// As [`list`].
pub fn newest_outside(conn: &mut Connection, filter: &LogFilter, deadline: Duration) -> Result<Option<Log>, DbError> {
    let end = Instant::now() + deadline;
    let later = filter.until.map(|until| LogFilter { since: Some(until), until: None, ..filter.clone() });
    let earlier = filter.since.map(|since| LogFilter { since: None, until: Some(since), ..filter.clone() });
    for side in [later, earlier].into_iter().flatten() {
        let left = end.saturating_duration_since(Instant::now());
        let found = list(conn, &side, Order::NewestFirst, Page { limit: 1, after: None }, left)?;
        if let Some(log) = found.logs.into_iter().next() {
            return Ok(Some(log));
        }
    }
    Ok(None)
}

/// Where a page begins, if that is said.
fn begins(filter: &LogFilter, order: Order, after: Option<Cursor>) -> Option<DateTime<Utc>> {
    let end = match order {
        Order::NewestFirst => filter.until,
        Order::OldestFirst => filter.since,
    };
    after.map(|after| after.created_at).or(end)
}

/// The time of the log that is first in an order.
fn first(conn: &mut Connection, order: Order) -> Result<Option<DateTime<Utc>>, DbError> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = Nullable<Datetime>)]
        moment: Option<NaiveDateTime>,
    }
    let ask = match order {
        Order::NewestFirst => "SELECT MAX(created_at) AS moment FROM core_log",
        Order::OldestFirst => "SELECT MIN(created_at) AS moment FROM core_log",
    };
    Ok(diesel::sql_query(ask).get_result::<Found>(conn)?.moment.map(utc))
}

fn a_day_away(moment: DateTime<Utc>, order: Order) -> Option<DateTime<Utc>> {
    match order {
        Order::NewestFirst => moment.checked_sub_signed(DAY),
        Order::OldestFirst => moment.checked_add_signed(DAY),
    }
}

/// A filter for the logs on this side of a moment and one for those beyond it.
fn parted(filter: &LogFilter, order: Order, edge: DateTime<Utc>) -> (LogFilter, LogFilter) {
    let (mut near, mut far) = (filter.clone(), filter.clone());
    let later = Some(filter.since.map_or(edge, |since| since.max(edge)));
    let earlier = Some(filter.until.map_or(edge, |until| until.min(edge)));
    match order {
        Order::NewestFirst => (near.since, far.until) = (later, earlier),
        Order::OldestFirst => (near.until, far.since) = (earlier, later),
    }
    (near, far)
}

/// What a log must be to be on a page, its app and level aside.
pub(super) fn conditions(filter: &LogFilter, order: Order, page: Page) -> Vec<Condition> {
    let mut conditions = of_the_rest(filter);
    if let Some(after) = page.after {
        let (time, id) = (after.created_at.naive_utc(), after.id);
        // The first of the two says where to begin in an index.
        match order {
            Order::NewestFirst => {
                conditions.push(Box::new(core_log::created_at.le(time)));
                conditions.push(Box::new(core_log::created_at.lt(time).or(core_log::id.lt(id))));
            }
            Order::OldestFirst => {
                conditions.push(Box::new(core_log::created_at.ge(time)));
                conditions.push(Box::new(core_log::created_at.gt(time).or(core_log::id.gt(id))));
            }
        }
    }
    conditions
}
