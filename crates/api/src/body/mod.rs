//! A request's body as DRF's parsers take it: JSON, a form, or a multipart form.

mod decode;
mod form;
mod media;
mod multipart;
mod read;

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_ENCODING;
use actix_web::web::{Bytes, Payload};
use logmon_core::field::{FieldErrors, Fields};
use logmon_core::python::{Entries, Kind};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::state::State;
use decode::Coding;
use media::{ContentType, Media};

/// A body that was read and whose form is known.
#[derive(Debug)]
pub enum Body {
    /// JSON text, not parsed yet.
    Json(JsonText),
    /// JSON texts, one a line, not parsed yet.
    Lines(Bytes),
    /// The fields of a form, or none for an empty body.
    Fields(Fields<'static>),
}

/// A body that was read and decompressed, and not looked at yet.
#[derive(Debug)]
pub struct RawBody(Bytes);

impl RawBody {
    /// Reads the body of `request`, at most [`State::body_limit`] bytes of it, compressed and not.
    ///
    /// # Errors
    /// When it is too large, too slow, or not readable.
    pub async fn read(request: &HttpRequest, payload: Payload, state: &State) -> Result<Self, ApiError> {
        let limit = state.body_limit;
        let coding = request.headers().get(CONTENT_ENCODING).and_then(|value| value.to_str().ok());
        let coding = coding.map(Coding::from_header).transpose()?.flatten();
        let bytes = read::all(request, payload, limit).await?;
        match coding {
            Some(coding) if !bytes.is_empty() => Ok(Self(decode::decode(coding, bytes, limit).await?)),
            Some(_) | None => Ok(Self(bytes)),
        }
    }

    /// The SHA-256 of the body.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

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
            Some(Media::Json) => Ok(Body::Json(content_type.decode_json(bytes)?)),
            Some(Media::Ndjson) => Ok(Body::Lines(bytes)),
            Some(Media::Form) => Ok(Body::Fields(form::parse(&bytes, content_type.charset())?)),
            Some(Media::Multipart) => Ok(Body::Fields(multipart::parse(request, &content_type, bytes).await?)),
            None => Err(ApiError::detail(
                ErrorCode::UnsupportedMediaType,
                format!("Unsupported media type \"{}\" in request.", content_type.text()),
            )),
        }
    }
}

/// JSON text in UTF-8.
#[derive(Debug)]
pub enum JsonText {
    /// As it arrived.
    Raw(Bytes),
    /// Converted from the charset that the client named.
    Converted(String),
}

/// What a JSON body holds.
#[derive(Debug)]
pub enum Input<'a> {
    /// One record.
    Record(Fields<'a>),
    /// Many records, not looked at yet.
    Batch(Vec<RawRecord<'a>>),
}

/// A record of a batch, not looked at yet.
#[derive(Debug, Clone, Copy)]
pub enum RawRecord<'a> {
    /// An item of a JSON list.
    Item(&'a RawValue),
    /// A line of an NDJSON body, which may be anything.
    Line(&'a [u8]),
}

impl Body {
    /// Reads the body of `request`, at most [`State::body_limit`] bytes of it, compressed and not.
    ///
    /// # Errors
    /// When it is too large, too slow, in a form that is not taken, or not readable in it.
    pub async fn read(request: &HttpRequest, payload: Payload, state: &State) -> Result<Self, ApiError> {
        RawBody::read(request, payload, state).await?.parse(request).await
    }

    /// What the body holds.
    ///
    /// # Errors
    /// When it is not JSON, or neither an object nor a list.
    pub fn input(&self) -> Result<Input<'_>, ApiError> {
        match self {
            Self::Json(json) => parse_json(json.as_bytes()),
            Self::Lines(bytes) => Ok(Input::Batch(lines(bytes).map(RawRecord::Line).collect())),
            // Cloning borrows: a form's texts are shared, not copied.
            Self::Fields(fields) => Ok(Input::Record(fields.share())),
        }
    }

    /// The fields of a body that holds one record.
    ///
    /// # Errors
    /// As [`Body::input`]; also for a list.
    pub fn fields(&self) -> Result<Fields<'_>, ApiError> {
        match self.input()? {
            Input::Record(fields) => Ok(fields),
            Input::Batch(_) => Err(not_a_dictionary(Kind::List).into()),
        }
    }
}

impl JsonText {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Raw(bytes) => bytes,
            Self::Converted(text) => text.as_bytes(),
        }
    }
}

fn parse_json(bytes: &[u8]) -> Result<Input<'_>, ApiError> {
    let malformed = |e: serde_json::Error| ApiError::detail(ErrorCode::Malformed, format!("JSON parse error - {e}"));
    let raw: &RawValue = serde_json::from_slice(bytes).map_err(malformed)?;
    match Kind::of(raw) {
        Kind::Dict => Ok(Input::Record(fields_of(raw).map_err(malformed)?)),
        Kind::List => {
            let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(malformed)?;
            Ok(Input::Batch(items.into_iter().map(RawRecord::Item).collect()))
        }
        Kind::Null => Err(FieldErrors::non_field("No data provided").into()),
        kind @ (Kind::Bool | Kind::Int | Kind::Float | Kind::Str) => Err(not_a_dictionary(kind).into()),
    }
}

fn fields_of(raw: &RawValue) -> Result<Fields<'_>, serde_json::Error> {
    serde_json::from_str::<Entries<'_>>(raw.get()).map(Into::into)
}

impl<'a> RawRecord<'a> {
    /// The record's fields.
    ///
    /// # Errors
    /// What is wrong with a record that is no object.
    pub fn fields(self) -> Result<Fields<'a>, FieldErrors> {
        let malformed = |e: serde_json::Error| FieldErrors::non_field(format!("JSON parse error - {e}"));
        let raw = match self {
            Self::Item(raw) => raw,
            Self::Line(line) => serde_json::from_slice(line).map_err(malformed)?,
        };
        match Kind::of(raw) {
            Kind::Dict => fields_of(raw).map_err(malformed),
            kind => Err(not_a_dictionary(kind)),
        }
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

fn too_large(limit: usize) -> ApiError {
    ApiError::detail(ErrorCode::TooLarge, format!("The body of the request is larger than {limit} bytes."))
}

fn not_a_dictionary(kind: Kind) -> FieldErrors {
    FieldErrors::non_field(format!("Invalid data. Expected a dictionary, but got {}.", kind.type_name()))
}
