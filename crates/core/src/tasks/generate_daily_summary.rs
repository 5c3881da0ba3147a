//! The daily summary of every app.

use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::Task;
use crate::celery::Limits;

/// Counts each app's logs of a day by level and replaces the day's summaries. Returns nothing, as the original.
pub struct GenerateDailySummary;

/// Which day.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SummaryInput {
    /// The day; without one it is yesterday in `TIME_ZONE`, by the time at which the task runs.
    #[serde(default)]
    pub date: Option<NaiveDate>,
}

impl Task for GenerateDailySummary {
    const NAME: &'static str = "log_monitor_system.apps.core.tasks.generate_daily_summary";
    const PARAMETERS: &'static [&'static str] = &["date"];
    const TIME_LIMITS: Limits = Limits::of(Duration::from_hours(1), Duration::from_hours(2));
    type Input = SummaryInput;
    type Output = ();
}
