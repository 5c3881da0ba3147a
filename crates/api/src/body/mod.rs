//! A request's body as DRF's parsers take it: JSON, a form, or a multipart form; and batches, record by record.

mod convert;
mod decode;
mod form;
mod intake;
mod items;
mod media;
mod multipart;
mod read;

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_ENCODING;
use actix_web::web::Payload;
use logmon_core::field::{FieldErrors, Fields};
use logmon_core::python::{Entries, Kind};
use serde_json::value::RawValue;
use sha2::Sha256;

use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::state::State;
use decode::Coding;
pub use intake::Checked;
use intake::Intake;
use media::{ContentType, Media};

/// A body that may hold a batch.
#[derive(Debug)]
pub struct Incoming {
    /// The SHA-256 of the body, decompressed; zeros unless it was asked for.
    pub hash: [u8; 32],
    /// What it holds.
    pub content: Content,
}

/// What a body holds that may hold a batch.
#[derive(Debug)]
pub enum Content {
    /// A JSON array's items, or the lines of an NDJSON body: at most 10,000.
    Batch(Vec<Checked>),
    /// Anything else, not looked at yet.
    Whole(RawBody),
}

impl Incoming {
    /// Reads the body of `request`, at most [`State::body_limit`] bytes of it, compressed and not. A batch is checked while
    /// it is read.
    ///
    /// # Errors
    /// When it is too large, too slow, not readable, a batch of too many records, or an array that is no JSON.
    pub async fn read(
        request: &HttpRequest,
        payload: Payload,
        state: &State,
        hasher: Option<Sha256>,
    ) -> Result<Self, ApiError> {
        let intake = Intake::batches(&ContentType::of(request), state.body_limit, hasher);
        read(request, payload, state, intake).await
    }
}

async fn read(
    request: &HttpRequest,
    payload: Payload,
    state: &State,
    mut intake: Intake,
) -> Result<Incoming, ApiError> {
    let limit = state.body_limit;
    let coding = request.headers().get(CONTENT_ENCODING).and_then(|value| value.to_str().ok());
    let Some(coding) = coding.map(Coding::from_header).transpose()?.flatten() else {
        read::each(request, payload, limit, |bytes| intake.push(bytes)).await?;
        return intake.finish();
    };
    // Gathered first: a client that is slow must not hold one of the threads that decode.
    let mut compressed = Vec::new();
    let gather = |bytes: &[u8]| {
        compressed.extend_from_slice(bytes);
        Ok(())
    };
    read::each(request, payload, limit, gather).await?;
    if compressed.is_empty() { intake.finish() } else { decode::decode(coding, compressed, intake).await }
}

/// A body that was read and decompressed, JSON also converted to UTF-8, and not looked at yet.
#[derive(Debug)]
pub struct RawBody(Vec<u8>);

impl RawBody {
    /// Reads the body as its Content-Type says.
    ///
    /// # Errors
    /// When it is in a form that is not taken, or not readable in it.
    pub async fn parse(self, request: &HttpRequest) -> Result<Body, ApiError> {
        let Self(bytes) = self;
        if bytes.is_empty() {
            // DRF looks at the type of a body only when there is one.
            return Ok(Body::Fields(Fields::default()));
        }
        let content_type = ContentType::of(request);
        match content_type.media() {
            Some(Media::Json) => Ok(Body::Json(bytes)),
            Some(Media::Ndjson) => Err(not_a_dictionary(Kind::List).into()),
            Some(Media::Form) => Ok(Body::Fields(form::parse(&bytes, content_type.charset())?)),
            Some(Media::Multipart) => Ok(Body::Fields(multipart::parse(request, &content_type, bytes.into()).await?)),
            None => Err(ApiError::detail(
                ErrorCode::UnsupportedMediaType,
                format!("Unsupported media type \"{}\" in request.", content_type.text()),
            )),
        }
    }
}

/// A body with one record, whose form is known.
#[derive(Debug)]
pub enum Body {
    /// JSON text in UTF-8, not parsed yet.
    Json(Vec<u8>),
    /// The fields of a form, or none for an empty body.
    Fields(Fields<'static>),
}

impl Body {
    /// Reads the body of `request`, at most [`State::body_limit`] bytes of it, compressed and not.
    ///
    /// # Errors
    /// When it is too large, too slow, in a form that is not taken, or not readable in it.
    pub async fn read(request: &HttpRequest, payload: Payload, state: &State) -> Result<Self, ApiError> {
        let intake = Intake::whole(&ContentType::of(request), state.body_limit);
        match read(request, payload, state, intake).await?.content {
            Content::Whole(body) => body.parse(request).await,
            Content::Batch(_) => Err(not_a_dictionary(Kind::List).into()),
        }
    }

    /// The fields of the record.
    ///
    /// # Errors
    /// When it is not JSON, or no object.
    pub fn fields(&self) -> Result<Fields<'_>, ApiError> {
        match self {
            Self::Json(bytes) => parse_json(bytes),
            // Cloning borrows: a form's texts are shared, not copied.
            Self::Fields(fields) => Ok(fields.share()),
        }
    }
}

fn parse_json(bytes: &[u8]) -> Result<Fields<'_>, ApiError> {
    let malformed = |e: serde_json::Error| ApiError::detail(ErrorCode::Malformed, format!("JSON parse error - {e}"));
    let raw: &RawValue = serde_json::from_slice(bytes).map_err(malformed)?;
    match Kind::of(raw) {
        Kind::Dict => fields_of(raw).map_err(malformed),
        Kind::Null => Err(FieldErrors::non_field("No data provided").into()),
        kind => Err(not_a_dictionary(kind).into()),
    }
}

fn fields_of(raw: &RawValue) -> Result<Fields<'_>, serde_json::Error> {
    serde_json::from_str::<Entries<'_>>(raw.get()).map(Into::into)
}

fn too_large(limit: usize) -> ApiError {
    ApiError::detail(ErrorCode::TooLarge, format!("The body of the request is larger than {limit} bytes."))
}

fn not_a_dictionary(kind: Kind) -> FieldErrors {
    FieldErrors::non_field(format!("Invalid data. Expected a dictionary, but got {}.", kind.type_name()))
}
