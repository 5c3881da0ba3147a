//! Reading the bytes of a body, within a bound on their number and on the time that they take.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::Payload;
use futures_util::StreamExt as _;

use super::too_large;
use crate::error::ApiError;
use crate::error_code::ErrorCode;

/// How long a body may take to arrive. actix itself bounds only the headers.
const DEADLINE: Duration = Duration::from_secs(10);

/// Gives `take` the bytes of a body, at most `limit` of them, as they arrive.
///
/// # Errors
/// When it is too large, too slow, or not readable; or what `take` says.
pub(super) async fn each(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
    take: impl FnMut(&[u8]) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    let length = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|length| length.parse::<usize>().ok())
        .unwrap_or(0);
    if length > limit {
        return Err(too_large(limit));
    }
    tokio::time::timeout(DEADLINE, pass(payload, limit, take)).await.unwrap_or_else(|_| {
        Err(ApiError::detail(ErrorCode::BodyTimeout, "The body of the request did not arrive in time."))
    })
}

async fn pass(
    mut payload: Payload,
    limit: usize,
    mut take: impl FnMut(&[u8]) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    let mut size = 0;
    while let Some(chunk) = payload.next().await {
        let broken = |e| ApiError::detail(ErrorCode::Malformed, format!("The body could not be read: {e}"));
        let chunk = chunk.map_err(broken)?;
        size += chunk.len();
        if size > limit {
            return Err(too_large(limit));
        }
        take(&chunk)?;
    }
    Ok(())
}
