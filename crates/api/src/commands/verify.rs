//! `verify`: proves that the counts are the rows, and mends them where they are not.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use logmon_core::config::{DatabaseSettings, LogSettings};
use logmon_store::db::Database;
use logmon_store::db::verify::{self, Span};

use super::wait_for_tables;

/// What to compare, and whether to mend it.
#[derive(Debug, Args)]
pub struct Verify {
    /// Count anew what differs
    #[arg(long)]
    repair: bool,
    /// Only from this moment on, as 2026-11-23T00:00:00Z; it should lie on a minute
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Only before this moment
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    log: LogSettings,
}

impl Verify {
    /// Names each minute and hour that differs; the exit status is 1 when there is one that was not mended.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        self.log.install();
        let range = self.since.unwrap_or(DateTime::UNIX_EPOCH)..self.until.unwrap_or(verify::END);
        let database = Database::patient(&self.database, Duration::MAX);
        let mut conn = wait_for_tables(&database)?;
        let (mut out, mut found) = (std::io::stdout().lock(), 0_u64);
        verify::differences(&mut conn, &range, |conn, difference| {
            found += 1;
            let start = difference.start.to_rfc3339_opts(SecondsFormat::Secs, true);
            let (app, level) = (difference.app.0, difference.level.as_str());
            let (expected, counted) = (difference.expected, difference.counted);
            let numbers = match difference.span {
                Span::Minute => format!("{expected} logs, {counted} counted"),
                Span::Hour => format!("{expected} counted by minutes, {counted} by the hour"),
            };
            // A closed output is no reason to stop half way.
            writeln!(out, "{start} app {app} {level}: {numbers}").unwrap_or_default();
            if self.repair { verify::recount(conn, &difference.range()) } else { Ok(()) }
        })?;
        match (found, self.repair) {
            (0, _) => writeln!(out, "every log is counted exactly")?,
            (_, true) => writeln!(out, "{found} counts differed and were made anew")?,
            (_, false) => writeln!(out, "{found} counts differ: --repair makes them anew")?,
        }
        Ok(if found == 0 || self.repair { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
