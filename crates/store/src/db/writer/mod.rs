//! The group-commit writer: many requests in, one transaction out.
//!
//! A few threads, each with a connection of its own, take whatever waits and store it in one transaction, counts
//! included. There is no timer: a request that comes alone is stored alone and at once; those that come while a
//! transaction runs go into the next one together.

mod queue;
mod text;
mod thread;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use logmon_core::app::AppId;
use logmon_core::config::DatabaseSettings;
use logmon_core::log::{Level, LogId};
use thiserror::Error;

use queue::{Job, Queue};
use thread::Slot;

/// How many threads store at the same time. One is busy with the log's disk while the other gathers the next group.
const THREADS: usize = 2;
/// How many threads there are at most, those included that wait for a peer that is silent.
const THREADS_MAX: usize = 200;
/// How often the threads are looked at.
const SUPERVISION: Duration = Duration::from_millis(500);
/// How many bytes of records may wait.
const WAITING_BYTES: usize = 64 * 1024 * 1024;

/// A log to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The app that it belongs to.
    pub app: AppId,
    /// How serious it is.
    pub level: Level,
    /// What happened.
    pub message: String,
    /// When it happened.
    pub created_at: DateTime<Utc>,
}

/// What became of one record of a request that was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// It is in the table, under this id.
    Yes(LogId),
    /// Its app is gone.
    UnknownApp,
    /// The database refused it.
    Refused,
}

/// A request was not stored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The database is away or took too long. Whether the records were stored is not known.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// Too much waits already: nothing was stored.
    #[error("too many logs are waiting to be stored")]
    Full,
}

/// The writer. Clones share its threads; they end when the last clone is gone and what waited is stored.
#[derive(Clone)]
pub struct Writer(Arc<Handle>);

struct Handle(Arc<Queue>);

/// The threads, as far as they must know of each other.
struct Threads {
    settings: DatabaseSettings,
    slots: Mutex<Vec<Arc<Slot>>>,
}

impl Writer {
    /// Starts the threads. They connect when there is something to store.
    pub fn start(settings: &DatabaseSettings) -> Self {
        let queue = Arc::new(Queue::new(WAITING_BYTES));
        let threads = Arc::new(Threads { settings: settings.clone(), slots: Mutex::default() });
        for _ in 0..THREADS {
            thread::start(Arc::clone(&queue), Arc::clone(&threads));
        }
        let supervised = Arc::clone(&queue);
        std::thread::spawn(move || threads.supervise(&supervised));
        Self(Arc::new(Handle(queue)))
    }

    /// Hands in the records of a request. `reply` hears, from another thread, what became of each, in their order; when
    /// that is said the transaction is committed. After `deadline` they are not begun any more.
    pub fn submit(
        &self,
        records: Vec<Record>,
        deadline: Instant,
        reply: impl FnOnce(Result<Vec<Stored>, WriteError>) + Send + 'static,
    ) {
        let job = Job { records, deadline, reply: Box::new(reply) };
        if let Err(job) = self.0.0.push(job) {
            (job.reply)(Err(WriteError::Full));
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Threads {
    fn slots(&self) -> MutexGuard<'_, Vec<Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self) -> Arc<Slot> {
        let slot = Arc::new(Slot::default());
        self.slots().push(Arc::clone(&slot));
        slot
    }

    fn unregister(&self, slot: &Arc<Slot>) {
        self.slots().retain(|other| !Arc::ptr_eq(other, slot));
    }

    /// Puts another thread in the place of each that is stuck, so that one silent connection does not stop the rest.
    fn supervise(self: &Arc<Self>, queue: &Arc<Queue>) {
        while !queue.is_closed_within(SUPERVISION) {
            let stuck = self.slots().iter().filter(|slot| slot.is_newly_stuck()).count();
            for _ in 0..stuck {
                if self.slots().len() < THREADS_MAX {
                    log::warn!("a connection to the database does not answer: another one takes its place");
                    thread::start(Arc::clone(queue), Arc::clone(self));
                }
            }
        }
    }
}
