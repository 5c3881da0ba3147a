//! Signs of life, and bringing back what a dead worker held.

use std::time::Duration;

use redis::Commands as _;

use super::scripts::{RENEW, RESTORE};
use super::{Broker, BrokerError, WorkerId};

/// Whether a message that is put back has used up one of its deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivery {
    /// It has: its worker died on it, perhaps because of it.
    Counted,
    /// It has not: its worker gave it back in good order.
    Uncounted,
}

impl Broker {
    /// Says that a worker is alive and will be for `timeout`, and renews its hold on its messages.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn renew(&self, worker: &WorkerId, timeout: Duration) -> Result<u64, BrokerError> {
        let keys = &self.keys;
        let mut call = RENEW.prepare_invoke();
        call.key(keys.heartbeat(worker)).key(keys.workers()).key(keys.inflight(worker)).key(keys.unacked_index());
        call.arg(&worker.0).arg(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        self.with(|conn| call.invoke(conn))
    }

    /// Puts back what dead workers held, and says how many messages that were.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn reap(&self) -> Result<u64, BrokerError> {
        let workers: Vec<String> = self.with(|conn| conn.smembers(self.keys.workers()))?;
        let mut restored = 0;
        for worker in workers.into_iter().map(WorkerId) {
            if !self.with(|conn| conn.exists::<_, bool>(self.keys.heartbeat(&worker)))? {
                restored += self.restore(&worker, Delivery::Counted)?;
                self.with(|conn| conn.srem::<_, _, ()>(self.keys.workers(), &worker.0))?;
            }
        }
        Ok(restored)
    }

    /// Puts back what this worker holds, in good order, and takes it off the list of workers.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn leave(&self, worker: &WorkerId) -> Result<u64, BrokerError> {
        let restored = self.restore(worker, Delivery::Uncounted)?;
        let mut pipe = redis::pipe();
        pipe.del(self.keys.heartbeat(worker)).ignore().srem(self.keys.workers(), &worker.0).ignore();
        self.with(|conn| pipe.query::<()>(conn))?;
        Ok(restored)
    }

    /// Puts one message back in good order: the worker cannot do it now.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn put_back(&self, worker: &WorkerId, tag: &str) -> Result<u64, BrokerError> {
        self.restore_tags(worker, Delivery::Uncounted, &[tag.to_owned()])
    }

    fn restore(&self, worker: &WorkerId, delivery: Delivery) -> Result<u64, BrokerError> {
        let mut restored = 0;
        loop {
            let tags: Vec<String> =
                self.with(|conn| redis::cmd("SRANDMEMBER").arg(self.keys.inflight(worker)).arg(100).query(conn))?;
            if tags.is_empty() {
                return Ok(restored);
            }
            restored += self.restore_tags(worker, delivery, &tags)?;
        }
    }

    fn restore_tags(&self, worker: &WorkerId, delivery: Delivery, tags: &[String]) -> Result<u64, BrokerError> {
        let keys = &self.keys;
        let mut call = RESTORE.prepare_invoke();
        call.key(keys.unacked()).key(keys.unacked_index()).key(keys.inflight(worker)).key(keys.deliveries());
        call.arg(keys.prefix());
        call.arg(match delivery {
            Delivery::Counted => "counted",
            Delivery::Uncounted => "uncounted",
        });
        for tag in tags {
            call.arg(tag);
        }
        self.with(|conn| call.invoke(conn))
    }
}
