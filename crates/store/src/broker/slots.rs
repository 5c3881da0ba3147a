//! Pushing the task of a slot of the schedule, once.

use std::time::Duration;

use chrono::{DateTime, Utc};
use logmon_core::celery::NewTask;

use super::{Broker, BrokerError, Push};

/// For how long Redis remembers that a slot's task was pushed: for longer than a beat stands still between being told to
/// push it and doing so.
const REMEMBERED: Duration = Duration::from_secs(24 * 3_600);

impl Broker {
    /// Pushes the task of a slot, once in effect, however many beats try and however often.
    ///
    /// # Errors
    /// See [`BrokerError`]. It may be called again.
    pub fn push_slot(&self, entry: &str, slot: DateTime<Utc>, task: &NewTask) -> Result<Push, BrokerError> {
        self.enqueue_once(&name(entry, slot), REMEMBERED, task)
    }

    /// Lets the tasks of these slots be pushed again: a clock that was ahead had them pushed before their time.
    ///
    /// # Errors
    /// See [`BrokerError`]. It may be called again.
    pub fn forget_slots(&self, slots: &[(String, DateTime<Utc>)]) -> Result<(), BrokerError> {
        let names: Vec<String> = slots.iter().map(|(entry, slot)| name(entry, *slot)).collect();
        self.once_for(&names, Duration::ZERO)
    }
}

fn name(entry: &str, slot: DateTime<Utc>) -> String {
    format!("slot:{entry}@{}", slot.timestamp_millis())
}
