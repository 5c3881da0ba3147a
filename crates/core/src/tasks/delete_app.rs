//! The removal of an app with everything that is kept of it.

use serde::{Deserialize, Serialize};

use super::Task;
use crate::app::AppId;

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
    type Input = DeletedApp;
    type Output = u64;
}
