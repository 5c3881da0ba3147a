//! The check of every app's errors against the rule.

use std::time::Duration;

use super::{NoInput, Task};
use crate::celery::Limits;

/// Raises an alert for each app whose errors pass the rule's threshold within its window and which has no open alert.
/// Returns how many it raised.
pub struct CheckErrorLogs;

impl Task for CheckErrorLogs {
    const NAME: &'static str = "log_monitor_system.apps.core.tasks.check_error_logs";
    const PARAMETERS: &'static [&'static str] = &[];
    const TIME_LIMITS: Limits = Limits::of(Duration::from_mins(5), Duration::from_mins(10));
    type Input = NoInput;
    type Output = u64;
}
