//! The check of every app's errors against the rule.

use super::{NoInput, Task};

/// Raises an alert for each app whose errors pass the rule's threshold within its window and which has no open alert.
/// Returns how many it raised.
pub struct CheckErrorLogs;

impl Task for CheckErrorLogs {
    const NAME: &'static str = "log_monitor_system.apps.core.tasks.check_error_logs";
    const PARAMETERS: &'static [&'static str] = &[];
    type Input = NoInput;
    type Output = u64;
}
