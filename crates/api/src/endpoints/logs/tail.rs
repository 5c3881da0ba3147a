//! `/api/logs/tail/`: logs as they are stored.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use logmon_core::field::FieldErrors;

use super::list::filter_of_tail;
use crate::error::ApiError;
use crate::query::Query;
use crate::state::State;
use crate::tail::stream;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx to pass events on as they come.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The logs that a filter lets through as they are stored: Server-Sent Events that go on until the client leaves.
///
/// With `Last-Event-ID` it goes on where another tail, of this process or another, broke off.
pub async fn tail(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let filter = filter_of_tail(&Query::parse(request.query_string()), state.clock.now())?;
    let after = request.headers().get(LAST_EVENT_ID).filter(|value| !value.is_empty()).map(|value| {
        let seen = value.to_str().ok().and_then(|text| text.parse().ok());
        seen.ok_or_else(|| FieldErrors::one("Last-Event-ID", "Not the id of an event of this tail.".to_owned()))
    });
    let events = stream(&state.tails, &state, filter, after.transpose()?).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, "text/event-stream"));
    response.insert_header((CACHE_CONTROL, "no-store"));
    response.insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    response.insert_header((NO_BUFFERING, "no"));
    Ok(response.streaming(events))
}
