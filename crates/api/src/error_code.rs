//! Every kind of error that the API answers with: one table from code to HTTP status.

use actix_web::http::StatusCode;

/// What went wrong, as far as a client can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// A field or parameter is wrong.
    Invalid,
    /// The body cannot be read as its Content-Type says.
    Malformed,
    /// There is no such thing, or no such path.
    NotFound,
    /// The path exists, but not with this method.
    MethodNotAllowed,
    /// What is asked for does not go with the state of the thing.
    Conflict,
    /// It is not as `If-Match` says any more.
    PreconditionFailed,
    /// The client takes no JSON.
    NotAcceptable,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body is larger than `BODY_LIMIT`, or a record larger than what the database takes at once.
    TooLarge,
    /// A body in this form is not taken.
    UnsupportedMediaType,
    /// Not one record of a batch can be stored.
    NothingUsable,
    /// The Idempotency-Key was used for another body.
    KeyReused,
    /// A channel may not reach this address.
    TargetForbidden,
    /// Too many of these run already: the same request may succeed in a moment.
    TooMany,
    /// The database was not done with it in time.
    TooSlow,
    /// A defect of ours.
    Internal,
    /// The database or Redis is away: the same request may succeed in a moment.
    Unavailable,
}

impl ErrorCode {
    /// The HTTP status that it is answered with.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Invalid | Self::Malformed => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NothingUsable | Self::KeyReused | Self::TargetForbidden => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable | Self::TooSlow => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
