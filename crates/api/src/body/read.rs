//! Reading the bytes of a body, within a bound on their number and on the time that they take.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt as _;

use super::too_large;
use crate::error::ApiError;
use crate::error_code::ErrorCode;

/// How long a body may take to arrive. actix itself bounds only the headers.
const DEADLINE: Duration = Duration::from_secs(10);

pub(super) async fn all(request: &HttpRequest, payload: Payload, limit: usize) -> Result<Bytes, ApiError> {
    let length = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|length| length.parse::<usize>().ok())
        .unwrap_or(0);
    if length > limit {
        return Err(too_large(limit));
    }
    tokio::time::timeout(DEADLINE, gather(payload, length, limit)).await.unwrap_or_else(|_| {
        Err(ApiError::detail(ErrorCode::BodyTimeout, "The body of the request did not arrive in time."))
    })
}

async fn gather(mut payload: Payload, length: usize, limit: usize) -> Result<Bytes, ApiError> {
    let broken = |e| ApiError::detail(ErrorCode::Malformed, format!("The body could not be read: {e}"));
    let Some(first) = payload.next().await else { return Ok(Bytes::new()) };
    let first = first.map_err(broken)?;
    if first.len() == length {
        return Ok(first);
    }
    let mut body = BytesMut::with_capacity(length.max(first.len()));
    body.extend_from_slice(&first);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(broken)?;
        if body.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    if body.len() > limit { Err(too_large(limit)) } else { Ok(body.freeze()) }
}
