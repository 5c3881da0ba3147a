//! The schema's migrations, which are embedded in the program.
//!
//! Each is one change that can be broken off and run again. Old programs, and the Django app, may go on writing
//! meanwhile, so a migration adds what has a default and takes away nothing that they use.

use chrono::NaiveDate;
use diesel::migration::{Migration, MigrationSource as _};
use diesel::mysql::Mysql;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};
use thiserror::Error;

use super::partitions::Moved;
use super::{Connection, DbError, number, partitions, verify};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations");

/// The seed's tables, which a database may hold before our first migration.
const SEED_TABLES: [&str; 4] = ["core_app", "core_log", "core_alert", "core_logsummary"];

/// How what is said of an older schema begins: see [`MigrateError::Old`].
pub const OLD: &str = "the schema is old";

/// A migration did not succeed. Those before it are done; run them again when the cause is gone.
#[derive(Debug, Error)]
pub enum MigrateError {
    /// The database has not seen so many of this program's migrations.
    #[error("{old}: {0} migrations are to be run by `logmon-api migrate`", old = OLD)]
    Old(usize),
    /// Another process is migrating and did not end within a minute.
    #[error("another process has been migrating this database for over a minute")]
    Busy,
    /// A migration failed.
    #[error("migration {name}: {cause}")]
    Failed {
        /// Which one.
        name: String,
        /// Why.
        cause: String,
    },
    /// The state of the database could not be asked for.
    #[error(transparent)]
    Query(#[from] diesel::result::Error),
    /// The log's table could not be moved, or its logs not counted.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What [`migrate`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The seed's tables that were there before our first migration, with about how many rows: they were kept.
    pub adopted: Vec<(String, i64)>,
    /// The migrations that were run, in order. Empty when there were none to run.
    pub run: Vec<String>,
    /// What became of the log's table.
    pub moved: Moved,
    /// How many hours had logs that were not counted yet.
    pub hours_counted: u64,
}

/// Brings the database to the current schema; `said` hears of each step once it is done.
///
/// Runs what is pending, moves `core_log` to partitions, and counts what was stored before there were counts. Only one
/// process at a time does so, others wait.
///
/// # Errors
/// See [`MigrateError`].
pub fn migrate(conn: &mut Connection, today: NaiveDate, mut said: impl FnMut(&str)) -> Result<Report, MigrateError> {
    const LOCK: &str = "CONCAT('logmon_migrate:', MD5(DATABASE()))";
    let lock = format!("SELECT CAST(COALESCE(GET_LOCK({LOCK}, 60), 0) AS SIGNED) AS value");
    if number(conn, &lock)? != 1 {
        return Err(MigrateError::Busy);
    }
    let report = run_pending(conn, &mut said).and_then(|mut report| {
        report.moved = partitions::adopt(conn, today, &mut said)?;
        report.hours_counted = verify::count_for_the_first_time(conn)?;
        Ok(report)
    });
    number(conn, &format!("SELECT CAST(COALESCE(RELEASE_LOCK({LOCK}), 0) AS SIGNED) AS value"))?;
    report
}

fn run_pending(conn: &mut Connection, said: &mut impl FnMut(&str)) -> Result<Report, MigrateError> {
    let failed = |name: &str, cause: &dyn std::fmt::Display| MigrateError::Failed {
        name: name.to_owned(),
        cause: cause.to_string(),
    };
    let first = conn.applied_migrations().map_err(|e| failed("list", &e))?.is_empty();
    let mut report = Report::default();
    if first {
        report.adopted = seed_tables(conn)?;
    }
    for migration in conn.pending_migrations(MIGRATIONS).map_err(|e| failed("list", &e))? {
        let name = migration.name().to_string();
        conn.run_migration(&migration).map_err(|e| failed(&name, &e))?;
        said(&format!("ran {name}"));
        report.run.push(name);
    }
    Ok(report)
}

fn seed_tables(conn: &mut Connection) -> Result<Vec<(String, i64)>, diesel::result::Error> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = diesel::sql_types::Bigint)]
        table_rows: i64,
    }
    let found: Vec<Found> = diesel::sql_query(
        "SELECT table_name AS name, CAST(COALESCE(table_rows, 0) AS SIGNED) AS table_rows
         FROM information_schema.tables WHERE table_schema = DATABASE()",
    )
    .load(conn)?;
    let is_seeds = |table: &Found| SEED_TABLES.contains(&table.name.as_str());
    Ok(found.into_iter().filter(is_seeds).map(|table| (table.name, table.table_rows)).collect())
}

/// How many migrations this program has that the database has not seen.
///
/// # Errors
/// When the database cannot be asked.
pub fn pending(conn: &mut Connection) -> Result<usize, MigrateError> {
    #[derive(QueryableByName)]
    struct Applied {
        #[diesel(sql_type = Text)]
        version: String,
    }
    let ours: Vec<Box<dyn Migration<Mysql>>> =
        MIGRATIONS.migrations().map_err(|e| MigrateError::Failed { name: "list".to_owned(), cause: e.to_string() })?;
    // Diesel's own question makes the table that it asks, for which a user of a running server has no right.
    let listed = number(
        conn,
        "SELECT COUNT(*) AS value FROM information_schema.tables
         WHERE table_schema = DATABASE() AND table_name = '__diesel_schema_migrations'",
    )?;
    if listed == 0 {
        return Ok(ours.len());
    }
    let applied: Vec<Applied> = diesel::sql_query("SELECT version FROM __diesel_schema_migrations").load(conn)?;
    let is_pending = |version: &str| applied.iter().all(|applied| applied.version != version);
    Ok(ours.iter().filter(|migration| is_pending(&migration.name().version().to_string())).count())
}

/// Makes sure that the database has seen all migrations of this program. One that has seen more is as good.
///
/// # Errors
/// [`MigrateError::Old`] when some are pending; or when the database cannot be asked.
pub fn require_current(conn: &mut Connection) -> Result<(), MigrateError> {
    match pending(conn)? {
        0 => Ok(()),
        count => Err(MigrateError::Old(count)),
    }
}

/// Takes back the newest migration, for the test that each can be taken back.
///
/// # Errors
/// When it cannot be.
#[cfg(feature = "testing")]
pub fn revert_last(conn: &mut Connection) -> Result<String, MigrateError> {
    conn.revert_last_migration(MIGRATIONS)
        .map(|version| version.to_string())
        .map_err(|e| MigrateError::Failed { name: "revert".to_owned(), cause: e.to_string() })
}

/// Runs the next migration, for the test that each can be taken back.
///
/// # Errors
/// When it fails or there is none.
#[cfg(feature = "testing")]
pub fn run_next(conn: &mut Connection) -> Result<String, MigrateError> {
    conn.run_next_migration(MIGRATIONS)
        .map(|version| version.to_string())
        .map_err(|e| MigrateError::Failed { name: "next".to_owned(), cause: e.to_string() })
}
