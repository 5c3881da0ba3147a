//! How a worker is known to those who watch and steer workers.

use clap::Args;

use super::values;

/// Events and remote control.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Events and remote control")]
pub struct RemoteSettings {
    /// What the worker is called; %h is the host, %n its first label, %d the rest of it
    #[arg(short = 'n', long, env = "NODE_NAME", default_value = "logmon@%h", value_parser = values::node_name)]
    pub hostname: String,

    /// Publish what happens to every task from the start on, for Flower and celery events
    #[arg(
        short = 'E', long, env = "TASK_EVENTS", default_value = "false", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = values::yes_or_no
    )]
    pub task_events: bool,
}
