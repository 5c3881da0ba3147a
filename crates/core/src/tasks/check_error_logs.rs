//! The check of every rule as of now.

use std::time::Duration;

use super::{NoInput, Task};
use crate::celery::Limits;

/// Evaluates every rule: the windows that have ended, and the time up to now, so that logs of which there are too many are noticed
/// before their window has ended. Returns how many alerts it raised.
pub struct CheckErrorLogs;

impl Task for CheckErrorLogs {
    const NAME: &'static str = "log_monitor_system.apps.core.tasks.check_error_logs";
    const PARAMETERS: &'static [&'static str] = &[];
    const TIME_LIMITS: Limits = Limits::of(Duration::from_mins(5), Duration::from_mins(10));
    type Input = NoInput;
    type Output = u64;
}
