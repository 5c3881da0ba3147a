//! What waits to be stored: bounded in bytes, taken by the writers in groups.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use logmon_core::app::AppId;
use logmon_core::log::Record;

use super::locked::Locked;
use super::{Figures, Key, MakeAnswer, Stored, WriteError};

/// The most records of one transaction.
const GROUP_RECORDS: usize = 2_000;
/// The most bytes of records of one transaction. A single request may be larger.
const GROUP_BYTES: usize = 4 * 1024 * 1024;

/// How many records must wait for a second thread to help one that is storing.
const JOIN_RECORDS: usize = 256;
/// How long they wait for it at most: longer than any transaction of few records takes.
const PATIENCE: Duration = Duration::from_millis(20);

/// The records of one request, and whom to tell what became of them.
pub(super) struct Request {
    pub(super) records: Vec<Record>,
    /// Its key, and what makes its answer.
    pub(super) key: Option<Box<(Key, MakeAnswer)>>,
    /// When it came.
    pub(super) since: Instant,
    /// When its client gives up.
    pub(super) deadline: Instant,
    pub(super) reply: Box<dyn FnOnce(Result<Vec<Stored>, WriteError>) + Send>,
}

impl Request {
    /// Its key.
    pub(super) fn key(&self) -> Option<&Key> {
        self.key.as_ref().map(|keyed| &keyed.0)
    }

    /// The apps of its records.
    pub(super) fn apps(&self) -> impl Iterator<Item = AppId> {
        self.records.iter().map(|record| record.app)
    }

    fn bytes(&self) -> usize {
        self.records.iter().map(Record::size).sum()
    }
}

/// The queue.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    bytes_max: usize,
    pub(super) figures: Figures,
    pub(super) locked: Locked,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<Request>,
    bytes: usize,
    records: usize,
    /// How many threads are storing.
    storing: usize,
    /// How many are waiting to help them.
    watching: usize,
    closed: bool,
}

impl Queue {
    pub(super) fn new(bytes_max: usize) -> Self {
        let (figures, locked) = (Figures::default(), Locked::default());
        Self { waiting: Mutex::default(), arrived: Condvar::new(), bytes_max, figures, locked }
    }

    /// Adds a request, or gives it back when there is no room.
    pub(super) fn push(&self, request: Request) -> Result<(), Request> {
        let bytes = request.bytes();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let full = waiting.bytes + bytes > self.bytes_max && !waiting.requests.is_empty();
        if full || waiting.closed {
            return Err(request);
        }
        waiting.bytes += bytes;
        self.figures.waiting(waiting.bytes);
        waiting.records += request.records.len();
        waiting.requests.push_back(request);
        let wake = waiting.storing == 0 || waiting.records >= JOIN_RECORDS;
        drop(waiting);
        if wake {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Waits for requests and takes as many as one transaction holds; `None` when the queue is closed and empty. Whoever took
    /// some says [`Queue::done`] afterwards.
    ///
    /// While another thread stores, and little waits, it is left for that thread: it comes back within a moment.
    ///
    /// What waits longer than its deadline was given up by its client, who was told so: it is dropped here.
    pub(super) fn take(&self) -> Option<Vec<Request>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let now = Instant::now();
            if waiting.is_worth_taking(now) {
                let group = waiting.take_group(now);
                self.figures.waiting(waiting.bytes);
                if !group.is_empty() {
                    waiting.storing += 1;
                    // Somebody must be awake to help when this one is stuck.
                    if waiting.watching == 0 {
                        self.arrived.notify_one();
                    }
                    return Some(group);
                }
            }
            if waiting.closed && waiting.requests.is_empty() {
                return None;
            }
            waiting = if waiting.requests.is_empty() && waiting.storing == 0 {
                self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner)
            } else {
                waiting.watching += 1;
                let (mut waiting, _) =
                    self.arrived.wait_timeout(waiting, PATIENCE).unwrap_or_else(PoisonError::into_inner);
                waiting.watching -= 1;
                waiting
            };
        }
    }

    /// Says that a group that was taken is stored.
    pub(super) fn done(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).storing -= 1;
    }

    /// Takes nothing more; what is there is still to be stored.
    pub(super) fn close(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.arrived.notify_all();
    }
}

impl Waiting {
    fn is_worth_taking(&self, now: Instant) -> bool {
        let oldest = self.requests.front().map(|request| now.saturating_duration_since(request.since));
        self.storing == 0 || self.closed || self.records >= JOIN_RECORDS || oldest.is_some_and(|age| age >= PATIENCE)
    }

    fn take_group(&mut self, now: Instant) -> Vec<Request> {
        let (mut group, mut records, mut bytes) = (Vec::new(), 0, 0);
        while let Some(request) = self.requests.pop_front() {
            let size = request.bytes();
            if !group.is_empty() && (records + request.records.len() > GROUP_RECORDS || bytes + size > GROUP_BYTES) {
                self.requests.push_front(request);
                break;
            }
            self.bytes -= size;
            self.records -= request.records.len();
            if request.deadline <= now {
                (request.reply)(Err(WriteError::Unavailable("it waited too long".to_owned())));
                continue;
            }
            records += request.records.len();
            bytes += size;
            group.push(request);
        }
        group
    }
}
