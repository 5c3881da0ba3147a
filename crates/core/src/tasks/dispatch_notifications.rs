//! What waits in the outbox is given to those who send it, and alerts that go on unheeded are told again.

use std::time::Duration;

use super::{NoInput, Task};
use crate::celery::Limits;

/// Tells the alerts again that a channel has said nothing of for as long as it states, and calls `send_notifications` for each
/// channel that has something to tell. Returns for how many.
pub struct DispatchNotifications;

impl Task for DispatchNotifications {
    const NAME: &'static str = "log_monitor_system.apps.core.tasks.dispatch_notifications";
    const PARAMETERS: &'static [&'static str] = &[];
    const TIME_LIMITS: Limits = Limits::of(Duration::from_mins(5), Duration::from_mins(10));
    type Input = NoInput;
    type Output = u64;
}
