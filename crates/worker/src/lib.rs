//! The worker: takes tasks from the queues and runs them.
//!
//! One loop a file: the [`fetcher`] takes messages into flight, the [`runner`] of each slot runs them, the [`reporter`]
//! tells Redis what became of them, and the [`board`] is where the three meet; the [`heartbeat`] says that this worker is
//! alive; the [`reaper`] brings back what dead workers held and what has become due; [`revokes`] is what is not to be
//! run. [`registry`] lists the handlers, [`events`] tells who listens, [`control`] answers who asks, and [`presence`] is how
//! both know the worker; [`vitals`] is what the heartbeat says, [`put_back`] what is said of tasks that wait.

pub mod board;
pub mod channels;
pub mod context;
pub mod control;
mod evaluation;
pub mod events;
pub mod fetcher;
pub mod handlers;
pub mod heartbeat;
pub mod limits;
pub mod machine;
pub mod metrics;
pub mod presence;
pub mod put_back;
pub mod queues;
pub mod reaper;
pub mod registry;
pub mod report;
pub mod reporter;
pub mod results;
pub mod revokes;
pub mod runner;
pub mod running;
pub mod slots;
pub mod time_limits;
pub mod vitals;

use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use logmon_core::celery::NodeName;
use logmon_core::clock::SystemClock;
use logmon_core::config::{
    BrokerSettings, CheckSettings, DatabaseSettings, LogSettings, MetricsSettings, NotificationSettings,
    RemoteSettings, Setting, StorageSettings, WorkerSettings, ZoneSettings,
};
use logmon_core::stop::{Stop, Urgency};
use logmon_store::broker::{Broker, BrokerError, WorkerId, hostname};
use logmon_store::db::Database;
use logmon_store::db::migrations::{self, MigrateError};
use logmon_store::db::writer::{self, Writer};
use logmon_store::metrics::Pulse;
use logmon_store::python_workers;
use logmon_store::watch::Watch;

use board::Board;
use channels::Channels;
use context::{Context, SoftLimit};
use events::Events;
use fetcher::Fetcher;
use heartbeat::Loop;
use limits::Limits;
use metrics::{Counting, Figures};
use presence::{Open, Presence};
use queues::Queues;
use reporter::Reporter;
use results::Results;
use revokes::Revokes;
use runner::Runner;
use running::Running;
use slots::Slots;
use time_limits::TimeLimits;
use vitals::Vitals;

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
    notification: NotificationSettings,
    #[command(flatten)]
    remote: RemoteSettings,
    #[command(flatten)]
    metrics: MetricsSettings,
    #[command(flatten)]
    log: LogSettings,
}

/// Runs the program and says with which status it ends.
pub fn run() -> ExitCode {
    let (cli, settings): (Cli, Vec<Setting>) = logmon_core::config::parse_with_table();
    cli.log.install();
    match cli.work(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Connections to Redis: for the fetcher, the reporter, the heartbeat, the reaper, the watch and the end.
const REDIS_CONNECTIONS: u32 = 6;

/// How often the database is asked whether it is there.
const ASK_DATABASE: Duration = Duration::from_secs(1);

/// Connections to the database beside one for each slot: a slot without one would only put its tasks back.
const OTHER_CONNECTIONS: usize = 2;

/// Whether the database is there, with the tables that the tasks need. Without them each would fail for good.
fn current(database: &Database) -> Result<(), MigrateError> {
    migrations::require_current(&mut *database.get()?)
}

impl Cli {
    fn work(&self, table: Vec<Setting>) -> anyhow::Result<()> {
        let stop = Stop::on_signals()?;
        let broker = Broker::new(&self.broker, REDIS_CONNECTIONS)?;
        broker.warn_of_losses();
        python_workers::watch(Broker::new(&self.broker, 1)?);
        let (database, connections) = self.database()?;
        let context = self.context(&database, &broker)?;
        let worker = WorkerId::of_this_process();
        let open = Open {
            table: table.into(),
            queues: Queues::new(&self.worker.queues),
            board: Board::new(self.worker.concurrency.get(), self.worker.prefetch.into()),
            running: Running::default(),
            limits: Limits::default(),
            time_limits: TimeLimits::new(self.worker.task_time_limit),
            revokes: Revokes::default(),
            stop: stop.clone(),
        };
        let figures = Figures::default();
        self.show(&figures, &open, context.writer.figures())?;
        let Some(name) = stop.wait_for("Redis", || self.enter(&broker, &worker)) else { return Ok(()) };
        let interval = heartbeat::interval(self.worker.worker_timeout, self.worker.visibility_timeout);
        let vitals = Vitals { name: name.clone(), interval, open: open.clone() };
        let (timeout, pulse) = (self.worker.worker_timeout, figures.heartbeat.clone());
        let beating = heartbeat::start(broker.clone(), worker.clone(), timeout, vitals.clone(), pulse);
        let presence = Presence::begin(name.clone(), &self.broker, &self.remote, &open.running)?;
        let events: Arc<dyn Events> =
            Arc::new(Counting { figures: figures.clone(), next: Arc::new(presence.events()) });
        let results = Results::new(&self.worker, name.clone());
        let runner = Runner::new(context, worker.clone(), Arc::clone(&events), results, &open);
        let slots = Slots::new(runner, open.board.clone(), connections - OTHER_CONNECTIONS);
        presence.answer(open.clone(), slots.clone());
        if stop.wait_for("the database", || current(&database)).is_some() {
            let concurrency = self.worker.concurrency;
            log::info!(worker = name.as_str(), concurrency; "serving {}", open.queues.now().join(", "));
            let reporter = Reporter {
                broker: broker.clone(),
                worker: worker.clone(),
                board: open.board.clone(),
                events,
                clock: Arc::new(SystemClock),
                stop: stop.clone(),
                pulse: figures.reporting.clone(),
            };
            let limiting = time_limits::start(open.time_limits, open.running, slots.clone());
            let Open { queues, board, revokes, .. } = open;
            let fetcher = Fetcher {
                broker: broker.clone(),
                worker: worker.clone(),
                queues,
                board,
                revokes,
                stop,
                pulse: figures.fetching.clone(),
            };
            self.serve(&slots, fetcher, reporter, &vitals, figures.reaping);
            limiting.stop();
        }
        beating.stop();
        presence.events().end();
        leave(&broker, &worker);
        Ok(())
    }

    /// Shows the figures to whoever asks at `METRICS_LISTEN`.
    fn show(&self, figures: &Figures, open: &Open, writer: &writer::Figures) -> anyhow::Result<()> {
        let Some(listen) = self.metrics.metrics_listen else { return Ok(()) };
        let (registry, figures) = (figures.registry(&open.board, &open.running, writer), figures.clone());
        let (patience, stop) = (self.worker.worker_timeout, open.stop.clone());
        // A connection of its own, so that a worker whose slots are all taken does not look like one without a database.
        let own = DatabaseSettings { database_connections: NonZeroU32::MIN, ..self.database.clone() };
        let (database, pulse) = (Database::new(&own), figures.database.clone());
        // It ends with the process.
        drop(Loop::start(ASK_DATABASE, move || {
            if current(&database).is_ok() {
                pulse.beat();
            }
        }));
        logmon_store::metrics::serve(listen, registry, move || figures.ready(patience, &stop))
            .with_context(|| format!("METRICS_LISTEN is {listen}, but that address cannot be listened on"))?;
        Ok(())
    }

    /// The database, with how many connections: a slot without one would only put its tasks back.
    fn database(&self) -> anyhow::Result<(Database, usize)> {
        let mut settings = self.database.clone();
        let needed = NonZeroU32::try_from(u32::try_from(self.worker.concurrency.get() + OTHER_CONNECTIONS)?)?;
        settings.database_connections = settings.database_connections.max(needed);
        let database = Database::patient(&settings, self.worker.statement_timeout);
        Ok((database, usize::try_from(settings.database_connections.get())?))
    }

    fn context(&self, database: &Database, broker: &Broker) -> anyhow::Result<Context> {
        let (check, clock) = (self.check.clone(), Arc::new(SystemClock));
        Ok(Context {
            channels: Arc::new(Channels::new(&self.notification, self.zone.time_zone)?),
            database: database.clone(),
            broker: broker.clone(),
            writer: Writer::start(&self.database),
            watch: Watch::start(check.clone(), database.clone(), broker.clone(), clock.clone()),
            clock,
            check,
            retention: self.storage.retention,
            zone: self.zone.time_zone,
            soft_limit: SoftLimit::default(),
        })
    }

    /// Puts this worker on the list of the living, and gives the name that it has there.
    fn enter(&self, broker: &Broker, worker: &WorkerId) -> Result<NodeName, BrokerError> {
        broker.declare(&self.worker.queues)?;
        broker.renew(worker, self.worker.worker_timeout)?;
        let wanted = NodeName::from_format(&self.remote.hostname, &hostname());
        let name = broker.claim(worker, &wanted)?;
        if name != wanted {
            log::warn!("another worker is called {wanted}, so this one is {name}: --hostname gives each its own name");
        }
        Ok(name)
    }

    /// Runs tasks until the process is told to end, and those that run then to their end, within the grace.
    fn serve(&self, slots: &Slots, fetcher: Fetcher, reporter: Reporter, vitals: &Vitals, reaped: Pulse) {
        let (board, stop, broker) = (fetcher.board.clone(), fetcher.stop.clone(), fetcher.broker.clone());
        let worker = fetcher.worker.clone();
        slots.fill();
        let fetching = std::thread::spawn(move || fetcher.run());
        let reporting = std::thread::spawn(move || reporter.run());
        let (timeout, visibility) = (self.worker.worker_timeout, self.worker.visibility_timeout);
        let reaping = reaper::start(broker.clone(), timeout, visibility, stop.clone(), reaped);
        while !stop.is_raised() {
            stop.wait(Urgency::Finish, Duration::from_secs(3_600));
        }
        log::info!(count = slots.running(); "stopping: no new tasks");
        board.close();
        let end = Instant::now() + self.worker.grace;
        // Before its turn comes: that is a while, and may be over by then.
        if let Err(error) = broker.show(&worker, &vitals.now()) {
            log::debug!("not said that this worker drains: {error}");
        }
        drain(&stop, end, || slots.running() == 0);
        board.complete();
        // What they have reported may have to wait for Redis.
        drain(&stop, end, || reporting.is_finished());
        stop.raise(Urgency::Now);
        for thread in [fetching, reporting] {
            if thread.join().is_err() {
                log::error!("a loop of this worker panicked");
            }
        }
        reaping.stop();
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

/// Waits for this to be over, until the grace is at its end or a second signal comes.
fn drain(stop: &Stop, end: Instant, over: impl Fn() -> bool) {
    while !over() && Instant::now() < end {
        if stop.wait(Urgency::Now, Duration::from_millis(20)) == Urgency::Now {
            return;
        }
    }
}
