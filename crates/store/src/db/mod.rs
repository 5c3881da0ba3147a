//! The database: connections, transactions and migrations here, the queries of each table in its own file.
//!
//! Times in the tables are UTC without a zone; [`utc`] and `naive_utc` are the two ways across.

pub mod alert_events;
pub mod alerts;
pub mod apps;
pub mod backtest;
pub mod channels;
pub mod deliveries;
mod error;
pub mod evaluations;
pub(crate) mod guard;
pub mod ingest_keys;
pub mod log_counts;
pub mod log_events;
pub mod log_summaries;
pub mod logs;
pub mod migrations;
pub mod partitions;
pub mod reports;
pub mod rules;
pub mod schedule_slots;
pub mod schedules;
#[expect(missing_docs, reason = "generated from the database")]
pub mod schema;
pub mod silences;
pub mod subscribers;
pub mod verify;
pub mod writer;

pub use error::DbError;
pub use guard::ended;

use std::fmt::Display;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::Connection as _;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::r2d2::{NopErrorHandler, Pool, R2D2Connection as _};
use logmon_core::config::DatabaseSettings;
use r2d2::ManageConnection;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::attempts::Attempts;

/// A connection to the database.
pub type Connection = MysqlConnection;

/// A connection that goes back to its pool.
pub type PooledConnection = diesel::r2d2::PooledConnection<Manager>;

/// How long a caller waits for a connection before the database counts as unavailable.
const POOL_WAIT: Duration = Duration::from_secs(1);

/// How long a statement may take, unless [`Database::patient`] says otherwise: longer than a lock is waited for.
const PATIENCE: Duration = Duration::from_secs(7);

/// How long a statement may take on a connection outside the pool.
const LONG_PATIENCE: Duration = Duration::from_secs(60);

/// The connections of this process to the database. Clones share them.
#[derive(Clone)]
pub struct Database {
    pool: Pool<Manager>,
    url: SecretString,
    attempts: Attempts,
}

impl Database {
    /// A pool that connects when it is asked to: this never waits for the database. A statement that takes more than some
    /// seconds ends as one whose connection is lost, whatever the server does.
    pub fn new(settings: &DatabaseSettings) -> Self {
        Self::patient(settings, PATIENCE)
    }

    /// The same for statements that may take this long; [`Duration::MAX`] is without end.
    pub fn patient(settings: &DatabaseSettings, patience: Duration) -> Self {
        let attempts = Attempts::at(place(&settings.database_url));
        let pool = Pool::builder()
            .max_size(settings.database_connections.get())
            .min_idle(Some(0))
            .connection_timeout(POOL_WAIT)
            // Failures come back from `get`; r2d2 would print each attempt of its own.
            .error_handler(Box::new(NopErrorHandler))
            .build_unchecked(Manager { url: settings.database_url.clone(), patience, attempts: attempts.clone() });
        Self { pool, url: settings.database_url.clone(), attempts }
    }

    /// A connection that has just answered.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when there is none within a second.
    pub fn get(&self) -> Result<PooledConnection, DbError> {
        #[expect(clippy::disallowed_methods, reason = "this is its one home")]
        self.pool.get().map_err(|e| DbError::Unavailable(self.attempts.explain(&e)))
    }

    /// A connection outside the pool: for work that takes longer than others should wait. A statement may take a minute.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when there is none.
    pub fn connect(&self) -> Result<Connection, DbError> {
        Manager { url: self.url.clone(), patience: LONG_PATIENCE, attempts: self.attempts.clone() }
            .connect()
            .map_err(|e| DbError::Unavailable(self.attempts.explain(&e)))
    }
}

/// Makes connections, each with a bound on how long the database may be silent.
#[derive(Debug)]
pub struct Manager {
    url: SecretString,
    patience: Duration,
    attempts: Attempts,
}

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<Connection, Self::Error> {
        self.attempts.hear(connect(self.url.expose_secret(), self.patience))
    }

    fn is_valid(&self, conn: &mut Connection) -> Result<(), Self::Error> {
        conn.ping().map_err(diesel::r2d2::Error::QueryError)
    }

    fn has_broken(&self, conn: &mut Connection) -> bool {
        std::thread::panicking() || conn.is_broken()
    }
}

fn connect(url: &str, patience: Duration) -> Result<Connection, diesel::r2d2::Error> {
    let mut conn = guard::establish(url, patience).map_err(diesel::r2d2::Error::ConnectionError)?;
    prepare(&mut conn, patience).map_err(diesel::r2d2::Error::QueryError)?;
    Ok(conn)
}

/// Where the database is, without who asks and the password.
fn place(url: &SecretString) -> String {
    Url::parse(url.expose_secret()).map_or_else(
        |_| "the database".to_owned(),
        |url| format!("{}:{}{}", url.host_str().unwrap_or_default(), url.port().unwrap_or(3306), url.path()),
    )
}

/// The mode of every session, whatever the server's own is: nothing is cut or rounded silently, and a backslash escapes.
pub(crate) const SQL_MODE: &str =
    "STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";

/// Sets what each new connection has, whatever the server's own defaults are. The server ends a statement a little before
/// nobody waits for it any more.
fn prepare(conn: &mut Connection, patience: Duration) -> Result<(), diesel::result::Error> {
    let bound = patience.mul_f64(0.9);
    let bounds = match patience {
        Duration::MAX => String::new(),
        // The one is MariaDB's, the other MySQL's: each server takes the other's for a comment.
        _ => format!(
            " /*M! , max_statement_time = {} */ /*!50708 , max_execution_time = {} */",
            bound.as_secs_f64(),
            bound.as_millis()
        ),
    };
    conn.batch_execute(&format!(
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
         SET SESSION sql_mode = '{SQL_MODE}', innodb_lock_wait_timeout = 5{bounds}"
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

/// Runs `work` with another bound on how long the database works on each of its statements.
pub(crate) fn within<T>(
    conn: &mut Connection,
    deadline: Duration,
    work: impl FnOnce(&mut Connection) -> Result<T, DbError>,
) -> Result<T, DbError> {
    let (seconds, milliseconds) = (deadline.as_secs_f64(), deadline.as_millis());
    // The one is MariaDB's, the other MySQL's.
    let set = |variable: &str, value: &dyn Display| {
        format!("SET @bound = @@SESSION.{variable}, SESSION {variable} = {value}")
    };
    let bound = match conn.batch_execute(&set("max_statement_time", &seconds)) {
        Ok(()) => "max_statement_time",
        Err(_) => {
            conn.batch_execute(&set("max_execution_time", &milliseconds))?;
            "max_execution_time"
        }
    };
    let done = work(conn);
    conn.batch_execute(&format!("SET SESSION {bound} = @bound"))?;
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
