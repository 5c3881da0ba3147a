//! DRF's content negotiation: every answer is JSON, so a client that takes none is told so before anything is done.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::ACCEPT;
use actix_web::middleware::Next;

use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::query::Query;

/// Answers 404 for a `?format=` other than JSON and 406 for an `Accept` that JSON does not satisfy.
///
/// # Errors
/// Those of the service within, and these two.
pub async fn negotiate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let query = request.query_string();
    if query.contains("format") {
        let query = Query::parse(query);
        if query.last("format").is_some_and(|format| !format.is_empty() && format != "json") {
            return Err(ApiError::not_found().into());
        }
    }
    if let Some(accept) = request.headers().get(ACCEPT)
        && !accept.to_str().unwrap_or_default().split(',').any(takes_json)
    {
        let detail = "Could not satisfy the request Accept header.";
        return Err(ApiError::detail(ErrorCode::NotAcceptable, detail).into());
    }
    next.call(request).await
}

// DRF looks at the types alone: a weight of 0 does not refuse.
fn takes_json(range: &str) -> bool {
    let essence = range.split(';').next().unwrap_or_default().trim();
    essence.split_once('/').is_some_and(|(main, sub)| {
        let fits = |wanted: &str, sent: &str| sent == "*" || sent.eq_ignore_ascii_case(wanted);
        fits("application", main) && fits("json", sub)
    })
}
