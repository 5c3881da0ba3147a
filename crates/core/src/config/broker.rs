//! Where Redis is and how it is used.

use std::time::Duration;

use clap::Args;
use secrecy::SecretString;

use super::values;

/// Redis: queues, results and the schedule's memory.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Redis")]
pub struct BrokerSettings {
    /// Where Redis is: redis://:PASSWORD@HOST:6379/0
    #[arg(long, env = "REDIS_URL", hide_env_values = true, value_parser = values::redis_url)]
    pub redis_url: SecretString,

    /// What stands before every key in Redis, as Celery's global_keyprefix
    #[arg(long, env = "REDIS_KEY_PREFIX", default_value = "")]
    pub redis_key_prefix: String,

    /// How long a task's result is kept
    #[arg(long, env = "RESULT_EXPIRES", default_value = "1d", value_parser = values::duration)]
    pub result_expires: Duration,
}
