//! The database: connections, transactions and migrations here, the queries of each table in its own file.
//!
//! Times in the tables are UTC without a zone; [`utc`] and `naive_utc` are the two ways across.

pub mod alert_events;
pub mod alerts;
pub mod apps;
pub mod channels;
pub mod deliveries;
mod error;
pub mod evaluations;
pub mod ingest_keys;
pub mod log_counts;
pub mod log_events;
pub mod log_export;
mod log_filter;
pub mod log_histogram;
mod log_page;
pub mod log_samples;
pub mod log_search;
pub mod log_summaries;
pub mod log_tail;
pub mod logs;
pub mod migrations;
pub mod partitions;
pub mod rules;
pub mod schedule_slots;
pub mod schedules;
#[expect(missing_docs, reason = "generated from the database")]
pub mod schema;
pub mod verify;
pub mod writer;

pub use error::DbError;

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::Connection as _;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, NopErrorHandler, Pool};
use logmon_core::config::DatabaseSettings;
use secrecy::{ExposeSecret as _, SecretString};

/// A connection to the database.
pub type Connection = MysqlConnection;

/// A connection that goes back to its pool.
pub type PooledConnection = diesel::r2d2::PooledConnection<ConnectionManager<MysqlConnection>>;

/// How long a caller waits for a connection before the database counts as unavailable.
const POOL_WAIT: Duration = Duration::from_secs(1);

/// The connections of this process to the database. Clones share them.
#[derive(Clone)]
pub struct Database {
    pool: Pool<ConnectionManager<MysqlConnection>>,
    url: SecretString,
}

impl Database {
    /// A pool that connects when it is asked to: this never waits for the database.
    pub fn new(settings: &DatabaseSettings) -> Self {
        let manager = ConnectionManager::new(settings.database_url.expose_secret());
        let pool = Pool::builder()
            .max_size(settings.database_connections.get())
            .min_idle(Some(0))
            .connection_timeout(POOL_WAIT)
            .connection_customizer(Box::new(Session))
            // Failures come back from `get`; r2d2 would print each attempt of its own.
            .error_handler(Box::new(NopErrorHandler))
            .build_unchecked(manager);
        Self { pool, url: settings.database_url.clone() }
    }

    /// A connection that has just answered.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when there is none within a second.
    pub fn get(&self) -> Result<PooledConnection, DbError> {
        #[expect(clippy::disallowed_methods, reason = "this is its one home")]
        self.pool.get().map_err(|e| DbError::Unavailable(e.to_string()))
    }

    /// A connection outside the pool: for work that takes longer than others should wait.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when there is none.
    pub fn connect(&self) -> Result<Connection, DbError> {
        let connected = Connection::establish(self.url.expose_secret());
        let mut conn = connected.map_err(|e| DbError::Unavailable(e.to_string()))?;
        prepare(&mut conn)?;
        Ok(conn)
    }
}

/// What is set on each new connection, whatever the server's own defaults are.
#[derive(Debug)]
struct Session;

impl CustomizeConnection<MysqlConnection, diesel::r2d2::Error> for Session {
    fn on_acquire(&self, conn: &mut MysqlConnection) -> Result<(), diesel::r2d2::Error> {
        prepare(conn).map_err(diesel::r2d2::Error::QueryError)
    }
}

/// The mode of every session, whatever the server's own is: nothing is cut or rounded silently, and a backslash escapes.
pub(crate) const SQL_MODE: &str =
    "STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";

fn prepare(conn: &mut Connection) -> Result<(), diesel::result::Error> {
    conn.batch_execute(&format!(
        "SET SESSION sql_mode = '{SQL_MODE}';
         SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
         SET SESSION innodb_lock_wait_timeout = 5"
    ))
}

/// Runs `work` in a transaction, again from the start where the database gave up for another one's sake.
///
/// That is after a deadlock or a lock that was waited for in vain. `work` must have no effect but its statements.
///
/// # Errors
/// What `work` returned last.
pub fn transaction<T, E>(conn: &mut Connection, mut work: impl FnMut(&mut Connection) -> Result<T, E>) -> Result<T, E>
where
    E: From<diesel::result::Error> + Retryable,
{
    const ATTEMPTS: u32 = 8;
    let mut attempt = 1;
    loop {
        match conn.transaction(&mut work) {
            Err(error) if attempt < ATTEMPTS && error.is_retryable() => std::thread::sleep(pause(attempt)),
            done => return done,
        }
        attempt += 1;
    }
}

// A pause by chance, so that those who disturbed each other do not meet again.
fn pause(attempt: u32) -> Duration {
    Duration::from_millis(4).saturating_mul(1 << attempt.min(6)).mul_f64(rand::random())
}

/// Runs `work` with a bound on how long the database works on each of its statements.
pub(crate) fn within<T>(
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

/// Whether a transaction that ended in this error may be run again as it is.
pub trait Retryable {
    /// True for a deadlock, a lock that was waited for in vain, and a conflict between the nodes of a cluster.
    fn is_retryable(&self) -> bool;
}

/// A time from a table, which is UTC.
pub(crate) fn utc(time: NaiveDateTime) -> DateTime<Utc> {
    time.and_utc()
}

#[derive(QueryableByName)]
struct One {
    #[diesel(sql_type = diesel::sql_types::Bigint)]
    value: i64,
}

/// The one number that a statement without parameters gives.
pub(crate) fn number(conn: &mut Connection, sql: &str) -> Result<i64, diesel::result::Error> {
    diesel::sql_query(sql).get_result::<One>(conn).map(|one| one.value)
}
