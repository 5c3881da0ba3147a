//! The daily summaries of days whose logs came late.

use std::time::Duration;

use super::{NoInput, Task};
use crate::celery::Limits;

/// Counts those days of each app again of which there are more logs than their summaries say, as far back as logs are kept.
/// Returns how many summaries it replaced.
pub struct RenewSummaries;

impl Task for RenewSummaries {
    const NAME: &'static str = "log_monitor_system.apps.core.tasks.renew_summaries";
    const PARAMETERS: &'static [&'static str] = &[];
    const TIME_LIMITS: Limits = Limits::of(Duration::from_hours(1), Duration::from_hours(2));
    type Input = NoInput;
    type Output = u64;
}
