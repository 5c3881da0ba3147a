//! The check of errors, and when the tasks of the schedule run.

use std::time::Duration;

use clap::Args;

use super::values;
use crate::alert::{self, Condition, Kind, WINDOWS};

/// When an app's errors are too many: what is set here is what the rule `error-logs` says.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Alerts")]
pub struct CheckSettings {
    /// How far back, in whole minutes, the rule error-logs counts an app's ERROR logs; 10m, or what /api/rules/ says, when empty
    #[arg(long, env = "CHECK_WINDOW", value_parser = window)]
    pub check_window: Option<Duration>,

    /// How many ERROR logs within the window are still no reason for an alert; 100, or what /api/rules/ says, when empty
    #[arg(long, env = "CHECK_THRESHOLD", value_parser = threshold)]
    pub check_threshold: Option<u64>,
}

impl CheckSettings {
    /// What the rule `error-logs` looks for: what is stored of it, but for what is set here.
    pub fn over(&self, stored: Condition) -> Condition {
        let kind = self.check_threshold.map_or(stored.kind, Kind::MoreThan);
        Condition { kind, window: self.check_window.unwrap_or(stored.window), ..stored }
    }
}

/// When the tasks of the schedule run.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Schedule")]
pub struct ScheduleSettings {
    /// How often the check for too many errors runs
    #[arg(long, env = "CHECK_INTERVAL", default_value = "10m", value_parser = values::duration)]
    pub check_interval: Duration,

    /// The hour of the day, in TIME_ZONE, at which yesterday's summaries are made
    #[arg(long, env = "SUMMARY_HOUR", default_value = "0", value_parser = hour)]
    pub summary_hour: u8,
}

fn window(text: &str) -> Result<Duration, String> {
    alert::minutes(text, &WINDOWS).map_err(|_wrong| {
        let (least, most) = (alert::short(*WINDOWS.start()), alert::short(*WINDOWS.end()));
        format!("a time in whole minutes such as 10m or 1h, from {least} to {most}, is expected")
    })
}

fn threshold(text: &str) -> Result<u64, String> {
    text.parse().ok().ok_or_else(|| "a number from 0 on is expected".to_owned())
}

fn hour(text: &str) -> Result<u8, String> {
    text.parse().ok().filter(|hour| *hour < 24).ok_or_else(|| "an hour from 0 to 23 is expected".to_owned())
}
