//! Whether Redis is set to keep what it has taken.

use std::time::Duration;

use super::{Broker, BrokerError};

/// How long after Redis did not answer it is asked again.
const AGAIN: Duration = Duration::from_secs(1);

impl Broker {
    /// Warns once, as soon as Redis answers, of each setting by which it loses what it has taken. Nobody waits for that, and
    /// it keeps nothing from its work; a Redis that does not say how it is set is taken as it is.
    pub fn warn_of_losses(&self) {
        let broker = self.clone();
        std::thread::spawn(move || {
            loop {
                match broker.losses() {
                    Ok(losses) => return losses.iter().for_each(|loss| log::warn!("{loss}")),
                    Err(BrokerError::Refused(error)) => {
                        return log::debug!("Redis does not say how it is set: {error}");
                    }
                    Err(_) => std::thread::sleep(AGAIN),
                }
            }
        });
    }

    /// What is wrong with how Redis is set, in words.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn losses(&self) -> Result<Vec<String>, BrokerError> {
        // A user who may not ask for the configuration may often ask for this.
        let (persistence, memory): (String, String) =
            self.with(|conn| redis::pipe().cmd("INFO").arg("persistence").cmd("INFO").arg("memory").query(conn))?;
        Ok(losses(&persistence, &memory))
    }
}

fn losses(persistence: &str, memory: &str) -> Vec<String> {
    let off = (value(persistence, "aof_enabled") == Some("0")).then(|| {
        "Redis is set to `appendonly no`: when it ends, it loses what it has taken since it was last saved, also what was \
         promised with 202"
            .to_owned()
    });
    let policy = value(memory, "maxmemory_policy").filter(|policy| *policy != "noeviction").map(|policy| {
        format!(
            "Redis is set to `maxmemory-policy {policy}` instead of noeviction: when it is full, it drops whole queues"
        )
    });
    off.into_iter().chain(policy).collect()
}

fn value<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_redis_says_counts() {
        let (durable, lasting) =
            ("# Persistence\r\naof_enabled:1\r\n", "used_memory:1\r\nmaxmemory_policy:noeviction\r\n");
        assert!(losses(durable, lasting).is_empty());
        assert!(losses("", "").is_empty());
        let found = losses("aof_enabled:0\r\n", "maxmemory_policy:allkeys-lru\r\n");
        assert!(
            found[0].contains("`appendonly no`") && found[1].contains("`maxmemory-policy allkeys-lru`"),
            "{found:?}"
        );
    }
}
