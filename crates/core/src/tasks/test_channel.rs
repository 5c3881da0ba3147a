//! A channel is tried out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Task;
use super::send_notifications::ChannelInput;
use crate::celery::Limits;

/// Sends a test message through a channel, at once and once only, and returns what its receiver said.
pub struct TestChannel;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// Whether the receiver took it.
    pub delivered: bool,
    /// Why not, in words.
    pub reason: Option<String>,
    /// The receiver's status, if it answered.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub duration_ms: u32,
    /// The first bytes of its answer.
    pub answer: String,
}

impl Task for TestChannel {
    const NAME: &'static str = "log_monitor_system.apps.core.tasks.test_channel";
    const PARAMETERS: &'static [&'static str] = &["channel"];
    const TIME_LIMITS: Limits = Limits::of(Duration::from_mins(2), Duration::from_mins(4));
    // Who asked has seen by then that it did not work.
    const MAX_RETRIES: u32 = 0;
    type Input = ChannelInput;
    type Output = Tested;
}
