//! The statement that reads a page of `core_log`, which is more than Diesel's own can say.

use std::time::Duration;

use diesel::dsl::SqlTypeOf;
use diesel::mysql::Mysql;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::LoadQuery;
use logmon_core::app::AppId;
use logmon_core::log::{Level, Order};

use super::log_filter::Condition;
use super::{Connection, DbError};

/// The first logs in an order: first where they lie, then the logs.
pub(super) struct LogPage<'a, C> {
    columns: C,
    /// The apps and levels that are read, each for itself; `None` for all logs in the order of time.
    pairs: Option<&'a [(AppId, Level)]>,
    conditions: &'a [Condition],
    /// The order, as SQL says it.
    direction: &'static str,
    limit: u32,
    /// How long it may take.
    milliseconds: u128,
}

impl<'a, C> LogPage<'a, C> {
    /// These columns of the logs of `pairs`, or all, that hold to `conditions`: at most `limit` of them, within `left`.
    pub(super) fn new(
        columns: C,
        pairs: Option<&'a [(AppId, Level)]>,
        conditions: &'a [Condition],
        order: Order,
        limit: u32,
        left: Duration,
    ) -> Self {
        let direction = match order {
            Order::NewestFirst => "DESC",
            Order::OldestFirst => "ASC",
        };
        Self { columns, pairs, conditions, direction, limit, milliseconds: left.as_millis() }
    }

    /// Reads them.
    ///
    /// # Errors
    /// [`DbError::TooSlow`] when the time is over; else see [`DbError`].
    pub(super) fn load<'q, R>(self, conn: &mut Connection) -> Result<Vec<R>, DbError>
    where
        Self: LoadQuery<'q, Connection, R>,
    {
        // To the database, no time is any time.
        if self.milliseconds == 0 {
            return Err(DbError::TooSlow);
        }
        if self.pairs.is_some_and(<[_]>::is_empty) {
            return Ok(Vec::new());
        }
        Ok(RunQueryDsl::load(self, conn)?)
    }

    fn order_by(&self, table: &str) -> String {
        let direction = self.direction;
        format!(" ORDER BY {table}created_at {direction}, {table}id {direction}")
    }

    /// Where the first logs lie that hold to a condition on app and level and to all others.
    fn places<'b>(&'b self, index: &str, of: &str, mut out: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        out.push_sql(&format!("(SELECT created_at, id FROM core_log {index} WHERE {of}"));
        for condition in self.conditions {
            out.push_sql(" AND ");
            condition.walk_ast(out.reborrow())?;
        }
        out.push_sql(&format!("{} LIMIT {})", self.order_by(""), self.limit));
        Ok(())
    }
}

impl<C: QueryFragment<Mysql>> QueryFragment<Mysql> for LogPage<'_, C> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        let (seconds, rest) = (self.milliseconds / 1_000, self.milliseconds % 1_000);
        // What only MariaDB reads, and what only MySQL does, stand in comments for the other. The places come first:
        // without STRAIGHT_JOIN a database may begin with the logs.
        out.push_sql(&format!(
            "/*M!100100 SET STATEMENT max_statement_time={seconds}.{rest:03} FOR */ \
             SELECT /*+ MAX_EXECUTION_TIME({}) */ STRAIGHT_JOIN ",
            self.milliseconds
        ));
        self.columns.walk_ast(out.reborrow())?;
        out.push_sql(" FROM (SELECT created_at, id FROM (");
        match self.pairs {
            None if self.conditions.is_empty() => self.places("", "TRUE", out.reborrow())?,
            None => self.places("FORCE INDEX (PRIMARY)", "TRUE", out.reborrow())?,
            Some(pairs) => {
                for (number, (app, level)) in pairs.iter().enumerate() {
                    out.push_sql(if number == 0 { "" } else { " UNION ALL " });
                    let of = format!("app_id = {} AND level = '{}'", app.0, level.as_str());
                    self.places("FORCE INDEX (core_log_app_level)", &of, out.reborrow())?;
                }
            }
        }
        out.push_sql(&format!(
            ") AS found{} LIMIT {}) AS place \
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
