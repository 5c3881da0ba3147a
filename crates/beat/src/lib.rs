//! Beat: puts the tasks of the schedule on their queues when they are due.
//!
//! [`entries`] lists them, [`ticker`] watches the clock, [`trouble`] says what is waited for, [`metrics`] what came
//! of it. Any number of beats may run:
//! each slot is pushed once.

pub mod entries;
pub mod metrics;
pub mod ticker;
pub mod trouble;

use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use logmon_core::clock::SystemClock;
use logmon_core::config::{
    BrokerSettings, DatabaseSettings, LogSettings, MetricsSettings, ScheduleSettings, ZoneSettings,
};
use logmon_core::stop::{Stop, Urgency};
use logmon_store::broker::{Broker, hostname};
use logmon_store::db::Database;

use metrics::Figures;
use ticker::Ticker;

/// How long the end waits for a turn that the database or Redis does not answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether the clock work still goes on.
const LOOK: Duration = Duration::from_secs(1);

/// LogMon's beat: puts the tasks of the schedule on their queues when they are due
#[derive(Debug, Parser)]
#[command(name = "logmon-beat", version)]
struct Cli {
    #[command(flatten)]
    schedule: ScheduleSettings,
    #[command(flatten)]
    zone: ZoneSettings,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    metrics: MetricsSettings,
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
    /// Shows the figures to whoever asks at `METRICS_LISTEN`.
    fn show(&self, figures: &Figures, stop: &Stop) -> anyhow::Result<()> {
        let Some(listen) = self.metrics.metrics_listen else { return Ok(()) };
        let (registry, figures, stop) = (figures.registry(), figures.clone(), stop.clone());
        logmon_store::metrics::serve(listen, registry, move || figures.ready(&stop))
            .with_context(|| format!("METRICS_LISTEN is {listen}, but that address cannot be listened on"))?;
        Ok(())
    }

    fn beat(&self) -> anyhow::Result<()> {
        let stop = Stop::on_signals()?;
        let figures = Figures::default();
        self.show(&figures, &stop)?;
        let broker = Broker::new(&self.broker, 1)?;
        broker.warn_of_losses();
        let ticker = Ticker {
            database: Database::new(&self.database),
            broker,
            clock: Arc::new(SystemClock),
            entries: entries::entries(&self.schedule, self.zone.time_zone)?,
            name: format!("{}:{}", hostname(), std::process::id()),
            figures,
        };
        let (ended, end) = mpsc::channel();
        let watched = stop.clone();
        std::thread::spawn(move || {
            ticker.run(&watched);
            // Nobody listens any more where that took too long.
            let _heard = ended.send(());
        });
        while !stop.is_raised() {
            if stop.wait(Urgency::Finish, LOOK) == Urgency::GoOn
                && end.try_recv() == Err(mpsc::TryRecvError::Disconnected)
            {
                anyhow::bail!("the clock work has ended by itself");
            }
        }
        match end.recv_timeout(PATIENCE) {
            Ok(()) => log::info!("stopped"),
            Err(_) => {
                log::warn!("stopped in the middle of a turn, which the next one ends");
            }
        }
        Ok(())
    }
}
