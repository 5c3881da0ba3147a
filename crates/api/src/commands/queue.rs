//! `queue`: shows the queues, and lets them stand still.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use logmon_core::config::{BrokerSettings, LogSettings};
use logmon_core::stop::Stop;
use logmon_store::broker::{Broker, BrokerError};
use serde::Serialize;

use super::print_json;
use crate::endpoints::queues::{QueueView, all, one};

/// `queue`.
#[derive(Debug, Args)]
pub struct Queue {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print every queue: what waits by priority, and whether it stands still
    List {
        #[command(flatten)]
        settings: Settings,
    },
    /// Let queues stand still: nothing is fetched from them, and producers may go on
    Pause {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Let queues be served again
    Resume {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
        #[command(flatten)]
        settings: Settings,
    },
}

#[derive(Debug, Args)]
struct Settings {
    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    log: LogSettings,
}

impl Queue {
    /// Does it and prints the queues as JSON on standard output.
    ///
    /// # Errors
    /// When Redis refuses.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        match &self.action {
            Action::List { settings } => settings.print(all),
            Action::Pause { names, settings } => settings.print(|broker| change(broker, names, Broker::pause)),
            Action::Resume { names, settings } => settings.print(|broker| change(broker, names, Broker::resume)),
        }
    }
}

fn change(
    broker: &Broker,
    names: &[String],
    change: fn(&Broker, &str) -> Result<(), BrokerError>,
) -> Result<Vec<QueueView>, BrokerError> {
    names.iter().try_for_each(|name| change(broker, name))?;
    let found = names.iter().map(|name| one(broker, name)).collect::<Result<Vec<_>, _>>()?;
    Ok(found.into_iter().flatten().collect())
}

impl Settings {
    fn print<T: Serialize>(&self, ask: impl Fn(&Broker) -> Result<T, BrokerError>) -> anyhow::Result<ExitCode> {
        self.log.install();
        let (broker, stop) = (Broker::new(&self.broker, 1)?, Stop::on_signals()?);
        let Some(answer) = stop.wait_for("Redis", || ask(&broker)) else { return Ok(ExitCode::FAILURE) };
        print_json(&answer)?;
        Ok(ExitCode::SUCCESS)
    }
}
