//! Messages that are not due yet: they wait in Redis, never in a worker.

use chrono::{DateTime, Utc};

use super::finish::Held;
use super::scripts::{DELAY, PROMOTE};
use super::{Broker, BrokerError, WorkerId};

impl Broker {
    /// Takes a message out of flight until it is due.
    ///
    /// # Errors
    /// See [`BrokerError`]. It may be called again.
    pub fn delay(&self, worker: &WorkerId, tag: &str, due: DateTime<Utc>) -> Result<Held, BrokerError> {
        let keys = &self.keys;
        let mut call = DELAY.prepare_invoke();
        call.key(keys.unacked()).key(keys.unacked_index()).key(keys.inflight(worker)).key(keys.deliveries());
        call.key(keys.delayed()).key(keys.delayed_body()).arg(tag).arg(format!("{}", due.format("%s%.6f")));
        self.with(|conn| call.invoke(conn)).map(Held::from_count)
    }

    /// Puts messages that have become due back on their queues and says how many, at most 100 a call.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn promote(&self) -> Result<u64, BrokerError> {
        let mut call = PROMOTE.prepare_invoke();
        call.key(self.keys.delayed()).key(self.keys.delayed_body()).arg(self.keys.prefix());
        self.with(|conn| call.invoke(conn))
    }
}
