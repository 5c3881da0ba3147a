//! `/api/workers/`: who works, on what, and who is lost.

use actix_web::Responder;
use actix_web::web::{Data, Json};
use chrono::{DateTime, Utc};
use logmon_core::celery::{NodeName, TaskId};
use logmon_core::worker::{RunningTask, WorkerState};
use logmon_store::broker::{Broker, BrokerError, Worker};
use serde::Serialize;
use utoipa::ToSchema;

use super::rfc3339;
use crate::error::ApiError;
use crate::state::State;

/// A worker.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Worker)]
pub struct WorkerView {
    #[schema(value_type = String, example = "logmon@host-1")]
    name: NodeName,
    /// `ok`, `draining`, or `lost`.
    #[schema(value_type = String, example = "ok")]
    state: WorkerState,
    host: String,
    pid: u32,
    /// `logmon`, or what else it is, such as `py-celery`.
    #[schema(example = "logmon")]
    program: String,
    version: String,
    /// When it said this, by the clock of Redis.
    #[serde(serialize_with = "rfc3339")]
    last_heartbeat: DateTime<Utc>,
    /// Those that it serves; null while that is not known of a Python worker.
    queues: Option<Vec<String>>,
    /// How many tasks it runs at once at most; null as `queues`.
    concurrency: Option<usize>,
    /// How many it runs now.
    busy: usize,
    /// How many tasks it has begun since its start.
    processed: u64,
    /// The tasks that run, the longest first, at most 100; null for a Python worker.
    tasks: Option<Vec<TaskView>>,
}

/// A task that runs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunningTask)]
struct TaskView {
    #[schema(value_type = String)]
    id: TaskId,
    name: String,
    /// When it began.
    #[serde(serialize_with = "rfc3339")]
    since: DateTime<Utc>,
}

impl From<RunningTask> for TaskView {
    fn from(RunningTask { id, name, since }: RunningTask) -> Self {
        Self { id, name, since }
    }
}

impl From<Worker> for WorkerView {
    fn from(Worker { heartbeat, seen_at, state }: Worker) -> Self {
        Self {
            name: heartbeat.name,
            state,
            host: heartbeat.host,
            pid: heartbeat.pid,
            program: heartbeat.program,
            version: heartbeat.version,
            last_heartbeat: seen_at,
            queues: heartbeat.queues,
            concurrency: heartbeat.concurrency,
            busy: heartbeat.busy,
            processed: heartbeat.processed,
            tasks: heartbeat.tasks.map(|tasks| tasks.into_iter().map(TaskView::from).collect()),
        }
    }
}

/// Every worker that is alive or was within the past hour, by its name.
///
/// # Errors
/// See [`BrokerError`].
pub fn all(broker: &Broker) -> Result<Vec<WorkerView>, BrokerError> {
    Ok(broker.workers()?.into_iter().map(WorkerView::from).collect())
}

/// Every worker that is alive or was within the past hour, by its name.
#[utoipa::path(
    get,
    path = "/api/workers/",
    responses((status = 200, description = "Every worker.", body = [WorkerView]))
)]
pub async fn list(state: Data<State>) -> Result<impl Responder, ApiError> {
    Ok(Json(state.broker(all).await?))
}
