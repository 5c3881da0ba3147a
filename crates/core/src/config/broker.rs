//! Where Redis is and how it is used.

use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::values;

/// Redis: queues and results.
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

    /// Say of each task that it was put on a queue, for Flower and celery events, as Celery's task_send_sent_event
    #[arg(
        long, env = "TASK_SENT_EVENTS", default_value = "false", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = values::yes_or_no
    )]
    pub task_sent_events: bool,
}

/// Where Redis is, without what is secret about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerAddress {
    /// The machine, or the path of a socket.
    pub host: String,
    /// Its port, where it has one.
    pub port: Option<u16>,
    /// The database's number.
    pub database: String,
    /// Who asks for it.
    pub user: Option<String>,
}

impl BrokerSettings {
    /// Where Redis is, without what is secret about it.
    pub fn address(&self) -> BrokerAddress {
        // It was read as a URL before; one that is none says nothing.
        let url = Url::parse(self.redis_url.expose_secret()).ok();
        let url = url.as_ref();
        let host = url.and_then(Url::host_str);
        let path = url.map(|url| url.path().to_owned()).unwrap_or_default();
        let database = path.trim_start_matches('/');
        BrokerAddress {
            host: host.map_or_else(|| path.clone(), str::to_owned),
            port: host.and_then(|_| url.and_then(Url::port)).or(host.map(|_| 6379)),
            database: if host.is_none() || database.is_empty() { "0".to_owned() } else { database.to_owned() },
            user: url.map(|url| url.username().to_owned()).filter(|user| !user.is_empty()),
        }
    }
}

impl std::fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            Some(port) => write!(f, "redis://{}:{port}/{}", self.host, self.database),
            None => write!(f, "unix://{}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (url, expected) in [
            ("redis://app:hunter2@h:6380/3", "redis://h:6380/3"),
            ("redis://:hunter2@h", "redis://h:6379/0"),
            ("unix:///run/redis.sock?pass=hunter2", "unix:///run/redis.sock"),
        ] {
            let settings = BrokerSettings {
                redis_url: url.to_owned().into(),
                redis_key_prefix: String::new(),
                result_expires: Duration::from_secs(1),
                task_sent_events: false,
            };
            let address = settings.address();
            assert_eq!(address.to_string(), expected);
            assert_eq!(address.user, url.contains("app").then(|| "app".to_owned()));
            assert!(!format!("{address:?}").contains("hunter"));
        }
    }
}
