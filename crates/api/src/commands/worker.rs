//! `worker`: shows the workers.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::ask::Settings;
use crate::endpoints::workers;

/// `worker`.
#[derive(Debug, Args)]
pub struct Worker {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print every worker that is alive or was within the past hour: how it is, its queues, and what it runs
    List {
        #[command(flatten)]
        settings: Settings,
    },
}

impl Worker {
    /// Prints the workers as JSON on standard output.
    ///
    /// # Errors
    /// When Redis refuses.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        match &self.action {
            Action::List { settings } => settings.print(workers::all),
        }
    }
}
