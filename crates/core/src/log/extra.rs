//! What a record may carry beside the fields of the original.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Attributes;

/// The trace that a record belongs to, as its sender names it: trimmed, not blank, at most [`TraceId::MAX_CHARS`]
/// characters. OpenTelemetry's have 32.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TraceId(Box<str>);

impl TraceId {
    /// How many characters it may have.
    pub const MAX_CHARS: usize = 64;

    /// The id with this text, which was checked.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The span of the trace that a record belongs to: as [`TraceId`]. OpenTelemetry's have 16 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SpanId(Box<str>);

impl SpanId {
    /// How many characters it may have.
    pub const MAX_CHARS: usize = 64;

    /// The id with this text, which was checked.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a record carries beside the fields of the original. Most carry nothing of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Extra {
    /// What its sender knows of it beside the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
    /// The trace that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<TraceId>,
    /// The span that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<SpanId>,
    /// When it arrived, where that is not its own time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_at: Option<DateTime<Utc>>,
    /// Whether its own time was too far away, and was moved to the nearest that is taken.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub timestamp_clamped: bool,
}

impl Extra {
    /// About how many bytes it takes.
    pub fn size(&self) -> usize {
        let attributes = self.attributes.as_ref().map_or(0, |attributes| attributes.as_str().len());
        let trace_id = self.trace_id.as_ref().map_or(0, |id| id.as_str().len());
        let span_id = self.span_id.as_ref().map_or(0, |id| id.as_str().len());
        attributes + trace_id + span_id + size_of::<Self>()
    }
}
