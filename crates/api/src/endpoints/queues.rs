//! `/api/queues/`: what waits on the queues, which may be made to stand still.

use std::collections::BTreeMap;

use actix_web::Responder;
use actix_web::web::{Data, Json, Path};
use logmon_core::tasks::QUEUES;
use logmon_store::broker::{Broker, BrokerError, QueueFigures};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::state::State;

/// A queue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Queue)]
pub struct QueueView {
    /// Its name.
    #[schema(example = "celery")]
    name: String,
    /// Whether it stands still.
    paused: bool,
    /// How many messages wait.
    depth: u64,
    /// The same by priority, of which 0 is served first.
    #[schema(value_type = BTreeMap<String, u64>)]
    priorities: BTreeMap<u8, u64>,
    /// How long, in seconds, the message that has waited longest, of those that are served next, has been due; null while
    /// nothing waits. At least so long where the message does not say when it was put there.
    oldest_seconds: Option<f64>,
    /// How many messages our workers held when they said so last.
    in_flight: u64,
    /// How many are not due yet.
    delayed: u64,
}

impl From<QueueFigures> for QueueView {
    fn from(queue: QueueFigures) -> Self {
        let priorities: BTreeMap<_, _> =
            queue.depth.into_iter().map(|(priority, depth)| (priority.number(), depth)).collect();
        Self {
            name: queue.name,
            paused: queue.paused,
            depth: priorities.values().sum(),
            priorities,
            oldest_seconds: queue.oldest.map(|age| age.as_secs_f64()),
            in_flight: queue.in_flight,
            delayed: queue.delayed,
        }
    }
}

/// Every queue that is known, by its name.
///
/// # Errors
/// See [`BrokerError`].
pub fn all(broker: &Broker) -> Result<Vec<QueueView>, BrokerError> {
    let found = broker.figures(&QUEUES)?;
    Ok(found.queues.into_iter().map(QueueView::from).collect())
}

/// One queue, known before or not.
///
/// # Errors
/// See [`BrokerError`].
pub fn one(broker: &Broker, name: &str) -> Result<Option<QueueView>, BrokerError> {
    let found = broker.figures(&[name])?;
    Ok(found.queues.into_iter().find(|queue| queue.name == name).map(QueueView::from))
}

/// Every queue that is known, by its name.
#[utoipa::path(
    get,
    path = "/api/queues/",
    responses((status = 200, description = "Every queue.", body = [QueueView]))
)]
pub async fn list(state: Data<State>) -> Result<impl Responder, ApiError> {
    Ok(Json(state.broker(all).await?))
}

/// Lets a queue stand still: no worker of ours fetches from it, and producers may go on. Gives the queue as it is then.
#[utoipa::path(
    post,
    path = "/api/queues/{name}/pause/",
    params(("name" = String, Path, description = "The queue's name.")),
    responses((status = 200, description = "The queue, paused.", body = QueueView))
)]
pub async fn pause(name: Path<String>, state: Data<State>) -> Result<impl Responder, ApiError> {
    change(name.into_inner(), &state, Broker::pause).await
}

/// Lets a queue be served again. Gives the queue as it is then.
#[utoipa::path(
    post,
    path = "/api/queues/{name}/resume/",
    params(("name" = String, Path, description = "The queue's name.")),
    responses((status = 200, description = "The queue, served.", body = QueueView))
)]
pub async fn resume(name: Path<String>, state: Data<State>) -> Result<impl Responder, ApiError> {
    change(name.into_inner(), &state, Broker::resume).await
}

async fn change(
    name: String,
    state: &State,
    change: fn(&Broker, &str) -> Result<(), BrokerError>,
) -> Result<Json<Option<QueueView>>, ApiError> {
    let work = move |broker: &Broker| {
        change(broker, &name)?;
        one(broker, &name)
    };
    Ok(Json(state.broker(work).await?))
}
