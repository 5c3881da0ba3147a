//! What the commands that ask Redis share.

use std::process::ExitCode;

use clap::Args;
use logmon_core::config::{BrokerSettings, LogSettings};
use logmon_core::stop::Stop;
use logmon_store::broker::{Broker, BrokerError};
use serde::Serialize;

use super::print_json;

/// Where Redis is, and what is said of it.
#[derive(Debug, Args)]
pub(super) struct Settings {
    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    log: LogSettings,
}

impl Settings {
    /// Waits for Redis and prints its answer as JSON on standard output.
    ///
    /// # Errors
    /// When Redis refuses.
    pub(super) fn print<T: Serialize>(
        &self,
        ask: impl Fn(&Broker) -> Result<T, BrokerError>,
    ) -> anyhow::Result<ExitCode> {
        self.log.install();
        let (broker, stop) = (Broker::new(&self.broker, 1)?, Stop::on_signals()?);
        let Some(answer) = stop.wait_for("Redis", || ask(&broker)) else { return Ok(ExitCode::FAILURE) };
        print_json(&answer)?;
        Ok(ExitCode::SUCCESS)
    }
}
