//! `/api/logs/`: a log as clients see it; each of the calls has a file.

mod create;
pub mod document;
mod export;
mod histogram;
mod last;
mod list;
mod show;
mod tail;

// What `utoipa::path` makes beside a handler goes with it.
pub use create::{__path_create, create};
pub use export::{__path_export, export};
pub use histogram::{__path_histogram, histogram};
pub use last::{__path_last, last};
pub use list::{__path_list, list};
pub use show::{__path_context, __path_show, context, show};
pub use tail::{__path_tail, tail};

use std::time::Duration;

use chrono::{DateTime, Utc};
use logmon_core::app::AppId;
use logmon_core::log::{Attributes, Extra, Log, LogId, SpanId, TraceId};
use logmon_core::page::Cursor;
use serde::Serialize;
use utoipa::ToSchema;

use super::{rfc3339, rfc3339_or_none};

/// How long the database looks for logs at most.
const DEADLINE: Duration = Duration::from_millis(1_700);

/// What OPTIONS says of a POST, as DRF does.
pub const ACTIONS: &str = include_str!("actions.json");

/// A log; of what it may also carry, what it does.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Log)]
pub struct LogView {
    #[schema(value_type = i64)]
    id: LogId,
    /// INFO, WARN or ERROR; of another program's logs, what that wrote.
    #[schema(example = "ERROR")]
    level: String,
    #[schema(example = "disk full")]
    message: String,
    /// When it happened, where its sender said so, else when it arrived.
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
    #[schema(value_type = i64)]
    app: AppId,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false)]
    attributes: Option<Attributes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    trace_id: Option<TraceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    span_id: Option<SpanId>,
    /// When it arrived, where that is not `created_at`.
    #[serde(serialize_with = "rfc3339_or_none", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = DateTime<Utc>, required = false)]
    received_at: Option<DateTime<Utc>>,
    /// Its own time was too far away: `created_at` is the nearest that is taken.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    timestamp_clamped: bool,
}

impl From<Log> for LogView {
    fn from(log: Log) -> Self {
        let Log { id, app, level, message, created_at, extra } = log;
        let Extra { attributes, trace_id, span_id, received_at, timestamp_clamped } = extra;
        Self { id, level, message, created_at, app, attributes, trace_id, span_id, received_at, timestamp_clamped }
    }
}

/// A log's place in a list.
fn place(log: &Log) -> Cursor {
    Cursor { created_at: log.created_at, id: log.id.0 }
}
