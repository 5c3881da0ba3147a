//! Signs of life, and bringing back what a dead worker held.

use std::time::Duration;

use redis::Commands as _;

use super::scripts::{RENEW, RESTORE};
use super::{Broker, BrokerError, WorkerId};

/// Why a worker's messages are put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// It is dead, perhaps because of one of them: each has used up one of its deliveries.
    Died,
    /// It gave them back in good order.
    Left,
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
            if !self.is_alive(&worker)? {
                restored += self.restore(&worker, Reason::Died)?;
                // Should it come back, its next sign of life or message puts it on the list again.
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
        let restored = self.restore(worker, Reason::Left)?;
        let mut pipe = redis::pipe();
        pipe.del(self.keys.heartbeat(worker)).ignore().srem(self.keys.workers(), &worker.0).ignore();
        self.with(|conn| pipe.query::<()>(conn))?;
        Ok(restored)
    }

    fn is_alive(&self, worker: &WorkerId) -> Result<bool, BrokerError> {
        self.with(|conn| conn.exists(self.keys.heartbeat(worker)))
    }

    fn restore(&self, worker: &WorkerId, reason: Reason) -> Result<u64, BrokerError> {
        let mut restored = 0;
        loop {
            let tags: Vec<String> =
                self.with(|conn| redis::cmd("SRANDMEMBER").arg(self.keys.inflight(worker)).arg(100).query(conn))?;
            if tags.is_empty() {
                return Ok(restored);
            }
            match self.restore_tags(worker, reason, &tags)? {
                // It is alive after all.
                0 if reason == Reason::Died && self.is_alive(worker)? => return Ok(restored),
                count => restored += count,
            }
        }
    }

    fn restore_tags(&self, worker: &WorkerId, reason: Reason, tags: &[String]) -> Result<u64, BrokerError> {
        let mut call = RESTORE.prepare_invoke();
        self.flight(&mut call, worker);
        call.key(self.keys.heartbeat(worker)).arg(&worker.0).arg(self.keys.prefix());
        call.arg(match reason {
            Reason::Died => "died",
            Reason::Left => "left",
        });
        for tag in tags {
            call.arg(tag);
        }
        self.with(|conn| call.invoke(conn))
    }
}
