//! Takes in the decoded bytes of a body as they come: a batch is cut into records that are checked at once, so that neither
//! its text nor its raw records are ever held; any other body is gathered.

use std::ops::ControlFlow;

use logmon_core::field::FieldErrors;
use logmon_core::log::Draft;
use logmon_core::python::Kind;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::convert::Converter;
use super::items::{ArrayItems, Lines, Position};
use super::media::{ContentType, Media};
use super::{Content, Incoming, RawBody, fields_of, not_a_dictionary, too_large};
use crate::error::ApiError;
use crate::error_code::ErrorCode;

/// How many records a batch may have: what is said of each that is wrong takes more room than the record itself.
const RECORDS_MAX: usize = 10_000;

/// A record of a batch that was looked at, or what is wrong with one that is no object.
pub type Checked = Result<Draft, FieldErrors>;

/// Takes in one body.
#[derive(Debug)]
pub(super) struct Intake {
    limit: usize,
    size: usize,
    hasher: Option<Sha256>,
    converter: Option<Converter>,
    text: Text,
}

impl Intake {
    /// Gathers a body of at most `limit` bytes, whatever it holds.
    pub(super) fn whole(content_type: &ContentType, limit: usize) -> Self {
        let media = content_type.media();
        let is_json = matches!(media, Some(Media::Json | Media::Ndjson));
        let converter = is_json.then(|| Converter::from(content_type.charset())).flatten();
        Self { limit, size: 0, hasher: None, converter, text: Text::Whole(Vec::new()) }
    }

    /// Takes batches record by record, and gathers anything else. With a `hasher` the body's SHA-256 is made.
    pub(super) fn batches(content_type: &ContentType, limit: usize, hasher: Option<Sha256>) -> Self {
        let text = match content_type.media() {
            Some(Media::Json) => Text::Json(Vec::new()),
            Some(Media::Ndjson) => Text::Lines(Lines::default(), Records::default()),
            Some(Media::Form | Media::Multipart) | None => Text::Whole(Vec::new()),
        };
        Self { hasher, text, ..Self::whole(content_type, limit) }
    }

    /// Takes the next bytes. What is wrong with them is said in the end, for the client has to be heard out; but they are
    /// not looked at any more.
    ///
    /// # Errors
    /// When the body is larger than its limit.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), ApiError> {
        self.size += bytes.len();
        if self.size > self.limit {
            return Err(too_large(self.limit));
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        if !self.is_refused() {
            let taken = match &mut self.converter {
                None => self.text.push(bytes),
                Some(converter) => converter.convert(bytes).and_then(|text| self.text.push(text.as_bytes())),
            };
            if let Err(error) = taken {
                self.text = Text::Refused(error);
            }
        }
        Ok(())
    }

    /// How many bytes have come.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Whether the rest does not matter any more.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self.text, Text::Refused(_))
    }

    /// Says that the body is at its end.
    ///
    /// # Errors
    /// What is wrong with it as a whole.
    pub(super) fn finish(mut self) -> Result<Incoming, ApiError> {
        if !self.is_refused()
            && let Some(converter) = &mut self.converter
        {
            self.text.push(converter.finish()?.as_bytes())?;
        }
        let hash = self.hasher.map_or([0; 32], |hasher| hasher.finalize().into());
        Ok(Incoming { hash, content: self.text.finish()? })
    }
}

/// The text of a body, as far as it has come.
#[derive(Debug)]
enum Text {
    /// Gathered.
    Whole(Vec<u8>),
    /// JSON that has not begun yet: so much white space.
    Json(Vec<u8>),
    /// An array: its records.
    Array(ArrayItems, Records),
    /// Lines: their records.
    Lines(Lines, Records),
    /// It cannot be taken.
    Refused(ApiError),
}

impl Text {
    fn push(&mut self, bytes: &[u8]) -> Result<(), ApiError> {
        match self {
            Self::Whole(text) => text.extend_from_slice(bytes),
            Self::Json(space) => match bytes.iter().position(|byte| !matches!(byte, b' ' | b'\n' | b'\t' | b'\r')) {
                Some(at) if bytes.get(at) == Some(&b'[') => {
                    let (before, rest) = bytes.split_at(at + 1);
                    let begin = Position::START.after(space).after(before);
                    *self = Self::Array(ArrayItems::new(begin), Records::default());
                    return self.push(rest);
                }
                found => {
                    space.extend_from_slice(bytes);
                    if found.is_some() {
                        *self = Self::Whole(std::mem::take(space));
                    }
                }
            },
            Self::Array(items, records) => {
                let step = items.push(bytes, &mut |item| records.add(check(item))).map_err(|e| malformed(&e))?;
                return within_bounds(step);
            }
            Self::Lines(lines, records) => {
                return within_bounds(lines.push(bytes, &mut |line| records.add(check_line(line))));
            }
            Self::Refused(_) => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Content, ApiError> {
        match self {
            Self::Whole(text) | Self::Json(text) => Ok(Content::Whole(RawBody(text))),
            Self::Array(items, records) => {
                items.finish().map_err(|e| malformed(&e))?;
                Ok(Content::Batch(records.0))
            }
            Self::Lines(lines, mut records) => {
                within_bounds(lines.finish(&mut |line| records.add(check_line(line))))?;
                Ok(Content::Batch(records.0))
            }
            Self::Refused(error) => Err(error),
        }
    }
}

/// The records of a batch.
#[derive(Debug, Default)]
struct Records(Vec<Checked>);

impl Records {
    /// Adds one, or stops where there are too many.
    fn add(&mut self, record: Checked) -> ControlFlow<()> {
        if self.0.len() == RECORDS_MAX {
            return ControlFlow::Break(());
        }
        self.0.push(record);
        ControlFlow::Continue(())
    }
}

fn within_bounds(step: ControlFlow<()>) -> Result<(), ApiError> {
    match step {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            let detail = format!("A batch of more than {RECORDS_MAX} records is not taken: send it in parts.");
            Err(ApiError::detail(ErrorCode::TooLarge, detail))
        }
    }
}

/// A syntax error in an array refuses all of it, as in DRF: what else it holds may not be what was meant.
fn malformed(reason: &str) -> ApiError {
    ApiError::detail(ErrorCode::Malformed, format!("JSON parse error - {reason}"))
}

fn check_line(line: &[u8]) -> Checked {
    serde_json::from_slice(line).map_err(|e| bad_record(&e)).and_then(check)
}

fn check(raw: &RawValue) -> Checked {
    match Kind::of(raw) {
        Kind::Dict => Ok(Draft::from_fields(&fields_of(raw).map_err(|e| bad_record(&e))?)),
        kind => Err(not_a_dictionary(kind)),
    }
}

fn bad_record(error: &serde_json::Error) -> FieldErrors {
    FieldErrors::non_field(format!("JSON parse error - {error}"))
}
