//! What a channel has to tell is told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Task;
use crate::celery::Limits;
use crate::notification::ChannelId;

/// Tells what a channel has to tell now, as often as it may be used. Returns how many messages its receiver took.
///
/// A message that is not taken is tried again later by the outbox, not by the task.
pub struct SendNotifications;

/// Which channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChannelInput {
    /// Its id.
    pub channel: ChannelId,
}

impl Task for SendNotifications {
    const NAME: &'static str = "log_monitor_system.apps.core.tasks.send_notifications";
    const PARAMETERS: &'static [&'static str] = &["channel"];
    const TIME_LIMITS: Limits = Limits::of(Duration::from_mins(2), Duration::from_mins(4));
    type Input = ChannelInput;
    type Output = u64;
}
