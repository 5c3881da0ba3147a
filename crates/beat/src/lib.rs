//! Beat: puts the tasks of the schedule on their queues when they are due.
//!
//! [`entries`] lists them, [`ticker`] watches the clock. Any number of beats may run: each slot is pushed once.

pub mod entries;
pub mod ticker;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use logmon_core::clock::SystemClock;
use logmon_core::config::{BrokerSettings, LogSettings, ScheduleSettings, ZoneSettings};
use logmon_core::stop::Stop;
use logmon_store::broker::Broker;

use ticker::Ticker;

/// LogMon's beat: puts the tasks of the schedule on their queues when they are due
#[derive(Debug, Parser)]
#[command(name = "logmon-beat", version)]
struct Cli {
    #[command(flatten)]
    schedule: ScheduleSettings,
    #[command(flatten)]
    zone: ZoneSettings,
    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    log: LogSettings,
}

/// Runs the program and says with which status it ends.
pub fn run() -> ExitCode {
    let cli: Cli = logmon_core::config::parse();
    cli.log.install();
    match cli.beat() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Cli {
    fn beat(&self) -> anyhow::Result<()> {
        let stop = Stop::on_signals()?;
        let broker = Broker::new(&self.broker, 1)?;
        let entries = entries::entries(&self.schedule, self.zone.time_zone)?;
        Ticker::new(broker, Arc::new(SystemClock), entries, stop).run();
        log::info!("stopped");
        Ok(())
    }
}
