//! The handlers, one file a noun; what each answers with stands beside it.

pub mod alerts;
pub mod apps;
pub mod backtest;
pub mod channels;
pub mod dead_letters;
pub mod deliveries;
pub mod docs;
pub mod health;
pub mod logs;
pub mod previews;
pub mod queues;
pub mod reports;
pub mod root;
pub mod rules;
pub mod schedules;
pub mod silences;
pub mod subscribers;
pub mod summaries;
pub mod tasks;
pub mod workers;

use chrono::{DateTime, SecondsFormat, Utc};
use logmon_core::python::{self, Int};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::error::ApiError;

/// From a moment on, before a moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Range)]
pub struct RangeView {
    #[serde(serialize_with = "rfc3339")]
    since: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339")]
    until: DateTime<Utc>,
}

/// A time as DRF writes it: RFC 3339 in UTC with microseconds and `Z`.
fn rfc3339<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// The same where there may be none.
fn rfc3339_or_none<S: Serializer>(time: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => rfc3339(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// The id in a path, as Django reads it. `model` is the name of its model.
fn row_id(text: &str, model: &str) -> Result<i64, ApiError> {
    match python::int(text) {
        Some(Int::Small(id)) => Ok(id),
        Some(Int::Big) => Err(ApiError::no_such(model)),
        None => Err(ApiError::not_found()),
    }
}
