//! The evaluation of every rule whose window has ended.

use super::{NoInput, Task};

/// Evaluates the windows that have ended since the last time, and those that logs came late for. Returns how many alerts it
/// raised.
pub struct EvaluateRules;

impl Task for EvaluateRules {
    const NAME: &'static str = "log_monitor_system.apps.core.tasks.evaluate_rules";
    const PARAMETERS: &'static [&'static str] = &[];
    type Input = NoInput;
    type Output = u64;
}
