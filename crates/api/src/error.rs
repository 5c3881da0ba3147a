//! An error answer: DRF's bodies for what a client did, and nothing of the cause for what we did.

use std::fmt;

use actix_web::http::header::{ALLOW, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use logmon_core::field::FieldErrors;
use logmon_store::broker::BrokerError;
use logmon_store::db::DbError;
use serde::Serialize;
use serde_json::json;

use crate::error_code::ErrorCode;

/// How many seconds a client is asked to wait. OTLP's SDKs drop a batch at once when it is much longer.
const RETRY_AFTER_SECONDS: u32 = 1;

/// An error answer.
#[derive(Debug)]
pub struct ApiError {
    code: ErrorCode,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// `{"detail":"…"}`
    Detail(String),
    /// `{"field":["…"]}`
    Fields(FieldErrors),
    /// Anything else.
    Json(serde_json::Value),
    /// `{"detail":"Method \"X\" not allowed."}` with an `Allow` header.
    Method { detail: String, allow: &'static str },
    /// `{"detail":"…","request_id":"…"}`: the cause goes to the log only.
    Hidden { detail: &'static str, cause: String },
}

impl ApiError {
    /// An error with a sentence for the client.
    pub fn detail(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, body: Body::Detail(detail.into()) }
    }

    /// An error with a body of its own.
    pub fn json(code: ErrorCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_value(body).unwrap_or_default();
        Self { code, body: Body::Json(body) }
    }

    /// Fields that are wrong in another way than [`ErrorCode::Invalid`].
    pub fn fields(code: ErrorCode, errors: FieldErrors) -> Self {
        Self { code, body: Body::Fields(errors) }
    }

    /// No such thing, or no such path.
    pub fn not_found() -> Self {
        Self::detail(ErrorCode::NotFound, "Not found.")
    }

    /// No such row; `model` is the name of Django's model.
    pub fn no_such(model: &str) -> Self {
        Self::detail(ErrorCode::NotFound, format!("No {model} matches the given query."))
    }

    /// The path does not take this method.
    pub fn method_not_allowed(method: &str, allow: &'static str) -> Self {
        let detail = format!("Method \"{method}\" not allowed.");
        Self { code: ErrorCode::MethodNotAllowed, body: Body::Method { detail, allow } }
    }

    /// Too many of these run already.
    pub fn too_many(detail: impl Into<String>) -> Self {
        Self { code: ErrorCode::TooMany, body: Body::Detail(detail.into()) }
    }

    /// The database or Redis is away.
    pub fn unavailable(cause: impl Into<String>) -> Self {
        let detail = "Service temporarily unavailable, try again later.";
        Self { code: ErrorCode::Unavailable, body: Body::Hidden { detail, cause: cause.into() } }
    }

    /// A defect of ours.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self { code: ErrorCode::Internal, body: Body::Hidden { detail: "Internal server error.", cause: cause.into() } }
    }

    /// What went wrong.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// What the client must not see; `None` where the answer says it all.
    pub fn cause(&self) -> Option<&str> {
        match &self.body {
            Body::Hidden { cause, .. } => Some(cause),
            Body::Detail(_) | Body::Fields(_) | Body::Json(_) | Body::Method { .. } => None,
        }
    }

    /// The answer, with the request's id where the cause is hidden.
    pub fn response(&self, request_id: &str) -> HttpResponse {
        let mut response = HttpResponse::build(self.code.status());
        if matches!(self.code, ErrorCode::Unavailable | ErrorCode::TooMany | ErrorCode::TooSlow) {
            response.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS.to_string()));
        }
        match &self.body {
            Body::Detail(detail) => response.json(json!({ "detail": detail })),
            Body::Fields(fields) => response.json(fields),
            Body::Json(body) => response.json(body),
            Body::Method { detail, allow } => response.insert_header((ALLOW, *allow)).json(json!({ "detail": detail })),
            Body::Hidden { detail, .. } => response.json(json!({ "detail": detail, "request_id": request_id })),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.code)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> actix_web::http::StatusCode {
        self.code.status()
    }

    // The request's id is not known here: the middleware that knows it answers hidden causes anew.
    fn error_response(&self) -> HttpResponse {
        self.response("")
    }
}

impl From<FieldErrors> for ApiError {
    fn from(errors: FieldErrors) -> Self {
        Self { code: ErrorCode::Invalid, body: Body::Fields(errors) }
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(_) => Self::unavailable(error.to_string()),
            DbError::TooSlow => {
                let detail = "It took too long: narrow the range, name an app, or ask for fewer with limit.";
                Self { code: ErrorCode::TooSlow, body: Body::Hidden { detail, cause: error.to_string() } }
            }
            DbError::Query(_) => Self::internal(error.to_string()),
        }
    }
}

impl From<BrokerError> for ApiError {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::Unavailable(_) => Self::unavailable(error.to_string()),
            BrokerError::Refused(_) => Self::internal(error.to_string()),
        }
    }
}
