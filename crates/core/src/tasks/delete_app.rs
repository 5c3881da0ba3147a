//! The removal of an app with everything that is kept of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Task;
use crate::app::AppId;
use crate::celery::Limits;

/// Deletes an app's logs, alerts and summaries, then the app. Returns how many logs went.
pub struct DeleteApp;

/// Which app.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeletedApp {
    /// Its id.
    pub app: AppId,
}

impl Task for DeleteApp {
    const NAME: &'static str = "log_monitor_system.apps.core.tasks.delete_app";
    const PARAMETERS: &'static [&'static str] = &["app"];
    const TIME_LIMITS: Limits = Limits::of(Duration::from_hours(6), Duration::from_hours(7));
    type Input = DeletedApp;
    type Output = u64;
}
