//! The daily reports.

use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::Task;
use crate::celery::Limits;

/// Makes each subscriber's report of a day that has been summed up, and a further revision of those whose days have changed since.
/// Returns how many reports it made.
pub struct MakeReports;

/// Which day.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ReportInput {
    /// The day that is over; without one only days that were reported are looked at.
    #[serde(default)]
    pub date: Option<NaiveDate>,
}

impl Task for MakeReports {
    const NAME: &'static str = "log_monitor_system.apps.core.tasks.make_reports";
    const PARAMETERS: &'static [&'static str] = &["date"];
    const TIME_LIMITS: Limits = Limits::of(Duration::from_hours(1), Duration::from_hours(2));
    type Input = ReportInput;
    type Output = u64;
}
