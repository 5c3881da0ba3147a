//! `migrate`: brings the database to the current schema.

use std::io::Write as _;
use std::time::Duration;

use super::wait_for_database;
use clap::Args;
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_core::config::{DatabaseSettings, LogSettings};
use logmon_store::db::partitions::Moved;
use logmon_store::db::{Database, migrations};

/// What `migrate` needs to know.
#[derive(Debug, Args)]
pub struct Migrate {
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    log: LogSettings,
}

impl Migrate {
    /// Runs what is pending and says what it did.
    ///
    /// # Errors
    /// When the database cannot be reached or a migration fails.
    pub fn run(&self) -> anyhow::Result<()> {
        self.log.install();
        let database = Database::patient(&self.database, Duration::MAX);
        let mut conn = wait_for_database(&database)?;
        let mut out = std::io::stdout().lock();
        let today = SystemClock.now().date_naive();
        let report = migrations::migrate(&mut conn, today, |step| {
            // A closed output is no reason to stop half way.
            writeln!(out, "{step}").unwrap_or_default();
        })?;
        for (table, rows) in &report.adopted {
            writeln!(out, "kept {table}, which was there already, with about {rows} rows")?;
        }
        if report.hours_counted > 0 {
            writeln!(out, "counted the logs of {} hours", report.hours_counted)?;
        }
        match report.run.len() {
            0 if report.moved == Moved::Before => writeln!(out, "the schema is current: nothing to do")?,
            count => writeln!(out, "the schema is current: {count} migrations were run")?,
        }
        Ok(())
    }
}
