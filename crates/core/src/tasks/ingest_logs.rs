//! The storing of a batch that was answered with 202.

use serde::{Deserialize, Serialize};

use super::Task;
use crate::log::Record;

/// The queue that such batches wait on: one of its own, so that a flood of logs delays no check.
pub const INGEST_QUEUE: &str = "ingest";

/// Stores a batch, once however often the task runs: its key is in the transaction that stores it.
pub struct IngestLogs;

/// The batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IngestInput {
    /// The client's Idempotency-Key, or one that was made for the task.
    pub key: String,
    /// The SHA-256 of the request's body.
    pub body_hash: Vec<u8>,
    /// The logs, checked when they were taken.
    pub records: Vec<Record>,
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
    const PARAMETERS: &'static [&'static str] = &["key", "body_hash", "records"];
    type Input = IngestInput;
    type Output = Ingested;
}
