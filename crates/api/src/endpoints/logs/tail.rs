//! `/api/logs/tail/`: logs as they are stored.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use logmon_core::field::FieldErrors;

use super::document::FilterParameters;
use super::list::filter_of_tail;
use crate::error::ApiError;
use crate::openapi::shared::{Busy, Failing};
use crate::query::Query;
use crate::state::State;
use crate::tail::stream;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx to pass events on as they come.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The logs that a filter lets through as they are stored: Server-Sent Events that go on until the client leaves.
///
/// With `Last-Event-ID` it goes on where another tail, of this process or another, broke off. `log` is a log, of whose message at most 16,384
/// characters are sent; `dropped` with `{"n":120}` says that so many were left out because the client reads too slowly;
/// `gap` that more than 50,000 came meanwhile, which a list shows; `heartbeat` comes every 15 s.
#[utoipa::path(
    get,
    path = "/api/logs/tail/",
    params(
        FilterParameters,
        ("Last-Event-ID" = Option<String>, Header, nullable = false, description = "The id of the last event that the client has: it goes on there.")
    ),
    responses(
        (
            status = 200,
            description = "The logs, as Server-Sent Events.",
            body = String,
            content_type = "text/event-stream",
            example = "event: log\nid: 4711\ndata: {\"id\":4711,\"level\":\"ERROR\",\"message\":\"payment failed\",\"created_at\":\"2026-11-23T04:00:27.405861Z\",\"app\":1}\n\n"
        ),
        Busy,
        Failing
    )
)]
pub async fn tail(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let filter = filter_of_tail(&Query::parse(request.query_string()), state.clock.now())?;
    let after = request.headers().get(LAST_EVENT_ID).filter(|value| !value.is_empty()).map(|value| {
        let seen = value.to_str().ok().and_then(|text| text.parse().ok());
        seen.ok_or_else(|| FieldErrors::one("Last-Event-ID", "Expected the id of an event of a tail.".to_owned()))
    });
    let events = stream(&state.tails, &state, filter, after.transpose()?).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, "text/event-stream"));
    response.insert_header((CACHE_CONTROL, "no-store"));
    response.insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    response.insert_header((NO_BUFFERING, "no"));
    Ok(response.streaming(events))
}
