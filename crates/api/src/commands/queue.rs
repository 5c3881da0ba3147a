//! `queue`: shows the queues, and lets them stand still.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use logmon_store::broker::{Broker, BrokerError};

use super::ask::Settings;
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
