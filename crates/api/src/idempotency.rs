//! `Idempotency-Key`: a request that is sent again is stored once, and answered as the first time. A record that is known by
//! its `event_id` is answered in the same way.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue, LOCATION};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use logmon_core::celery::TaskId;
use logmon_core::field::FieldErrors;
use logmon_core::tasks::KeyOrigin;
use logmon_store::db::ingest_keys;
use logmon_store::db::writer::{Answer, Key};
use serde::Deserialize;

use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::preference::Preference;
use crate::state::State;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// The longest key, in bytes.
const KEY_MAX: usize = 255;
/// How long a request that is to be stored at once waits for Redis.
const REDIS: Duration = Duration::from_millis(500);

/// Whether a request carries a key, be it right or wrong.
pub fn is_keyed(request: &HttpRequest) -> bool {
    request.headers().contains_key(IDEMPOTENCY_KEY)
}

/// The key that a request carries, with what it stands for: the SHA-256 of its body.
///
/// # Errors
/// When it is empty, too long, or not made of visible ASCII characters, or where there are several.
pub fn key_of(request: &HttpRequest, hash: [u8; 32], now: DateTime<Utc>) -> Result<Option<Key>, ApiError> {
    let mut values = request.headers().get_all(IDEMPOTENCY_KEY);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(FieldErrors::one("Idempotency-Key", "Expected one such header.").into());
    }
    let key = value.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > KEY_MAX || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let expected = format!("Expected 1 to {KEY_MAX} visible ASCII characters.");
        return Err(FieldErrors::one("Idempotency-Key", expected).into());
    }
    Ok(Some(Key { key: key.to_owned(), origin: KeyOrigin::Client, body_hash: hash, created_at: now }))
}

/// The answer that was given to the request with this key, if it was stored before.
///
/// # Errors
/// When the key was used for another body, or the database is away.
pub async fn replay(state: &State, key: &Key) -> Result<Option<HttpResponse>, ApiError> {
    let name = key.key.clone();
    let Some(stored) = state.database(move |conn| ingest_keys::find(conn, &name)).await? else { return Ok(None) };
    if stored.body_hash != key.body_hash {
        return Err(key_reused());
    }
    Ok(Some(respond_again(Answer { status: stored.status, body: stored.answer })))
}

/// Whether a batch was queued under this key. Without Redis nobody knows, and what is to be stored at once does not wait
/// for it: whoever comes second finds the key in the database.
///
/// # Errors
/// When the key was used for another body.
pub async fn is_queued(state: &State, key: &Key) -> Result<bool, ApiError> {
    if state.health.is_redis_away() {
        return Ok(false);
    }
    let name = key.key.clone();
    match tokio::time::timeout(REDIS, state.broker(move |broker| broker.queued_batch(&name))).await {
        Ok(Ok(Some(queued))) if queued.body_hash != key.body_hash => Err(key_reused()),
        Ok(Ok(found)) => Ok(found.is_some()),
        Ok(Err(_)) | Err(_) => Ok(false),
    }
}

/// What is known of an earlier request with the same key and body.
pub enum Known {
    /// Its logs are stored: it is answered as it was then.
    Answered(HttpResponse),
    /// Its logs are on the queue, or were: it is answered as it was then when it is to be queued again.
    Queued,
    /// Nothing.
    Unknown,
}

/// What is known of an earlier request with this key, by what a client wants to wait for.
///
/// # Errors
/// When the key was used for another body, or what knows it is away.
pub async fn asked_before(state: &State, key: &Key, answer: Preference) -> Result<Known, ApiError> {
    let (stored, queued) = match answer {
        Preference::Stored => tokio::join!(replay(state, key), is_queued(state, key)),
        // Without the database nobody knows what is stored; whoever stores the batch will. What is queued is found then.
        Preference::Queued if state.health.is_database_away() => (Ok(None), Ok(false)),
        Preference::Queued => match replay(state, key).await {
            Err(error) if error.code() == ErrorCode::Unavailable => (Ok(None), Ok(false)),
            stored => (stored, Ok(false)),
        },
    };
    match (stored, queued) {
        (Ok(Some(replayed)), _) => Ok(Known::Answered(replayed)),
        (Ok(None), queued) => Ok(if queued? { Known::Queued } else { Known::Unknown }),
        (Err(error), Ok(true)) if error.code() == ErrorCode::Unavailable => Ok(Known::Queued),
        (Err(error), Err(reused)) if error.code() == ErrorCode::Unavailable => Err(reused),
        (Err(error), _) => Err(error),
    }
}

/// The key stands for another body.
pub fn key_reused() -> ApiError {
    ApiError::detail(ErrorCode::KeyReused, "This Idempotency-Key was used for another body.")
}

/// An answer that was given before.
pub fn respond_again(answer: Answer) -> HttpResponse {
    let mut response = respond(answer);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// An answer that was made to be kept.
pub fn respond(answer: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    if status == StatusCode::ACCEPTED
        && let Ok(Queued { task_id }) = serde_json::from_str(&answer.body)
    {
        response.insert_header((LOCATION, format!("/api/tasks/{task_id}/")));
        response.insert_header((PREFERENCE_APPLIED, "respond-async"));
    }
    response.content_type("application/json").body(answer.body)
}

/// What the body of a 202 says of where the result will be.
#[derive(Deserialize)]
struct Queued {
    task_id: TaskId,
}
