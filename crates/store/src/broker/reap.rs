//! Signs of life, and bringing back what a dead worker held.

use std::time::Duration;

use logmon_core::tasks::retry::backoff;
use redis::Commands as _;

use super::scripts::{RECOVER, RENEW, RESTORE, SUSPECT};
use super::{Broker, BrokerError, Held, MAX_DELIVERIES, WorkerId};

/// How many messages are put back in one call: a bound on how long Redis does nothing else.
const AT_ONCE: usize = 100;

/// Why a worker's messages are put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// It is dead, perhaps because of one of them: each has used up one of its deliveries, but those that had used one up before
    /// and whose run had not begun. From the second one on it waits before it comes back, as long as a task that has failed.
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
        call.key(keys.heartbeat(worker)).key(keys.workers()).key(keys.holders()).key(keys.unacked_index());
        call.arg(&worker.0).arg(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        self.with(|conn| call.invoke(conn))
    }

    /// Puts back what dead workers held, and says how many messages that were. One that a worker has died of before, too,
    /// comes back by [`Broker::promote`] after the [pause](backoff) of a task that is tried again.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn reap(&self) -> Result<u64, BrokerError> {
        let mut restored = 0;
        for worker in self.listed_workers()? {
            if !self.is_alive(&worker)? {
                restored += self.restore(&worker, Reason::Died)?;
                // Should it come back, its next sign of life or message puts it on the list again.
                self.with(|conn| conn.srem::<_, _, ()>(self.keys.workers(), &worker.0))?;
            }
        }
        Ok(restored)
    }

    /// Puts back what workers of another kind, which are Python's, held and did not end within `timeout`: they renew
    /// nothing, and put back themselves what is that old. Says how many messages that were, at most 100 a call.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn recover(&self, timeout: Duration) -> Result<u64, BrokerError> {
        let mut call = RECOVER.prepare_invoke();
        self.flight(&mut call);
        call.key(self.keys.dead()).arg(self.keys.prefix()).arg(timeout.as_secs_f64()).arg(self.keys.binding(""));
        self.with(|conn| call.invoke(conn))
    }

    /// Puts back what this worker holds without knowing of it, for an answer of Redis was lost; the fetch is not counted.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn put_back_unknown(&self, worker: &WorkerId, known: impl Fn(&str) -> bool) -> Result<u64, BrokerError> {
        let tags: Vec<String> = self.held_by(worker)?.into_iter().filter(|tag| !known(tag)).collect();
        self.put_back(worker, &tags)
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
        self.forget(worker)?;
        Ok(restored)
    }

    /// Puts messages that this worker holds back on their lists, the first of them to be served first; the fetch is not
    /// counted.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn put_back(&self, worker: &WorkerId, tags: &[String]) -> Result<u64, BrokerError> {
        // The last ones first, for each goes before those that were put back earlier.
        tags.rchunks(AT_ONCE).map(|tags| self.restore_tags(worker, Reason::Left, tags)).sum()
    }

    /// Notes that the run of a message begins that workers may have died of before: only then it counts as the cause when
    /// this one does, too. A task that ends its workers would take along what was fetched with it each time.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn suspect(&self, worker: &WorkerId, tag: &str) -> Result<Held, BrokerError> {
        let mut call = SUSPECT.prepare_invoke();
        self.flight(&mut call);
        call.arg(&worker.0).arg(tag);
        self.with(|conn| call.invoke(conn)).map(Held::from_count)
    }

    /// The workers that hold or held something and were not reaped.
    pub(super) fn listed_workers(&self) -> Result<Vec<WorkerId>, BrokerError> {
        let workers: Vec<String> = self.with(|conn| conn.smembers(self.keys.workers()))?;
        Ok(workers.into_iter().map(WorkerId).collect())
    }

    fn is_alive(&self, worker: &WorkerId) -> Result<bool, BrokerError> {
        self.with(|conn| conn.exists(self.keys.heartbeat(worker)))
    }

    fn restore(&self, worker: &WorkerId, reason: Reason) -> Result<u64, BrokerError> {
        let tags = self.held_by(worker)?;
        tags.chunks(AT_ONCE).map(|tags| self.restore_tags(worker, reason, tags)).sum()
    }

    fn held_by(&self, worker: &WorkerId) -> Result<Vec<String>, BrokerError> {
        let holders: Vec<(String, String)> = self.with(|conn| conn.hgetall(self.keys.holders()))?;
        Ok(holders.into_iter().filter(|(_, holder)| *holder == worker.0).map(|(tag, _)| tag).collect())
    }

    fn restore_tags(&self, worker: &WorkerId, reason: Reason, tags: &[String]) -> Result<u64, BrokerError> {
        let mut call = RESTORE.prepare_invoke();
        self.flight(&mut call);
        self.delayed(&mut call);
        call.key(self.keys.dead()).key(self.keys.heartbeat(worker)).arg(&worker.0).arg(self.keys.prefix());
        call.arg(match reason {
            Reason::Died => "died",
            Reason::Left => "left",
        });
        call.arg(MAX_DELIVERIES).arg(backoff(0, 1.0).as_secs_f64()).arg(rand::random::<f64>());
        for tag in tags {
            call.arg(tag);
        }
        self.with(|conn| call.invoke(conn))
    }
}
