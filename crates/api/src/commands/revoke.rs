//! `revoke`: withdraws tasks, as `celery control revoke` does, also those that no worker knows of yet.

use std::process::ExitCode;

use clap::Args;
use logmon_core::celery::TaskId;
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_core::config::{BrokerSettings, LogSettings};
use logmon_core::stop::Stop;
use logmon_store::broker::{Broker, Running};

use super::print_json;

/// Which tasks.
#[derive(Debug, Args)]
pub struct Revoke {
    /// The tasks' ids
    #[arg(required = true)]
    task_id: Vec<String>,
    /// Ask the workers to end those that are running as well
    #[arg(long)]
    terminate: bool,
    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    log: LogSettings,
}

impl Revoke {
    /// Withdraws the tasks; prints their result documents.
    ///
    /// # Errors
    /// When Redis refuses.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        self.log.install();
        let broker = Broker::new(&self.broker, 1)?;
        let stop = Stop::on_signals()?;
        let ids: Vec<TaskId> = self.task_id.iter().cloned().map(TaskId).collect();
        let running = if self.terminate { Running::Terminate } else { Running::GoesOn };
        let withdraw = || broker.withdraw(&ids, running, SystemClock.now());
        let Some(()) = stop.wait_for("Redis", withdraw) else { return Ok(ExitCode::FAILURE) };
        let results = ids.iter().map(|id| broker.result(id)).collect::<Result<Vec<_>, _>>()?;
        print_json(&results)?;
        Ok(ExitCode::SUCCESS)
    }
}
