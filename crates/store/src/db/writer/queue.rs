//! What waits to be stored: bounded in bytes, taken by the writers in groups.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Record, Stored, WriteError};

/// The most records of one transaction.
const GROUP_RECORDS: usize = 2_000;
/// The most bytes of messages of one transaction: below every server's `max_allowed_packet`, escapes included. A single
/// request may be larger.
const GROUP_BYTES: usize = 4 * 1024 * 1024;

/// The records of one request, and whom to tell what became of them.
pub(super) struct Job {
    pub(super) records: Vec<Record>,
    pub(super) deadline: Instant,
    pub(super) reply: Box<dyn FnOnce(Result<Vec<Stored>, WriteError>) + Send>,
}

impl Job {
    fn bytes(&self) -> usize {
        self.records.iter().map(|record| record.message.len() + size_of::<Record>()).sum()
    }
}

/// The queue.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    closing: Condvar,
    bytes_max: usize,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    bytes: usize,
    closed: bool,
}

impl Queue {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { waiting: Mutex::default(), arrived: Condvar::new(), closing: Condvar::new(), bytes_max }
    }

    /// Adds a job, or gives it back when there is no room.
    pub(super) fn push(&self, job: Job) -> Result<(), Job> {
        let bytes = job.bytes();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let full = waiting.bytes + bytes > self.bytes_max && !waiting.jobs.is_empty();
        if full || waiting.closed {
            return Err(job);
        }
        waiting.bytes += bytes;
        waiting.jobs.push_back(job);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for jobs and takes as many as one transaction holds; `None` when the queue is closed and empty.
    ///
    /// What waits longer than its deadline was given up by its client, who was told so: it is dropped here.
    pub(super) fn take(&self) -> Option<Vec<Job>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let group = waiting.take_group(Instant::now());
            if !group.is_empty() {
                return Some(group);
            }
            if waiting.closed {
                return None;
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for the queue to be closed, at most for `patience`; says whether it is.
    pub(super) fn is_closed_within(&self, patience: Duration) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.closing.wait_timeout_while(waiting, patience, |waiting| !waiting.closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Takes nothing more; what is there is still to be stored.
    pub(super) fn close(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.arrived.notify_all();
        self.closing.notify_all();
    }
}

impl Waiting {
    fn take_group(&mut self, now: Instant) -> Vec<Job> {
        let (mut group, mut records, mut bytes) = (Vec::new(), 0, 0);
        while let Some(job) = self.jobs.pop_front() {
            let size = job.bytes();
            if !group.is_empty() && (records + job.records.len() > GROUP_RECORDS || bytes + size > GROUP_BYTES) {
                self.jobs.push_front(job);
                break;
            }
            self.bytes -= size;
            if job.deadline <= now {
                (job.reply)(Err(WriteError::Unavailable("it waited too long".to_owned())));
                continue;
            }
            records += job.records.len();
            bytes += size;
            group.push(job);
        }
        group
    }
}
