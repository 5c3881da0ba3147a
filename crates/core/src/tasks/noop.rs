//! The smallest task: for smoke tests and for measuring the queue alone.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Task;

/// Returns its argument.
pub struct Noop;

/// The argument.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NoopInput {
    /// Any JSON value; it comes back as it went in.
    pub value: Box<RawValue>,
}

impl Task for Noop {
    const NAME: &'static str = "log_monitor_system.apps.core.tasks.noop";
    const PARAMETERS: &'static [&'static str] = &["value"];
    type Input = NoopInput;
    type Output = Box<RawValue>;
}
