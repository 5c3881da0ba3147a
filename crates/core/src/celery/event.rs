//! Events: what a worker says of itself and of its tasks, for `celery events`, Flower and whoever else listens.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::broadcast::{self, Address, Delivery};
use super::{Exception, LamportClock, Malformed, NewTask, NodeName, TaskId, TaskMessage};
use crate::python;

/// What Celery calls the exchange of events, and the channels begin with.
pub const EXCHANGE: &str = "celeryev";

/// The routing keys of what workers say of themselves.
pub const OF_WORKERS: [&str; 3] = ["worker.online", "worker.heartbeat", "worker.offline"];

/// The time between two heartbeats, in seconds. Who hears none for twice as long takes the worker for dead.
pub const HEARTBEAT_SECONDS: f64 = 2.0;

/// Something that happened to a worker or a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
#[expect(missing_docs, reason = "the fields are Celery's, and named in its manual")]
pub enum Event {
    /// The worker is ready.
    #[serde(rename = "worker-online")]
    WorkerOnline(WorkerStatus),
    /// The worker is alive.
    #[serde(rename = "worker-heartbeat")]
    WorkerHeartbeat(WorkerStatus),
    /// The worker ends.
    #[serde(rename = "worker-offline")]
    WorkerOffline(WorkerStatus),
    /// A producer has put the task on its queue.
    #[serde(rename = "task-sent")]
    TaskSent {
        #[serde(flatten)]
        task: Described,
        queue: String,
        exchange: String,
        routing_key: String,
    },
    /// The worker has the task.
    #[serde(rename = "task-received")]
    TaskReceived(Described),
    /// The task runs.
    #[serde(rename = "task-started")]
    TaskStarted { uuid: TaskId },
    /// The task returned `result`, as Python's `repr`, after `runtime` seconds.
    #[serde(rename = "task-succeeded")]
    TaskSucceeded { uuid: TaskId, result: String, runtime: f64 },
    /// The task failed for good; `exception` is its `repr`.
    #[serde(rename = "task-failed")]
    TaskFailed {
        uuid: TaskId,
        exception: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceback: Option<String>,
    },
    /// The task failed and will be tried again.
    #[serde(rename = "task-retried")]
    TaskRetried {
        uuid: TaskId,
        exception: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceback: Option<String>,
    },
    /// The task was withdrawn or expired: it was not run, or not to its end.
    #[serde(rename = "task-revoked")]
    TaskRevoked { uuid: TaskId, terminated: bool, signum: Option<u32>, expired: bool },
    /// The message was not run; with `requeue` it is back on its queue.
    #[serde(rename = "task-rejected")]
    TaskRejected { uuid: TaskId, requeue: bool },
}

/// A task as those see it who have not heard of it before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are Celery's, and named in its manual")]
pub struct Described {
    pub uuid: TaskId,
    pub name: String,
    pub args: String,
    pub kwargs: String,
    pub root_id: Option<String>,
    pub parent_id: Option<String>,
    pub retries: u32,
    pub eta: Option<String>,
    pub expires: Option<String>,
}

/// How a worker is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Seconds between two heartbeats.
    pub freq: f64,
    /// How many tasks run.
    pub active: usize,
    /// How many were begun since its start.
    pub processed: u64,
    /// The machine's load over 1, 5 and 15 minutes.
    pub loadavg: [f64; 3],
    /// The program's name.
    pub sw_ident: String,
    /// Its version.
    pub sw_ver: String,
    /// The kind of system that it runs on.
    pub sw_sys: String,
}

/// An event with where, when and in which order it happened. `utcoffset` is left out: times are UTC, and readers that find
/// it shift them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// The worker, or the producer.
    pub hostname: NodeName,
    /// Its process.
    pub pid: u32,
    /// Its logical clock.
    pub clock: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// When, in seconds since 1970.
    pub timestamp: f64,
}

/// A message on its way to whoever listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// What the channel's name ends in.
    pub routing_key: &'static str,
    /// The message.
    pub message: String,
}

impl Event {
    /// The worker has the task of this message.
    pub fn received(message: &TaskMessage) -> Self {
        Self::TaskReceived(Described::of(message))
    }

    /// The task was put on its queue.
    pub fn sent(task: &NewTask) -> Self {
        let place = task.place.as_deref();
        let described = Described {
            uuid: task.id.clone(),
            name: task.task.clone(),
            args: task.arguments.args_repr(),
            kwargs: task.arguments.kwargs_repr(),
            root_id: Some(place.and_then(|place| place.root_id.clone()).unwrap_or_else(|| task.id.0.clone())),
            parent_id: place.and_then(|place| place.parent_id.clone()),
            retries: 0,
            eta: task.eta.map(iso),
            expires: task.expires.map(iso),
        };
        Self::to_queue(described, &task.queue)
    }

    /// The message was put on its queue once more: another attempt of a task.
    pub fn sent_again(message: &TaskMessage) -> Self {
        Self::to_queue(Described::of(message), &message.queue)
    }

    // Through the exchange without a name, whose routing keys are queues.
    fn to_queue(task: Described, queue: &str) -> Self {
        Self::TaskSent { task, queue: queue.to_owned(), exchange: String::new(), routing_key: queue.to_owned() }
    }
}

impl Described {
    fn of(message: &TaskMessage) -> Self {
        Self {
            uuid: message.id.clone(),
            name: message.task.clone(),
            args: message.args_repr(),
            kwargs: message.kwargs_repr(),
            root_id: Some(message.root_id.0.clone()),
            parent_id: message.parent_id.clone().map(|id| id.0),
            retries: message.retries,
            eta: message.eta.map(iso),
            expires: message.expires.map(iso),
        }
    }
}

fn iso(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, false)
}

impl Exception {
    /// `repr` of the exception that Python makes of it.
    pub fn repr(&self) -> String {
        let arguments: Vec<String> = self.exc_message.iter().map(|text| python::repr_of_str(text)).collect();
        format!("{}({})", self.exc_type, arguments.join(", "))
    }
}

/// Who publishes events: a worker or a producer, its process and its clock.
#[derive(Debug)]
pub struct Publisher<'a> {
    /// The worker's name, or `gen<pid>@<host>`.
    pub node: &'a NodeName,
    /// Its process.
    pub pid: u32,
    /// Its clock.
    pub clock: &'a LamportClock,
}

#[derive(Serialize)]
struct Headers<'a> {
    hostname: &'a NodeName,
}

impl Publisher<'_> {
    /// The message of an event of the worker.
    ///
    /// # Errors
    /// When a number in it is not finite.
    pub fn worker(&self, event: Event, at: DateTime<Utc>) -> serde_json::Result<Published> {
        let routing_key = match event {
            Event::WorkerOnline(_) => "worker.online",
            Event::WorkerOffline(_) => "worker.offline",
            _ => "worker.heartbeat",
        };
        self.encode(&self.stamp(event, at), routing_key)
    }

    /// The message of a task that was sent: each has its own.
    ///
    /// # Errors
    /// When a number in it is not finite.
    pub fn sent(&self, event: Event, at: DateTime<Utc>) -> serde_json::Result<Published> {
        self.encode(&self.stamp(event, at), "task.sent")
    }

    /// The one message of several events of tasks, in their order.
    ///
    /// # Errors
    /// When a number in it is not finite.
    pub fn tasks(&self, events: Vec<(Event, DateTime<Utc>)>) -> serde_json::Result<Published> {
        let stamped: Vec<Stamped> = events.into_iter().map(|(event, at)| self.stamp(event, at)).collect();
        self.encode(&stamped, "task.multi")
    }

    fn stamp(&self, event: Event, at: DateTime<Utc>) -> Stamped {
        let timestamp = seconds(at);
        Stamped { hostname: self.node.clone(), pid: self.pid, clock: self.clock.forward(), event, timestamp }
    }

    fn encode(&self, body: &impl Serialize, routing_key: &'static str) -> serde_json::Result<Published> {
        let to = Address { exchange: EXCHANGE, routing_key };
        let message = broadcast::encode(body, &Headers { hostname: self.node }, to, Delivery::Transient)?;
        Ok(Published { routing_key, message })
    }
}

/// Reads a published message, which holds one event or a list of them.
///
/// # Errors
/// When it is none.
pub fn decode(message: &[u8]) -> Result<Vec<Stamped>, Malformed> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Body {
        Many(Vec<Stamped>),
        One(Box<Stamped>),
    }
    Ok(match broadcast::decode(message)?.0 {
        Body::Many(events) => events,
        Body::One(event) => vec![*event],
    })
}

/// A time as Celery's events and control messages carry it.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "microseconds of this age of the world fit")]
pub fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_micros() as f64 / 1_000_000.0
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
