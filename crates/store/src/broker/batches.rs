//! Putting a batch of logs on its queue: within bounds, and once for each key.

use std::iter;
use std::time::Duration;

use chrono::{DateTime, Utc};
use logmon_core::celery::event::Event;
use logmon_core::celery::{NewTask, TaskId};
use redis::{Commands as _, RedisError};

use super::scripts::ENQUEUE_BATCH;
use super::{Broker, BrokerError};

/// For how long a key is known.
const KNOWN: Duration = Duration::from_secs(24 * 3_600);

/// How much may wait on a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// So many bytes, as Redis holds them; batches that are dead letters count.
    pub bytes: u64,
    /// The oldest message so long.
    pub age: Duration,
}

/// The Idempotency-Key of a batch, and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchKey {
    /// The key.
    pub key: String,
    /// The SHA-256 of the request's body.
    pub body_hash: [u8; 32],
}

/// A batch that was queued under a key, be it stored by now or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedBatch {
    /// The task that stores it.
    pub task_id: TaskId,
    /// The SHA-256 of its request's body.
    pub body_hash: [u8; 32],
}

/// What became of a batch that was to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It is on the queue.
    Queued,
    /// The queue is full, or stands still.
    Full,
    /// This one was queued under its key before.
    Before(QueuedBatch),
}

impl Broker {
    /// Puts a task on a queue that has room for it; with a key, unless one was put there under it in the past 24 h.
    ///
    /// # Errors
    /// As [`Broker::enqueue`].
    pub fn enqueue_batch(
        &self,
        task: &NewTask,
        key: Option<&BatchKey>,
        bounds: Bounds,
        now: DateTime<Utc>,
    ) -> Result<Admission, BrokerError> {
        let mut call = ENQUEUE_BATCH.prepare_invoke();
        call.key(self.keys.queue(&task.queue, task.priority)).arg(task.encode_at(self.origin.as_str(), now));
        call.key(self.keys.dead())
            .arg(bounds.bytes)
            .arg(u64::try_from(bounds.age.as_millis()).unwrap_or(u64::MAX))
            .arg(now.timestamp_millis());
        if let Some(key) = key {
            call.key(self.keys.batch(&key.key)).arg(write(key, &task.id)).arg(KNOWN.as_secs());
        }
        let answer: Vec<Vec<u8>> = self.with(|conn| call.invoke(conn))?;
        match answer.iter().map(Vec::as_slice).collect::<Vec<_>>().as_slice() {
            [b"queued"] => {
                self.tell_sent(iter::once(task).map(Event::sent));
                Ok(Admission::Queued)
            }
            [b"full"] => Ok(Admission::Full),
            [b"before", batch] => read(batch).map(Admission::Before),
            _ => Err(unexpected("an answer that the script does not give")),
        }
    }

    /// The batch that was queued under a key in the past 24 h, if there was one.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn queued_batch(&self, key: &str) -> Result<Option<QueuedBatch>, BrokerError> {
        let name = self.keys.batch(key);
        let batch: Option<Vec<u8>> = self.with(|conn| conn.get(&name))?;
        batch.map(|batch| read(&batch)).transpose()
    }
}

fn write(key: &BatchKey, task_id: &TaskId) -> Vec<u8> {
    [key.body_hash.as_slice(), task_id.as_str().as_bytes()].concat()
}

fn read(batch: &[u8]) -> Result<QueuedBatch, BrokerError> {
    let parts = batch.split_first_chunk().and_then(|(hash, id)| Some((*hash, std::str::from_utf8(id).ok()?)));
    let batch = parts.map(|(body_hash, id)| QueuedBatch { task_id: TaskId(id.to_owned()), body_hash });
    batch.ok_or_else(|| unexpected("a batch that is not written as ours are"))
}

fn unexpected(what: &'static str) -> BrokerError {
    RedisError::from((redis::ErrorKind::UnexpectedReturnType, what)).into()
}
