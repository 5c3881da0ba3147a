//! The program's subcommands, as Django's `manage.py` and `celery` would be used.

pub mod app;
mod ask;
pub mod call;
pub mod dead_letter;
pub mod migrate;
pub mod queue;
pub mod revoke;
pub mod serve;
pub mod verify;
pub mod worker;

use std::io::Write as _;

use anyhow::Context as _;
use logmon_core::stop::Stop;
use logmon_store::db::{Database, PooledConnection, migrations};
use serde::Serialize;

/// A connection to the database, waited for with a line that says so until it is there or SIGTERM or SIGINT come.
///
/// # Errors
/// When a signal comes first.
fn wait_for_database(database: &Database) -> anyhow::Result<PooledConnection> {
    let stop = Stop::on_signals()?;
    stop.wait_for("the database", || database.get()).context("stopped before the database was there")
}

/// The same, to a database whose schema this program knows.
///
/// # Errors
/// When a signal comes first, or the schema is older than this program.
fn wait_for_tables(database: &Database) -> anyhow::Result<PooledConnection> {
    let mut conn = wait_for_database(database)?;
    migrations::require_current(&mut conn)?;
    Ok(conn)
}

/// Prints a value as JSON on standard output.
///
/// # Errors
/// When standard output is closed.
fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}
