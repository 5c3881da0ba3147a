//! `migrate`: brings the database to the current schema.

use std::io::Write as _;

use chrono::DateTime;
use clap::Args;
use logmon_core::config::{DatabaseSettings, LogSettings};
use logmon_store::db::{Database, migrations, verify};

use super::verify::END;

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
        let database = Database::new(&self.database);
        let mut conn = database.get()?;
        let mut out = std::io::stdout().lock();
        let report = migrations::migrate(&mut conn, |name| {
            // A closed output is no reason to stop half way.
            writeln!(out, "ran {name}").unwrap_or_default();
        })?;
        for (table, rows) in &report.adopted {
            writeln!(out, "kept {table}, which was there already, with about {rows} rows")?;
        }
        // Logs that were stored before there were counts.
        let (all, mut counted) = (DateTime::UNIX_EPOCH..END, 0_u64);
        if report.run.iter().any(|name| name.contains("logcount")) {
            verify::differences(&mut conn, &all, |conn, difference| {
                counted += 1;
                verify::recount(conn, difference.app, &difference.level, difference.minute)
            })?;
        }
        if counted > 0 {
            writeln!(out, "counted the logs of {counted} minutes, apps and levels")?;
        }
        match report.run.len() {
            0 => writeln!(out, "the schema is current: nothing to do")?,
            count => writeln!(out, "the schema is current: {count} migrations were run")?,
        }
        Ok(())
    }
}
