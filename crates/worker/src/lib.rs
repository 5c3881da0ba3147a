//! The worker: takes tasks from the queues and runs them.
//!
//! One loop a file: the [`fetcher`] takes messages into flight, the [`runner`] of each slot runs them, the [`reporter`]
//! tells Redis what became of them, and the [`board`] is where the three meet; the [`heartbeat`] says that this worker is
//! alive; the [`reaper`] brings back what dead workers held and what has become due; [`revokes`] is what is not to be run. [`registry`] lists the handlers,
//! [`events`] is who else is told.

pub mod board;
pub mod context;
pub mod events;
pub mod fetcher;
pub mod handlers;
pub mod heartbeat;
pub mod reaper;
pub mod registry;
pub mod report;
pub mod reporter;
pub mod revokes;
pub mod runner;

use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use logmon_core::clock::{Clock, SystemClock};
use logmon_core::config::{
    BrokerSettings, CheckSettings, DatabaseSettings, LogSettings, StorageSettings, WorkerSettings, ZoneSettings,
};
use logmon_core::stop::{Stop, Urgency};
use logmon_store::broker::{Broker, WorkerId};
use logmon_store::db::Database;
use logmon_store::db::writer::Writer;

use board::Board;
use context::Context;
use events::{Events, Silent};
use fetcher::Fetcher;
use reporter::Reporter;
use revokes::Revokes;
use runner::Runner;

/// LogMon's worker: runs the tasks of the queues
#[derive(Debug, Parser)]
#[command(name = "logmon-worker", version)]
struct Cli {
    #[command(flatten)]
    worker: WorkerSettings,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    storage: StorageSettings,
    #[command(flatten)]
    zone: ZoneSettings,
    #[command(flatten)]
    check: CheckSettings,
    #[command(flatten)]
    log: LogSettings,
}

/// Runs the program and says with which status it ends.
pub fn run() -> ExitCode {
    let cli: Cli = logmon_core::config::parse();
    cli.log.install();
    match cli.work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Connections to Redis: for the fetcher, the reporter, the heartbeat, the reaper and the end.
const REDIS_CONNECTIONS: u32 = 5;

/// Connections to the database beside one for each slot: a slot without one would only put its tasks back.
const OTHER_CONNECTIONS: usize = 1;

impl Cli {
    fn work(&self) -> anyhow::Result<()> {
        let stop = Stop::on_signals()?;
        let slots = self.worker.concurrency.get();
        let broker = Broker::new(&self.broker, REDIS_CONNECTIONS)?;
        let connections = u32::try_from(slots + OTHER_CONNECTIONS)?;
        let mut settings = self.database.clone();
        settings.database_connections = settings.database_connections.max(NonZeroU32::try_from(connections)?);
        let database = Database::new(&settings);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let context = Context {
            database: database.clone(),
            writer: Writer::start(&self.database),
            clock: Arc::clone(&clock),
            rule: self.check.rule(),
            retention: self.storage.retention,
            zone: self.zone.time_zone,
        };
        let (queues, timeout) = (&self.worker.queues, self.worker.worker_timeout);
        let worker = WorkerId::of_this_process();
        let ready = stop
            .wait_for("Redis", || broker.declare(queues).and_then(|()| broker.renew(&worker, timeout)))
            .and_then(|_| stop.wait_for("the database", || database.get().map(drop)));
        if ready.is_none() {
            leave(&broker, &worker);
            return Ok(());
        }
        log::info!(worker = worker.0.as_str(), concurrency = slots; "serving {}", queues.join(", "));
        let board = Board::new(slots, self.worker.prefetch.into());
        let events: Arc<dyn Events> = Arc::new(Silent);
        let revokes = Revokes::default();
        let runner = Runner::new(board.clone(), context, Arc::clone(&events), revokes.clone(), stop.clone());
        let threads: Vec<_> = (0..slots)
            .map(|_| {
                let runner = runner.clone();
                std::thread::spawn(move || runner.run())
            })
            .collect();
        let fetcher = Fetcher {
            broker: broker.clone(),
            worker: worker.clone(),
            queues: queues.clone(),
            board: board.clone(),
            revokes,
            stop: stop.clone(),
        };
        let reporter = Reporter {
            broker: broker.clone(),
            worker: worker.clone(),
            board: board.clone(),
            events,
            clock: Arc::clone(&clock),
            stop: stop.clone(),
        };
        let fetching = std::thread::spawn(move || fetcher.run());
        let reporting = std::thread::spawn(move || reporter.run());
        let beating = heartbeat::start(broker.clone(), worker.clone(), timeout);
        let reaping = reaper::start(broker.clone(), timeout, stop.clone());
        while !stop.is_raised() {
            stop.wait(Urgency::Finish, Duration::from_secs(3_600));
        }
        board.close();
        drain(&stop, &threads, self.worker.grace);
        board.complete();
        for thread in [fetching, reporting] {
            if thread.join().is_err() {
                log::error!("a loop of this worker panicked");
            }
        }
        beating.stop();
        reaping.stop();
        leave(&broker, &worker);
        Ok(())
    }
}

/// What is still running goes back to its queue; whoever gets it repeats it with the effect of once. Without Redis it
/// stays in flight, and comes back when this worker's signs of life have ended.
fn leave(broker: &Broker, worker: &WorkerId) {
    match broker.leave(worker) {
        Ok(count) => log::info!(count; "stopped"),
        Err(error) => log::warn!("stopped, and what was running comes back later: {error}"),
    }
}

/// Waits for the slots to end, until the grace is over or a second signal comes.
fn drain(stop: &Stop, threads: &[std::thread::JoinHandle<()>], grace: Duration) {
    let running = || threads.iter().filter(|thread| !thread.is_finished()).count();
    log::info!(count = running(); "stopping: no new tasks");
    let end = Instant::now() + grace;
    while running() > 0 && Instant::now() < end {
        if stop.wait(Urgency::Now, Duration::from_millis(20)) == Urgency::Now {
            return;
        }
    }
}
