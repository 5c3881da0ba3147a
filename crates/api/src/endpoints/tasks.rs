//! `/api/tasks/{id}/`: what became of a task, and its withdrawal.

use std::slice;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse, Responder};
use logmon_core::celery::{NewTask, Status, TaskId};
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_core::field::FieldErrors;
use logmon_store::broker::Running;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::query::Query;
use crate::state::State;

/// The task is queued.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// Its id.
    #[schema(value_type = String)]
    pub task_id: TaskId,
}

/// A result document as Celery has it. Workers that say more of a task add `name`, `args`, `kwargs` and the like.
#[derive(Debug, ToSchema)]
#[schema(as = TaskResult)]
pub struct TaskResultView {
    /// `PENDING` (also of a task that nobody knows), `STARTED`, `RETRY`, `SUCCESS`, `FAILURE`, `REVOKED`, or what a task has
    /// given itself.
    #[schema(example = "SUCCESS")]
    pub status: String,
    /// What it returned, or the exception that it came to.
    #[schema(nullable)]
    pub result: serde_json::Value,
    /// Python's traceback, where a Python worker ran it.
    pub traceback: Option<String>,
    /// The tasks that it started.
    pub children: Option<Vec<serde_json::Value>>,
    /// When it was done.
    pub date_done: Option<String>,
    /// Its id.
    pub task_id: String,
}

/// The task's result document as Celery has it; `PENDING` for one that has not come to a result or that nobody knows.
#[utoipa::path(
    get,
    path = "/api/tasks/{task}/",
    params(("task" = String, Path, description = "The task's id.")),
    responses((status = 200, description = "The document.", body = TaskResultView))
)]
pub async fn show(id: Path<String>, state: Data<State>) -> Result<impl Responder, ApiError> {
    let id = TaskId(id.into_inner());
    Ok(Json(state.broker(move |broker| broker.result(&id)).await?))
}

/// Withdraws a task: one that has not started will not be run.
///
/// With `terminate=true` the workers are asked to end one that runs. 202 with its document; 200 for a task that has come to
/// its end before, which is left as it is.
#[utoipa::path(
    delete,
    path = "/api/tasks/{task}/",
    params(
        ("task" = String, Path, description = "The task's id."),
        ("terminate" = Option<bool>, Query, description = "Whether to end it if it runs.")
    ),
    responses(
        (status = 200, description = "It had come to its end before.", body = TaskResultView),
        (status = 202, description = "It is withdrawn.", body = TaskResultView)
    )
)]
pub async fn revoke(id: Path<String>, request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let running = match Query::parse(request.query_string()).last("terminate") {
        Some("true") => Running::Terminate,
        Some("false" | "") | None => Running::GoesOn,
        Some(_) => {
            let mut errors = FieldErrors::default();
            errors.take::<()>("terminate", Err(vec!["\"true\" or \"false\" is expected.".to_owned()]));
            return Err(ApiError::from(errors));
        }
    };
    let id = TaskId(id.into_inner());
    let now = SystemClock.now();
    let (status, result) = state
        .broker(move |broker| {
            let result = broker.result(&id)?;
            if result.status.is_final() {
                return Ok((StatusCode::OK, result));
            }
            broker.withdraw(slice::from_ref(&id), running, now)?;
            Ok((StatusCode::ACCEPTED, broker.result(&id)?))
        })
        .await?;
    Ok(HttpResponse::build(status).json(result))
}

/// What became of a task that was waited for.
pub(super) enum Ended<T> {
    /// It returned this.
    With(T),
    /// It has not come to its end: this is the answer that says where to look.
    NotYet(HttpResponse),
}

/// Queues a task, and waits for what it returns.
///
/// # Errors
/// When Redis does not take it, or when it fails.
pub(super) async fn finished<T: DeserializeOwned>(
    state: &State,
    task: NewTask,
    patience: Duration,
) -> Result<Ended<T>, ApiError> {
    /// How often the result is looked for.
    const EVERY: Duration = Duration::from_millis(50);
    let (id, end) = (task.id.clone(), Instant::now() + patience);
    let not_yet = accepted(state, task).await?;
    while Instant::now() < end {
        let id = id.clone();
        let result = state.broker(move |broker| broker.result(&id)).await?;
        match result.status {
            Status::Success => {
                let value = serde_json::from_str(result.result.get());
                return value.map(Ended::With).map_err(|e| ApiError::internal(e.to_string()));
            }
            status if status.is_final() => return Err(ApiError::internal(result.result.get().to_owned())),
            _ => tokio::time::sleep(EVERY).await,
        }
    }
    Ok(Ended::NotYet(not_yet))
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
