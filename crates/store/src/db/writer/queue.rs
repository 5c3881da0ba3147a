//! What waits to be stored: bounded in bytes, taken by the writers in groups.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
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
    /// For the thread that has the lead.
    arrived: Condvar,
    /// For the others.
    help: Condvar,
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
    /// How many look whether they need help.
    watching: usize,
    lead: Lead,
    closed: bool,
}

/// The thread that waits for the next request while none is stored. The one that stored last takes the lead, with all that
/// it has at hand, and is called once.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Lead {
    /// No thread has it.
    #[default]
    Free,
    /// A thread waits.
    Waits,
    /// It was called.
    Called,
}

impl Queue {
    pub(super) fn new(bytes_max: usize) -> Self {
        let (figures, locked) = (Figures::default(), Locked::default());
        let (arrived, help) = (Condvar::new(), Condvar::new());
        Self { waiting: Mutex::default(), arrived, help, bytes_max, figures, locked }
    }

    /// Adds a request, or gives it back when there is no room.
    pub(super) fn push(&self, request: Request) -> Result<(), Request> {
        let bytes = request.bytes();
        let mut waiting = self.lock();
        let full = waiting.bytes + bytes > self.bytes_max && !waiting.requests.is_empty();
        if full || waiting.closed {
            return Err(request);
        }
        waiting.bytes += bytes;
        self.figures.waiting(waiting.bytes);
        waiting.records += request.records.len();
        waiting.requests.push_back(request);
        let is_needed = waiting.storing == 0 || waiting.records >= JOIN_RECORDS;
        let lead = waiting.lead;
        if is_needed && lead == Lead::Waits {
            waiting.lead = Lead::Called;
        }
        drop(waiting);
        match lead {
            Lead::Waits if is_needed => self.arrived.notify_one(),
            Lead::Free if is_needed => self.help.notify_one(),
            Lead::Waits | Lead::Free | Lead::Called => {}
        }
        Ok(())
    }

    /// Waits for requests and takes as many as one transaction holds; `None` when the queue is closed and empty. Whoever took
    /// some goes on with [`Queue::take_next`] afterwards.
    ///
    /// While another thread stores, and little waits, it is left for that thread: it comes back within a moment.
    ///
    /// What waits longer than its deadline was given up by its client, who was told so: it is dropped here.
    pub(super) fn take(&self) -> Option<Vec<Request>> {
        self.take_from(self.lock())
    }

    /// The same, after the group that was taken before is stored.
    pub(super) fn take_next(&self) -> Option<Vec<Request>> {
        let mut waiting = self.lock();
        waiting.storing -= 1;
        self.take_from(waiting)
    }

    fn take_from<'a>(&'a self, mut waiting: MutexGuard<'a, Waiting>) -> Option<Vec<Request>> {
        loop {
            let now = Instant::now();
            if waiting.is_worth_taking(now) {
                let group = waiting.take_group(now);
                self.figures.waiting(waiting.bytes);
                if !group.is_empty() {
                    waiting.storing += 1;
                    // Somebody must be awake to help when this one is stuck.
                    if waiting.watching == 0 {
                        self.help.notify_one();
                    }
                    return Some(group);
                }
            }
            if waiting.closed && waiting.requests.is_empty() {
                return None;
            }
            waiting = self.wait(waiting);
        }
    }

    /// Waits until there may be something to take.
    fn wait<'a>(&'a self, mut waiting: MutexGuard<'a, Waiting>) -> MutexGuard<'a, Waiting> {
        let is_quiet = waiting.requests.is_empty() && waiting.storing == 0;
        if is_quiet && waiting.lead == Lead::Free {
            waiting.lead = Lead::Waits;
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            waiting.lead = Lead::Free;
        } else if is_quiet {
            waiting = self.help.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        } else {
            waiting.watching += 1;
            waiting = self.help.wait_timeout(waiting, PATIENCE).unwrap_or_else(PoisonError::into_inner).0;
            waiting.watching -= 1;
        }
        waiting
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes nothing more; what is there is still to be stored.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
        self.help.notify_all();
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
