//! The storing of a batch that was answered with 202.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Task, WhenFailed};
use crate::celery::{BadArguments, Limits, NewTask, TaskId};
use crate::log::Record;

/// The queue that such batches wait on: one of its own, so that a flood of logs delays no check.
pub const INGEST_QUEUE: &str = "ingest";

/// Stores a batch, once however often the task runs: its key is in the transaction that stores it.
pub struct IngestLogs;

impl IngestLogs {
    /// The header of a message that holds the batch's key, for those who do not read its arguments.
    pub const KEY_HEADER: &'static str = "x-batch-key";

    /// The message that stores a batch, under an id that was given out for it.
    ///
    /// # Errors
    /// As [`Task::call`].
    pub fn queued(id: TaskId, batch: &IngestInput) -> Result<NewTask, BadArguments> {
        let mut task = Self::call(batch)?;
        task.headers.insert(Self::KEY_HEADER.to_owned(), batch.key.as_str().into());
        Ok(NewTask { id, ..task })
    }
}

/// The batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IngestInput {
    /// The client's Idempotency-Key, or one that was made for the batch.
    pub key: String,
    /// Which of the two.
    #[serde(default)]
    pub origin: KeyOrigin,
    /// The SHA-256 of the request's body.
    pub body_hash: Vec<u8>,
    /// The logs, checked when they were taken.
    pub records: Vec<Record>,
    /// The body of the 202 that a request with a key of its own got: kept with its logs, so that it gets the same again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// Who made the key of a request, and so for how long it must be known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyOrigin {
    /// The client, who may send the request again.
    #[default]
    Client,
    /// We did, for a queued batch: only its message comes again, when the worker that ran it died.
    Batch,
}

impl KeyOrigin {
    /// Its name in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Batch => "batch",
        }
    }
}

/// What became of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ingested {
    /// How many logs were stored.
    pub accepted: usize,
    /// How many were stored before, under the same key or event id.
    pub duplicate: usize,
    /// How many the database did not take, or whose app is gone.
    pub rejected: usize,
}

impl Task for IngestLogs {
    const NAME: &'static str = "log_monitor_system.apps.core.tasks.ingest_logs";
    const QUEUE: &'static str = INGEST_QUEUE;
    const PARAMETERS: &'static [&'static str] = &["key", "body_hash", "records", "origin", "answer"];
    const TIME_LIMITS: Limits = Limits::of(Duration::from_secs(30), Duration::from_secs(60));
    // Somebody was answered 202.
    const WHEN_FAILED: WhenFailed = WhenFailed::Bury;
    type Input = IngestInput;
    type Output = Ingested;
}
