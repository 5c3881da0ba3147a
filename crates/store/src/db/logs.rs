//! `core_log`: the logs themselves. They are stored by [`super::writer`].

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::connection::SimpleConnection as _;
use diesel::dsl::{not, sql};
use diesel::mysql::Mysql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use logmon_core::app::AppId;
use logmon_core::log::{
    AttributeIs, Attributes, Comparison, Extra, Level, Log, LogFilter, LogId, Order, SpanId, Term, TraceId,
};
use logmon_core::page::Page;

use super::schema::core_log;
use super::{Connection, DbError, apps, utc};

#[derive(Queryable, Selectable)]
#[diesel(table_name = core_log)]
pub(super) struct LogRow {
    id: i64,
    level: String,
    message: String,
    created_at: NaiveDateTime,
    app_id: i64,
    attributes: Option<String>,
    trace_id: Option<String>,
    span_id: Option<String>,
    received_at: Option<NaiveDateTime>,
    timestamp_clamped: bool,
}

impl From<LogRow> for Log {
    fn from(row: LogRow) -> Self {
        let (id, app) = (LogId(row.id), AppId(row.app_id));
        let extra = Extra {
            attributes: row.attributes.and_then(Attributes::from_stored),
            trace_id: row.trace_id.map(|id| TraceId::new(&id)),
            span_id: row.span_id.map(|id| SpanId::new(&id)),
            received_at: row.received_at.map(utc),
            timestamp_clamped: row.timestamp_clamped,
        };
        Self { id, app, level: row.level, message: row.message, created_at: utc(row.created_at), extra }
    }
}

/// The log with an id and this time, if it is there.
///
/// # Errors
/// See [`DbError`].
pub fn get(conn: &mut Connection, id: LogId, created_at: DateTime<Utc>) -> Result<Option<Log>, DbError> {
    let row: Option<LogRow> = core_log::table
        .select(LogRow::as_select())
        .filter(core_log::created_at.eq(created_at.naive_utc()))
        .filter(core_log::id.eq(id.0))
        .first(conn)
        .optional()?;
    Ok(row.map(Log::from))
}

/// A page of the logs that a filter lets through, in an order. Where their text has to be read it takes no longer than
/// `deadline`.
///
/// # Errors
/// See [`DbError`]; [`DbError::TooSlow`] after the deadline.
pub fn list(
    conn: &mut Connection,
    filter: &LogFilter,
    order: Order,
    page: Page,
    deadline: Duration,
) -> Result<Vec<Log>, DbError> {
    if filter.reads_text() {
        return within(conn, deadline, |conn| read(conn, filter, order, page));
    }
    read(conn, filter, order, page)
}

/// How many pairs of app and level are asked for one by one.
const PAIRS_MAX: usize = 300;

/// Which logs are read in one go.
#[derive(Debug, Clone, Copy)]
enum Scope {
    /// All of them, in the order of their time: what a filter does not let through is passed over on the way.
    All,
    /// An app's logs of a level, which have an order of their own.
    Pair(AppId, Level),
}

fn read(conn: &mut Connection, filter: &LogFilter, order: Order, page: Page) -> Result<Vec<Log>, DbError> {
    let named = !filter.apps.is_empty();
    if !named && (filter.levels.is_empty() || filter.reads_text()) {
        return read_in(conn, Scope::All, filter, order, page);
    }
    let apps = if named { filter.apps.clone() } else { apps::ids(conn)? };
    let levels = if filter.levels.is_empty() { Level::ALL.as_slice() } else { &filter.levels };
    if apps.len() * levels.len() > PAIRS_MAX {
        return read_in(conn, Scope::All, filter, order, page);
    }
    let mut logs = Vec::new();
    for app in apps {
        for level in levels {
            logs.extend(read_in(conn, Scope::Pair(app, *level), filter, order, page)?);
        }
    }
    logs.sort_by_key(|log| (log.created_at, log.id));
    if order == Order::NewestFirst {
        logs.reverse();
    }
    logs.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
    Ok(logs)
}

fn read_in(
    conn: &mut Connection,
    scope: Scope,
    filter: &LogFilter,
    order: Order,
    page: Page,
) -> Result<Vec<Log>, DbError> {
    let mut query = core_log::table.select(LogRow::as_select()).into_boxed();
    match scope {
        Scope::Pair(app, level) => {
            query = query.filter(core_log::app_id.eq(app.0)).filter(core_log::level.eq(level.as_str()));
        }
        Scope::All => {
            for condition in of_apps_and_levels(&filter.apps, &filter.levels) {
                query = query.filter(condition);
            }
        }
    }
    for condition in of_the_rest(filter) {
        query = query.filter(condition);
    }
    if let Some(after) = page.after {
        let (time, id) = (after.created_at.naive_utc(), after.id);
        query = match order {
            Order::NewestFirst => query
                .filter(core_log::created_at.le(time))
                .filter(core_log::created_at.lt(time).or(core_log::id.lt(id))),
            Order::OldestFirst => query
                .filter(core_log::created_at.ge(time))
                .filter(core_log::created_at.gt(time).or(core_log::id.gt(id))),
        };
    }
    query = match order {
        Order::NewestFirst => query.order((core_log::created_at.desc(), core_log::id.desc())),
        Order::OldestFirst => query.order((core_log::created_at.asc(), core_log::id.asc())),
    };
    let rows: Vec<LogRow> = query.limit(page.limit.into()).load(conn)?;
    Ok(rows.into_iter().map(Log::from).collect())
}

pub(super) type Condition = Box<dyn BoxableExpression<core_log::table, Mysql, SqlType = Bool>>;

/// That a log is of one of these apps, and of one of these levels; none of either asks nothing.
pub(super) fn of_apps_and_levels(apps: &[AppId], levels: &[Level]) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = Vec::new();
    if !apps.is_empty() {
        conditions.push(Box::new(core_log::app_id.eq_any(apps.iter().map(|app| app.0).collect::<Vec<_>>())));
    }
    if !levels.is_empty() {
        conditions
            .push(Box::new(core_log::level.eq_any(levels.iter().map(|level| level.as_str()).collect::<Vec<_>>())));
    }
    conditions
}

/// What else a filter asks of a log.
pub(super) fn of_the_rest(filter: &LogFilter) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = Vec::new();
    if let Some(since) = filter.since {
        conditions.push(Box::new(core_log::created_at.ge(since.naive_utc())));
    }
    if let Some(until) = filter.until {
        conditions.push(Box::new(core_log::created_at.lt(until.naive_utc())));
    }
    if let Some(trace_id) = &filter.trace_id {
        conditions.push(Box::new(core_log::trace_id.eq(trace_id.clone()).assume_not_null()));
    }
    conditions.extend(filter.attributes.iter().map(has));
    for term in &filter.terms {
        conditions.push(if term.excluded { Box::new(not(contains(term))) } else { contains(term) });
    }
    conditions
}

/// Whether a message contains the text of a term.
fn contains(term: &Term) -> Condition {
    match term.comparison {
        Comparison::Folded => Box::new(core_log::message.like(literal(&term.text)).escape('!')),
        Comparison::Exact => Box::new(
            sql::<Bool>("INSTR(CAST(message AS BINARY), CAST(")
                .bind::<Text, _>(term.text.clone())
                .sql(" AS BINARY)) > 0"),
        ),
    }
}

/// A pattern in which every character of a text means itself.
fn literal(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Whether a log has an attribute with this value.
fn has(attribute: &AttributeIs) -> Condition {
    // The key has neither quotes nor backslashes.
    let path = format!("$.\"{}\"", attribute.key);
    let value = sql::<Bool>("COALESCE(JSON_TYPE(JSON_EXTRACT(attributes, ")
        .bind::<Text, _>(path.clone())
        .sql(")) NOT IN ('OBJECT', 'ARRAY') AND CAST(JSON_UNQUOTE(JSON_EXTRACT(attributes, ")
        .bind::<Text, _>(path)
        .sql(")) AS BINARY) = CAST(")
        .bind::<Text, _>(attribute.value.clone())
        .sql(" AS BINARY), FALSE)");
    Box::new(value)
}

/// Runs `work` with a bound on how long the database works on each of its statements.
pub(super) fn within<T>(
    conn: &mut Connection,
    deadline: Duration,
    work: impl FnOnce(&mut Connection) -> Result<T, DbError>,
) -> Result<T, DbError> {
    let (seconds, milliseconds) = (deadline.as_secs_f64(), deadline.as_millis());
    // The one is MariaDB's, the other MySQL's.
    let bound = match conn.batch_execute(&format!("SET SESSION max_statement_time = {seconds}")) {
        Ok(()) => "SET SESSION max_statement_time = DEFAULT",
        Err(_) => {
            conn.batch_execute(&format!("SET SESSION max_execution_time = {milliseconds}"))?;
            "SET SESSION max_execution_time = DEFAULT"
        }
    };
    let done = work(conn);
    conn.batch_execute(bound)?;
    done
}

/// Deletes some of an app's logs and says how many; 0 when there are none left.
///
/// # Errors
/// See [`DbError`].
pub fn delete_some_of_app(conn: &mut Connection, app: AppId) -> Result<u64, DbError> {
    // Diesel's DELETE has no LIMIT for MySQL; the id is a number, never text from outside.
    let sql = format!("DELETE FROM core_log WHERE app_id = {} LIMIT 10000", app.0);
    let deleted = diesel::sql_query(sql).execute(conn)?;
    Ok(u64::try_from(deleted).unwrap_or(u64::MAX))
}
