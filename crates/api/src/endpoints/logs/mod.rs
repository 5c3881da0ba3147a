//! `/api/logs/`: a log as clients see it; taking them in, listing, counting and following them have a file each.

mod create;
mod histogram;
mod list;
mod tail;

pub use create::create;
pub use histogram::histogram;
pub use list::list;
pub use tail::tail;

use chrono::{DateTime, Utc};
use logmon_core::app::AppId;
use logmon_core::log::{Attributes, Extra, Log, LogId, SpanId, TraceId};
use serde::Serialize;

use super::{rfc3339, rfc3339_or_none};

/// What OPTIONS says of a POST, as DRF does.
pub const ACTIONS: &str = include_str!("actions.json");

/// A log; of what it may also carry, what it does.
#[derive(Debug, Serialize)]
pub struct LogView {
    id: LogId,
    level: String,
    message: String,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
    app: AppId,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<Attributes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<TraceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<SpanId>,
    /// When it arrived, where that is not `created_at`.
    #[serde(serialize_with = "rfc3339_or_none", skip_serializing_if = "Option::is_none")]
    received_at: Option<DateTime<Utc>>,
    /// Its own time was too far away: `created_at` is the nearest that is taken.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    timestamp_clamped: bool,
}

impl From<Log> for LogView {
    fn from(log: Log) -> Self {
        let Log { id, app, level, message, created_at, extra } = log;
        let Extra { attributes, trace_id, span_id, received_at, timestamp_clamped } = extra;
        Self { id, level, message, created_at, app, attributes, trace_id, span_id, received_at, timestamp_clamped }
    }
}
