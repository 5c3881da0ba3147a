//! Every request has an id, which its answer carries and under which the cause of an error is found in the log.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use log::Level;
use uuid::Uuid;

use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::state::State;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request an id, or takes the client's when it is a short plain one, and logs the cause of a hidden error.
///
/// # Errors
/// Those of the service within.
pub async fn identify(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let theirs = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| is_plain(id));
    let start = Instant::now();
    let id = theirs.map_or_else(|| Uuid::now_v7().to_string(), ToOwned::to_owned);
    let mut response = next.call(request).await?.map_into_boxed_body();
    let hidden = response.response().error().and_then(|error| error.as_error::<ApiError>());
    if let Some((error, cause)) = hidden.and_then(|error| Some((error, error.cause()?))) {
        let (method, path) = (response.request().method(), response.request().path());
        if error.code() == ErrorCode::Internal || is_first_this_second() {
            let level = if error.code() == ErrorCode::TooSlow { Level::Warn } else { Level::Error };
            log::log!(level, request_id = id.as_str(), method = method.as_str(), path; "{error}: {cause}");
        }
        let answer = error.response(&id);
        response = response.into_response(answer);
    }
    let request = response.request();
    if let Some(state) = request.app_data::<Data<State>>() {
        state.metrics.answered(request.path(), request.method(), response.status(), start.elapsed());
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    Ok(response)
}

// While the database is away every request fails for the same reason: a line a second says so.
fn is_first_this_second() -> bool {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = START.elapsed().as_secs();
    NEXT.fetch_max(now + 1, Ordering::Relaxed) <= now
}

fn is_plain(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}
