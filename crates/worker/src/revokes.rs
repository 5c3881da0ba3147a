//! What this worker knows to be withdrawn: as much as Redis remembers, as of the last fetch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use logmon_core::celery::{Revoked, TaskMessage};
use logmon_store::broker::{Broker, BrokerError, Revoke};

/// What is withdrawn. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Revokes(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Until when each is remembered, in seconds since 1970.
    until: HashMap<Revoked, f64>,
    /// The last of these times.
    newest: f64,
}

impl Revokes {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns of what was withdrawn since the last time, if the newest revoke in Redis is not known yet, and forgets what
    /// Redis has forgotten.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn learn(&self, broker: &Broker, newest: f64, now: DateTime<Utc>) -> Result<(), BrokerError> {
        let known = self.known().newest;
        if newest > known {
            let added = broker.revokes(known)?;
            self.known()
                .until
                .retain(|_, until| *until > Duration::from_secs(now.timestamp().unsigned_abs()).as_secs_f64());
            self.add(added);
        }
        Ok(())
    }

    /// Takes note of revokes.
    pub fn add(&self, revokes: Vec<Revoke>) {
        let mut known = self.known();
        for (revoked, until) in revokes {
            known.newest = known.newest.max(until);
            known.until.insert(revoked, until);
        }
    }

    /// Whether a task is not to be run.
    pub fn has(&self, message: &TaskMessage) -> bool {
        let known = self.known();
        !known.until.is_empty() && Revoked::names_of(message).any(|name| known.until.contains_key(&name))
    }
}
