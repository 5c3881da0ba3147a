//! What this worker tells those who watch it: what became of tasks, whether its loops turn, and whether the database answers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use logmon_core::celery::{Outcome, TaskMessage};
use logmon_core::stop::Stop;
use logmon_store::db::writer;
use logmon_store::metrics::{Pulse, Ready, Timing, registry};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::board::Board;
use crate::events::{Event, Events};
use crate::registry::find;
use crate::running::Running;

/// A turn takes up to a second.
const PATIENCE_MIN: Duration = Duration::from_secs(5);

/// The figures. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    runtime: Family<ByTask, Timing>,
    ended: Family<ByOutcome, Counter>,
    put_back: Counter,
    /// Beats when Redis has heard that this worker is alive.
    pub heartbeat: Pulse,
    /// Beats when messages are asked for, or the slots are all taken.
    pub fetching: Pulse,
    /// Beats when what became of messages is being told, or there is nothing to tell.
    pub reporting: Pulse,
    /// Beats when what is due and what dead workers held has been looked for.
    pub reaping: Pulse,
    /// Beats when the database answers.
    pub database: Pulse,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByTask {
    task: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    task: &'static str,
    outcome: &'static str,
}

impl Figures {
    /// Everything there is to be seen.
    pub fn registry(&self, board: &Board, running: &Running, writer: &writer::Figures) -> Registry {
        let mut registry = registry();
        writer.register(&mut registry);
        registry.register("task_runtime_seconds", "How long runs of a task took", self.runtime.clone());
        let outcomes = "Runs by how they ended: success, failure, retry, revoked";
        registry.register("task_runs", outcomes, self.ended.clone());
        let put_back = "Runs that came to nothing for the database was away";
        registry.register("task_put_back", put_back, self.put_back.clone());
        registry.register_collector(Box::new(Slots { board: board.clone(), running: running.clone() }));
        registry
    }

    /// Whether the loops turn and the database answers, each within `patience` and no less than 5 s, and they go on.
    pub fn ready(&self, patience: Duration, stop: &Stop) -> Ready {
        let patience = patience.max(PATIENCE_MIN);
        Ready::from([
            ("database", self.database.within(patience)),
            ("fetching", self.fetching.within(patience)),
            ("heartbeat", self.heartbeat.within(patience)),
            ("reaping", self.reaping.within(patience)),
            ("reporting", self.reporting.within(patience)),
            ("process", if stop.is_raised() { Err("stopping".to_owned()) } else { Ok(()) }),
        ])
    }
}

/// Counts what it hears and passes it on.
pub struct Counting {
    /// The figures.
    pub figures: Figures,
    /// Who hears it next.
    pub next: Arc<dyn Events>,
}

impl Events for Counting {
    fn tell(&self, message: &TaskMessage, event: Event<'_>) {
        match event {
            Event::Ended { outcome, runtime } => {
                // A task that is not registered may have any name, and no bound on how many there are.
                let task = find(&message.task).map_or("unknown", |handler| handler.name);
                let outcome = match outcome {
                    Outcome::Success(_) => "success",
                    Outcome::Failure(_) => "failure",
                    Outcome::Retry(_) => "retry",
                    Outcome::Revoked(_) => "revoked",
                };
                self.figures.ended.get_or_create(&ByOutcome { task, outcome }).inc();
                self.figures.runtime.get_or_create(&ByTask { task }).note(runtime);
            }
            Event::PutBack => {
                self.figures.put_back.inc();
            }
            Event::Received | Event::Started => {}
        }
        self.next.tell(message, event);
    }
}

/// Looked at when it is asked for.
struct Slots {
    board: Board,
    running: Running,
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots").finish_non_exhaustive()
    }
}

impl Collector for Slots {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let number = |count: usize| ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
        for (name, help, count) in [
            ("slots", "Tasks that can run at the same time", self.board.slots()),
            ("tasks_running", "Tasks that run now", self.running.counts().0),
            ("tasks_abandoned", "Tasks that were ended while their threads go on, unheard", self.running.abandoned()),
            ("tasks_ready", "Messages that wait here for a slot", self.board.ready().len()),
        ] {
            number(count).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        Ok(())
    }
}
