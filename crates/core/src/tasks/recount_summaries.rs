//! The daily summaries of several days, counted again.

use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::Task;
use crate::celery::Limits;

/// Counts each app's logs of every day from `since` to `until` again, both included, and replaces the summaries. A day whose logs
/// are no longer kept in whole stays as it is.
pub struct RecountSummaries;

/// Which days.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecountInput {
    /// The first day.
    pub since: NaiveDate,
    /// The last day.
    pub until: NaiveDate,
}

/// What became of the days.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recounted {
    /// How many were counted again.
    pub recounted: u32,
    /// How many stay as they are, for their logs are no longer kept.
    pub not_kept: u32,
}

impl Task for RecountSummaries {
    const NAME: &'static str = "log_monitor_system.apps.core.tasks.recount_summaries";
    const PARAMETERS: &'static [&'static str] = &["since", "until"];
    const TIME_LIMITS: Limits = Limits::of(Duration::from_hours(1), Duration::from_hours(2));
    type Input = RecountInput;
    type Output = Recounted;
}
