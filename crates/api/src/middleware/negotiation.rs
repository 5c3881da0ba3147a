//! DRF's content negotiation: every answer is JSON, so a client that takes none is told so before anything is done.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCEPT, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};

use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::query::Query;

/// Answers 404 for a `?format=` other than JSON and 406 for an `Accept` that JSON does not satisfy.
///
/// # Errors
/// Those of the service within.
pub async fn negotiate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let query = request.query_string();
    if query.contains("format") {
        let query = Query::parse(query);
        if query.last("format").is_some_and(|format| !format.is_empty() && format != "json") {
            return Ok(refuse(request, ApiError::not_found()));
        }
    }
    let mut accepted = request.headers().get_all(ACCEPT).peekable();
    let takes = |header: &HeaderValue| header.to_str().unwrap_or_default().split(',').any(takes_json);
    if accepted.peek().is_some() && !accepted.any(takes) {
        let detail = "Could not satisfy the request Accept header.";
        return Ok(refuse(request, ApiError::detail(ErrorCode::NotAcceptable, detail)));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

// As an answer and not as an error, so that what lies around this adds its headers.
fn refuse(request: ServiceRequest, error: ApiError) -> ServiceResponse {
    request.into_response(HttpResponse::from_error(error))
}

// DRF looks at the types alone: a weight of 0 does not refuse.
fn takes_json(range: &str) -> bool {
    let essence = range.split(';').next().unwrap_or_default().trim();
    essence.split_once('/').is_some_and(|(main, sub)| {
        let fits = |wanted: &str, sent: &str| sent == "*" || sent.eq_ignore_ascii_case(wanted);
        fits("application", main) && fits("json", sub)
    })
}
