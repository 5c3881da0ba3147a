//! The statement that reads a page of `core_log`, which is more than Diesel's own can say.

use std::time::Duration;

use diesel::dsl::SqlTypeOf;
use diesel::mysql::Mysql;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::LoadQuery;
use logmon_core::app::AppId;
use logmon_core::log::{Level, Order};

use super::super::{Connection, DbError};
use super::filter::Condition;

/// The beginning of a SELECT that ends with an error when it takes longer, which is at least a millisecond.
pub(super) fn select_within(left: Duration) -> String {
    let milliseconds = left.as_millis();
    let (seconds, rest) = (milliseconds / 1_000, milliseconds % 1_000);
    // What only MariaDB reads, and what only MySQL does, stand in comments for the other.
    format!(
        "/*M!100100 SET STATEMENT max_statement_time={seconds}.{rest:03} FOR */ \
         SELECT /*+ MAX_EXECUTION_TIME({milliseconds}) */ "
    )
}

/// That there is time left: to the database, none is any.
///
/// # Errors
/// [`DbError::TooSlow`]
pub(super) fn in_time(left: Duration) -> Result<(), DbError> {
    if left.as_millis() == 0 { Err(DbError::TooSlow) } else { Ok(()) }
}

/// The first logs in an order. Where they do not lie in this order: first where the first ones lie, then these logs.
pub(super) struct LogPage<'a, C> {
    columns: C,
    way: Way<'a>,
    conditions: &'a [Condition],
    /// The order, as SQL says it.
    direction: &'static str,
    limit: u32,
    /// How long it may take.
    left: Duration,
}

/// How the logs are come by among which the wanted ones are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way<'a> {
    /// Those of each of these apps and levels by themselves, in the order of time.
    Pairs(&'a [(AppId, Level)]),
    /// All, in the order of time.
    InOrder,
    /// Those of a range, as they lie, and sorted afterwards: at most [`MANY`], whichever come first. The column `place.found`
    /// says how many there are.
    Range,
    /// The same of the days that a range lies in.
    Days,
}

/// With so many that are wanted, what is read as they lie ends: it would only be noted and sorted for a page that has few.
pub(super) const MANY: u32 = 10_000;

impl<'a, C> LogPage<'a, C> {
    /// These columns of the logs that are come by in a way and hold to `conditions`: at most `limit` of them, within `left`.
    pub(super) fn new(
        columns: C,
        way: Way<'a>,
        conditions: &'a [Condition],
        order: Order,
        limit: u32,
        left: Duration,
    ) -> Self {
        let direction = match order {
            Order::NewestFirst => "DESC",
            Order::OldestFirst => "ASC",
        };
        Self { columns, way, conditions, direction, limit, left }
    }

    /// Reads them.
    ///
    /// # Errors
    /// [`DbError::TooSlow`] when the time is over; else see [`DbError`].
    pub(super) fn load<'q, R>(self, conn: &mut Connection) -> Result<Vec<R>, DbError>
    where
        Self: LoadQuery<'q, Connection, R>,
    {
        in_time(self.left)?;
        if matches!(self.way, Way::Pairs([])) {
            return Ok(Vec::new());
        }
        Ok(RunQueryDsl::load(self, conn)?)
    }

    fn order_by(&self, table: &str) -> String {
        let direction = self.direction;
        format!(" ORDER BY {table}created_at {direction}, {table}id {direction}")
    }

    /// What is read: by which index, and a condition on app and level.
    fn parts(&self) -> Vec<(&'static str, String)> {
        let all = |index| vec![(index, "TRUE".to_owned())];
        match self.way {
            Way::InOrder if self.conditions.is_empty() => all(""),
            Way::InOrder => all("FORCE INDEX (PRIMARY)"),
            Way::Range => all("FORCE INDEX (PRIMARY)"),
            Way::Days => all("USE INDEX ()"),
            Way::Pairs(pairs) => pairs
                .iter()
                .map(|(app, level)| {
                    let of = format!("app_id = {} AND level = '{}'", app.0, level.as_str());
                    ("FORCE INDEX (core_log_app_level)", of)
                })
                .collect(),
        }
    }

    /// Behind the names of columns: from where, which, and how many of the first ones.
    fn first<'b>(&'b self, index: &str, of: &str, mut out: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        out.push_sql(&format!(" FROM core_log {index} WHERE {of}"));
        for condition in self.conditions {
            out.push_sql(" AND ");
            condition.walk_ast(out.reborrow())?;
        }
        match self.way {
            Way::Pairs(_) | Way::InOrder => {
                out.push_sql(&format!("{} LIMIT {}", self.order_by("core_log."), self.limit));
            }
            // Sorted with what is found. Were it sorted here, the place of each log would be noted, wanted or not.
            Way::Range | Way::Days => out.push_sql(&format!(" LIMIT {MANY}")),
        }
        Ok(())
    }
}

impl<C: QueryFragment<Mysql>> QueryFragment<Mysql> for LogPage<'_, C> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql(&select_within(self.left));
        // The places come first: without this a database may begin with the logs.
        out.push_sql("STRAIGHT_JOIN ");
        self.columns.walk_ast(out.reborrow())?;
        let parts = self.parts();
        if let (Way::InOrder | Way::Pairs(_), [(index, of)]) = (self.way, parts.as_slice()) {
            return self.first(index, of, out);
        }
        let found = if matches!(self.way, Way::Range | Way::Days) { ", COUNT(*) OVER () AS found" } else { "" };
        out.push_sql(&format!(" FROM (SELECT created_at, id{found} FROM ("));
        for (number, (index, of)) in parts.iter().enumerate() {
            out.push_sql(if number == 0 { "(SELECT created_at, id" } else { " UNION ALL (SELECT created_at, id" });
            self.first(index, of, out.reborrow())?;
            out.push_sql(")");
        }
        out.push_sql(&format!(
            ") AS places{} LIMIT {}) AS place \
             JOIN core_log ON core_log.created_at = place.created_at AND core_log.id = place.id{}",
            self.order_by(""),
            self.limit,
            self.order_by("place.")
        ));
        Ok(())
    }
}

impl<C> QueryId for LogPage<'_, C> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C: Expression> Query for LogPage<'_, C> {
    type SqlType = SqlTypeOf<C>;
}

impl<C> RunQueryDsl<Connection> for LogPage<'_, C> {}
