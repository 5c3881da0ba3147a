//! `/api/dead-letters/`: messages that were given up, to be looked at, put back on their queues, or dropped.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse, Responder};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use logmon_core::celery::TaskId;
use logmon_core::page::Cursor;
use logmon_store::broker::{DeadLetter, DeadLetterFilter, DeadLetterId, Dropped, Requeue};
use serde::Serialize;
use utoipa::ToSchema;

use super::rfc3339;
use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::openapi::shared::{Detail, NoSuch, Paging};
use crate::query::{Listing, Query};
use crate::state::State;

/// A dead letter in a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub struct DeadLetterView {
    /// Its id, which stays the same.
    pub id: String,
    /// Why it was given up.
    #[schema(example = "not a JSON object")]
    reason: String,
    /// How often a worker has taken it.
    deliveries: u64,
    /// The queue that it came from.
    queue: Option<String>,
    /// The task's name.
    task: Option<String>,
    /// The task's id.
    #[schema(value_type = Option<String>)]
    task_id: Option<TaskId>,
    /// How large the message is.
    size_bytes: u64,
    /// When it was given up.
    #[serde(serialize_with = "rfc3339")]
    died_at: DateTime<Utc>,
}

impl From<DeadLetter> for DeadLetterView {
    fn from(letter: DeadLetter) -> Self {
        Self {
            id: letter.id.to_string(),
            reason: letter.reason,
            deliveries: letter.deliveries,
            queue: letter.queue,
            task: letter.task,
            task_id: letter.task_id,
            size_bytes: letter.size,
            died_at: letter.id.died_at(),
        }
    }
}

/// A dead letter with its message, as it was pushed: as text, or in base64 where it is none.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WholeDeadLetter)]
pub struct WholeDeadLetterView {
    #[serde(flatten)]
    letter: DeadLetterView,
    /// The message, where it is text.
    raw: Option<String>,
    /// The message in base64, where it is not.
    raw_base64: Option<String>,
}

impl From<(DeadLetter, Vec<u8>)> for WholeDeadLetterView {
    fn from((letter, message): (DeadLetter, Vec<u8>)) -> Self {
        let (raw, raw_base64) = match String::from_utf8(message) {
            Ok(text) => (Some(text), None),
            Err(error) => (None, Some(STANDARD.encode(error.into_bytes()))),
        };
        Self { letter: letter.into(), raw, raw_base64 }
    }
}

/// A dead letter that is on its queue again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Requeued)]
pub struct RequeuedView {
    /// The task's id, where the message has one.
    #[schema(value_type = Option<String>)]
    task_id: Option<TaskId>,
}

/// The dead letters of the task `task` and with `reason` in their reason, newest first.
#[utoipa::path(
    get,
    path = "/api/dead-letters/",
    params(
        ("task" = Option<String>, Query, description = "The name of the task."),
        ("reason" = Option<String>, Query, description = "A part of the reason."),
        Paging
    ),
    responses((status = 200, description = "A page of them.", body = [DeadLetterView]))
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let query = Query::parse(request.query_string());
    let given = |name| query.last(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let (filter, page) = (DeadLetterFilter { task: given("task"), reason: given("reason") }, query.page()?);
    let rows =
        state.broker(move |broker| broker.dead_letters(&filter, Listing::<DeadLetterView>::one_more(page))).await?;
    let place = |letter: &DeadLetter| Cursor {
        created_at: letter.id.died_at(),
        id: i64::try_from(letter.id.sequence()).unwrap_or(i64::MAX),
    };
    Ok(Listing::new(rows, page, place, DeadLetterView::from))
}

/// One dead letter, with its message.
#[utoipa::path(
    get,
    path = "/api/dead-letters/{id}/",
    params(("id" = String, Path, description = "The dead letter's id.")),
    responses((status = 200, description = "The dead letter.", body = WholeDeadLetterView), NoSuch)
)]
pub async fn show(id: Path<String>, state: Data<State>) -> Result<impl Responder, ApiError> {
    let id = dead_letter_id(&id)?;
    let found = state.broker(move |broker| broker.dead_letter(id)).await?;
    Ok(Json(WholeDeadLetterView::from(found.ok_or_else(none)?)))
}

/// Drops a dead letter.
#[utoipa::path(
    delete,
    path = "/api/dead-letters/{id}/",
    params(("id" = String, Path, description = "The dead letter's id.")),
    responses((status = 204, description = "It is gone."), NoSuch)
)]
pub async fn delete(id: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let id = dead_letter_id(&id)?;
    match state.broker(move |broker| broker.drop_dead_letter(id)).await? {
        Dropped::Now => Ok(HttpResponse::NoContent().finish()),
        Dropped::Before => Err(none()),
    }
}

/// Puts a dead letter back on its queue: 202, and where its result will be; 409 where it cannot be put on one.
#[utoipa::path(
    post,
    path = "/api/dead-letters/{id}/requeue/",
    params(("id" = String, Path, description = "The dead letter's id.")),
    responses(
        (status = 202, description = "It is on its queue.", body = RequeuedView, headers(("Location" = String, description = "Where its result will be."))),
        NoSuch,
        (status = 409, description = "It cannot be put on a queue, for this reason.", body = Detail)
    )
)]
pub async fn requeue(id: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let id = dead_letter_id(&id)?;
    let work = move |broker: &logmon_store::broker::Broker| {
        let task_id = broker.dead_letter(id)?.and_then(|(letter, _)| letter.task_id);
        Ok((broker.requeue_dead_letter(id)?, task_id))
    };
    match state.broker(work).await? {
        (Requeue::Done, Some(task_id)) => {
            let location = format!("/api/tasks/{task_id}/");
            let view = RequeuedView { task_id: Some(task_id) };
            Ok(HttpResponse::Accepted().insert_header((LOCATION, location)).json(view))
        }
        (Requeue::Done, None) => Ok(HttpResponse::Accepted().json(RequeuedView { task_id: None })),
        (Requeue::Gone, _) => Err(none()),
        (Requeue::Refused(reason), _) => {
            Err(ApiError::detail(ErrorCode::Conflict, format!("It cannot be put on a queue: {reason}.")))
        }
    }
}

fn dead_letter_id(text: &str) -> Result<DeadLetterId, ApiError> {
    text.parse().ok().ok_or_else(none)
}

fn none() -> ApiError {
    ApiError::no_such("DeadLetter")
}
