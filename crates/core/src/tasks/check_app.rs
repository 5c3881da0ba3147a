//! The check of one rule for one app as of now.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Task;
use crate::alert::RuleId;
use crate::app::AppId;
use crate::celery::Limits;

/// The queue of such checks: one that a flood of other tasks does not delay, and that no other kind of worker serves, for it
/// would throw away what it does not know.
pub const CHECK_QUEUE: &str = "check";

/// Evaluates the time up to now of a rule for an app, as soon as it has passed the rule's threshold. Returns how many alerts it
/// raised.
pub struct CheckApp;

/// Of what.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct CheckedApp {
    /// The app's id.
    pub app: AppId,
    /// The rule's id.
    pub rule: RuleId,
}

impl Task for CheckApp {
    const NAME: &'static str = "log_monitor_system.apps.core.tasks.check_app";
    const QUEUE: &'static str = CHECK_QUEUE;
    const PARAMETERS: &'static [&'static str] = &["app", "rule"];
    const TIME_LIMITS: Limits = Limits::of(Duration::from_secs(30), Duration::from_secs(60));
    type Input = CheckedApp;
    type Output = u64;
}
