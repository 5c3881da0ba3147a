//! `/api/tasks/{id}/`: what became of a task.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, Responder};
use logmon_core::celery::{NewTask, TaskId};
use serde::Serialize;

use crate::error::ApiError;
use crate::state::State;

/// A task that was queued.
#[derive(Debug, Serialize)]
struct Accepted {
    task_id: TaskId,
}

/// The task's result document as Celery has it; `PENDING` for one that has not come to a result or that nobody knows.
pub async fn show(id: Path<String>, state: Data<State>) -> Result<impl Responder, ApiError> {
    let id = TaskId(id.into_inner());
    Ok(Json(state.broker(move |broker| broker.result(&id)).await?))
}

/// Queues a task: 202, its id, and where its result will be.
///
/// # Errors
/// When Redis does not take it.
pub async fn accepted(state: &State, task: NewTask) -> Result<HttpResponse, ApiError> {
    let task_id = task.id.clone();
    state.broker(move |broker| broker.enqueue(&task)).await?;
    let location = format!("/api/tasks/{task_id}/");
    Ok(HttpResponse::Accepted().insert_header((LOCATION, location)).json(Accepted { task_id }))
}
