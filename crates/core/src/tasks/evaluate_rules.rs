//! The evaluation of every rule whose window has ended.

use std::time::Duration;

use super::{NoInput, Task};
use crate::celery::Limits;

/// Evaluates the windows that have ended since the last time, and those that logs came late for. Returns how many alerts it
/// raised.
pub struct EvaluateRules;

impl Task for EvaluateRules {
    const NAME: &'static str = "log_monitor_system.apps.core.tasks.evaluate_rules";
    const PARAMETERS: &'static [&'static str] = &[];
    const TIME_LIMITS: Limits = Limits::of(Duration::from_mins(5), Duration::from_mins(10));
    type Input = NoInput;
    type Output = u64;
}
