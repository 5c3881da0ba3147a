//! Queues that stand still: what is on them stays there, and producers may go on.

use std::collections::BTreeSet;

use redis::Commands as _;

use super::{Broker, BrokerError};

impl Broker {
    /// No worker of ours fetches from the queue any more, until [`Broker::resume`].
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn pause(&self, queue: &str) -> Result<(), BrokerError> {
        self.with(|conn| conn.sadd(self.keys.paused(), queue))
    }

    /// The queue is served again.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn resume(&self, queue: &str) -> Result<(), BrokerError> {
        self.with(|conn| conn.srem(self.keys.paused(), queue))
    }

    /// The queues that stand still.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn paused(&self) -> Result<BTreeSet<String>, BrokerError> {
        self.with(|conn| conn.smembers(self.keys.paused()))
    }
}
