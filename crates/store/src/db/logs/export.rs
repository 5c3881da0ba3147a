//! `core_log` from one end of what a filter lets through to the other, in memory that does not grow.
//!
//! It is read page by page, each a statement that ends before the next one begins, so nothing is held open while whoever
//! takes the logs is slow.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use logmon_core::app::AppId;
use logmon_core::log::{Level, Log, LogFilter, Order};
use logmon_core::page::{Cursor, Page};

use super::super::{Connection, DbError};
use super::choice::{Choice, Reading};
use super::filter::of_apps_and_levels;
use super::page::{LogPage, Way};
use super::short::{Short, short};
use super::{choice, search};

/// How many logs are read at a time. Without the long ones, which are read one by one, they take 8 MiB at most.
const PAGE: u32 = 1_000;
/// With more pairs of app and level than these, reading all logs in the order of time costs less.
const PAIRS_MAX: usize = 12;
/// How long the database may work on one page.
const DEADLINE: Duration = Duration::from_secs(20);
/// A text is looked for in so much at a time, so that a page takes a bounded time where it finds nothing.
const STEP: TimeDelta = TimeDelta::hours(1);

/// A walk through all logs that a filter lets through.
pub struct Walk {
    conn: Connection,
    filter: LogFilter,
    order: Order,
    /// Where each app and level that is asked for lies in an index; `None` until that is known.
    pairs: Option<Option<Vec<(AppId, Level)>>>,
    waiting: VecDeque<Short>,
    after: Option<Cursor>,
    /// What is still to be looked at; `None` at the end.
    rest: Option<LogFilter>,
    /// When it began.
    now: DateTime<Utc>,
}

/// What the next step came to.
#[derive(Debug)]
pub enum Step {
    /// A log.
    Log(Box<Log>),
    /// Nothing yet: a part of the range has none.
    Nothing,
    /// That was all.
    End,
}

impl Walk {
    /// Begins now, behind `after` or at the beginning.
    pub fn new(conn: Connection, filter: LogFilter, order: Order, after: Option<Cursor>, now: DateTime<Utc>) -> Self {
        let rest = Some(filter.clone());
        Self { conn, filter, order, pairs: None, waiting: VecDeque::new(), after, rest, now }
    }

    /// One step on.
    ///
    /// # Errors
    /// See [`DbError`]; [`DbError::TooSlow`] when a page takes longer than 20 s.
    pub fn step(&mut self) -> Result<Step, DbError> {
        if self.waiting.is_empty() {
            let Some(rest) = self.rest.take() else { return Ok(Step::End) };
            self.read(&rest)?;
        }
        let Some(short) = self.waiting.pop_front() else { return Ok(Step::Nothing) };
        self.after = Some(short.place());
        Ok(short.whole(&mut self.conn)?.map_or(Step::Nothing, |log| Step::Log(Box::new(log))))
    }

    /// Reads the next page, and says what is still to be looked at behind it.
    fn read(&mut self, rest: &LogFilter) -> Result<(), DbError> {
        let (near, far) = self.parted(rest);
        let (order, page) = (self.order, Page { limit: PAGE, after: self.after });
        let pairs = match self.pairs.take() {
            Some(pairs) => pairs,
            None => {
                let Choice { pairs, all_costs_less, .. } =
                    choice::choose(&mut self.conn, &self.filter, order, page, Reading::All)?;
                pairs.filter(|pairs| !all_costs_less && pairs.len() <= PAIRS_MAX)
            }
        };
        let mut conditions = search::conditions(&near, order, page);
        if pairs.is_none() {
            conditions.extend(of_apps_and_levels(&near.apps, &near.levels));
        }
        let way = pairs.as_deref().map_or(Way::InOrder, Way::Pairs);
        let statement = LogPage::new(short(), way, &conditions, order, PAGE, DEADLINE);
        let rows: Vec<Short> = statement.load(&mut self.conn)?;
        self.pairs = Some(pairs);
        self.rest = if u32::try_from(rows.len()).is_ok_and(|rows| rows < PAGE) { far } else { Some(rest.clone()) };
        self.waiting = rows.into();
        Ok(())
    }

    /// What is looked at next, and what is left for later.
    fn parted(&self, rest: &LogFilter) -> (LogFilter, Option<LogFilter>) {
        let (mut near, mut far) = (rest.clone(), rest.clone());
        // Hardly anything is later than now, but what is belongs to what is asked for.
        let (since, until) = (rest.since.filter(|_| rest.reads_text()), rest.until.unwrap_or(self.now));
        let Some(since) = since.filter(|since| until - *since > STEP) else { return (near, None) };
        match self.order {
            Order::NewestFirst => (near.since, far.until) = (Some(until - STEP), Some(until - STEP)),
            Order::OldestFirst => (near.until, far.since) = (Some(since + STEP), Some(since + STEP)),
        }
        (near, Some(far))
    }
}
