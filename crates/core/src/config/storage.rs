//! How long logs are kept.

use std::time::Duration;

use clap::Args;

use super::values;

/// What is kept.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Storage")]
pub struct StorageSettings {
    /// How long logs are kept; whole days are dropped
    #[arg(long, env = "RETENTION", default_value = "30d", value_parser = retention)]
    pub retention: Duration,
}

// A shorter time would drop the logs that the check and the summary of yesterday are made from.
fn retention(text: &str) -> Result<Duration, String> {
    let expected = || "a time such as 30d, from two days to ten years, is expected".to_owned();
    values::duration(text).ok().filter(|time| *time >= Duration::from_secs(2 * 24 * 3_600)).ok_or_else(expected)
}
