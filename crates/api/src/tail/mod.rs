//! Live tails: readers that are sent each log within a moment of its commit, whichever process stored it.
//!
//! One follower a process asks the database a few times a second what is new, and hands it to the readers whose filter
//! it matches; while there are no readers it does not run. The database alone is asked, so that nothing is missed that
//! a dying process, another program, or a Redis that is away did not tell of.

mod event;
mod follower;
mod reader;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::web::Bytes;
use logmon_core::log::{Candidate, Log, LogFilter, LogId, Seen};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::error::ApiError;
use crate::state::State;
use event::Event;
pub use reader::stream;

/// How many readers a process has at most.
const READERS_MAX: usize = 4_096;
/// How many events may wait for one reader; what comes while so many wait is left out, and it is told how many.
const WAITING_MAX: usize = 2_048;

/// The readers of this process. Clones share them.
#[derive(Clone, Default)]
pub struct Tails {
    readers: Arc<Mutex<Readers>>,
    open: Gauge,
    dropped: Counter,
}

#[derive(Default)]
struct Readers {
    life: Life,
    /// What the follower has seen; `None` while it does not run.
    seen: Option<Seen>,
    all: Vec<Reader>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Life {
    #[default]
    Open,
    Closed,
}

/// The follower's end of a reader.
struct Reader {
    filter: LogFilter,
    sender: Sender<Bytes>,
    /// How many logs were left out since it last was sent something.
    dropped: u64,
}

/// A reader's own end: what is new comes from `events`, beginning right behind `seen`.
struct Joined {
    seen: Seen,
    events: Receiver<Bytes>,
}

impl Tails {
    /// Ends every tail: their clients come back, to whichever process serves then.
    pub fn close(&self) {
        let mut readers = self.readers();
        readers.life = Life::Closed;
        readers.all.clear();
    }

    /// Adds its figures to those of the process.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("tails", "Live tails that are read", self.open.clone());
        let help = "Logs that were not sent to a live tail, because its reader was too slow";
        registry.register("tail_dropped_logs", help, self.dropped.clone());
    }

    /// Adds a reader, and starts the follower where it does not run.
    async fn join(&self, state: &State, filter: LogFilter) -> Result<Joined, ApiError> {
        let (sender, events) = mpsc::channel(WAITING_MAX);
        let mut reader = Some(Reader { filter, sender, dropped: 0 });
        let mut fresh = None;
        loop {
            {
                let mut readers = self.readers();
                if readers.life == Life::Closed {
                    return Err(ApiError::unavailable("the server is stopping"));
                }
                if readers.all.len() >= READERS_MAX {
                    return Err(ApiError::too_many("Too many live tails are open."));
                }
                let runs = readers.seen.is_some();
                if let Some(seen) = readers.seen.clone().or_else(|| fresh.take()) {
                    readers.all.extend(reader.take());
                    if !runs {
                        readers.seen = Some(seen.clone());
                        follower::start(self.clone(), state.clone());
                    }
                    return Ok(Joined { seen, events });
                }
            }
            fresh = Some(follower::newest(state).await?);
        }
    }

    /// Hands logs that were not seen yet to the readers whose filters they match, and says which id is the largest now.
    fn publish(&self, logs: Vec<Log>) -> Option<LogId> {
        let mut readers = self.readers();
        let Readers { seen: Some(seen), all, .. } = &mut *readers else { return None };
        for log in logs {
            if !seen.insert(log.id) {
                continue;
            }
            let (candidate, mut event) = (Candidate::new(&log), None);
            all.retain_mut(|reader| {
                if !reader.filter.lets_through(&candidate) {
                    return true;
                }
                let event = event.get_or_insert_with(|| Event::log(&log, seen).into_bytes());
                reader.send(event.clone(), &self.dropped)
            });
        }
        Some(seen.last())
    }

    /// Sends every reader a sign of life, and drops those that are gone.
    fn beat(&self) {
        let mut readers = self.readers();
        let Readers { seen: Some(seen), all, .. } = &mut *readers else { return };
        let event = Event::heartbeat(seen).into_bytes();
        all.retain_mut(|reader| {
            // A reader for whom much waits needs no sign.
            reader.sender.capacity() == 0 && !reader.sender.is_closed() || reader.send(event.clone(), &self.dropped)
        });
    }

    /// What the follower has seen; `None` when it is to end because nobody reads any more.
    fn seen(&self) -> Option<Seen> {
        let mut readers = self.readers();
        readers.all.retain(|reader| !reader.sender.is_closed());
        self.open.set(i64::try_from(readers.all.len()).unwrap_or(i64::MAX));
        if readers.all.is_empty() {
            readers.seen = None;
        }
        readers.seen.clone()
    }

    /// Says that logs whose ids are missing up to this one will not come any more.
    fn settle(&self, id: LogId) {
        if let Some(seen) = &mut self.readers().seen {
            seen.settle(id);
        }
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// Sends an event, and before it how many were left out; false when the reader is gone.
    fn send(&mut self, event: Bytes, all: &Counter) -> bool {
        if self.dropped > 0 {
            match self.sender.try_send(Event::dropped(self.dropped).into_bytes()) {
                Ok(()) => self.dropped = 0,
                Err(TrySendError::Full(_)) => {}
                Err(TrySendError::Closed(_)) => return false,
            }
        }
        match self.sender.try_send(event) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.dropped += 1;
                all.inc();
                true
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }
}
