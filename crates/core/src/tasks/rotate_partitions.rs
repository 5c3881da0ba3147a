//! The days of the logs: those to come are made, those that are older than is kept are dropped.

use std::time::Duration;

use serde::Serialize;

use super::{NoInput, Task};
use crate::celery::Limits;

/// Makes the partitions of the coming days and drops those older than `RETENTION`, and forgets what is of no use any more.
/// Returns how many partitions of each.
pub struct RotatePartitions;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// How many days were made.
    pub made: usize,
    /// How many days were dropped.
    pub dropped: usize,
}

impl Task for RotatePartitions {
    const NAME: &'static str = "log_monitor_system.apps.core.tasks.rotate_partitions";
    const PARAMETERS: &'static [&'static str] = &[];
    const TIME_LIMITS: Limits = Limits::of(Duration::from_hours(1), Duration::from_hours(2));
    type Input = NoInput;
    type Output = Rotated;
}
