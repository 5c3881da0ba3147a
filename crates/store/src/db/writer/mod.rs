//! The group-commit writer: many requests in, one transaction out.
//!
//! A few threads, each with a connection of its own, take whatever waits and store it in one transaction, counts
//! included. There is no timer: a request that comes alone is stored alone and at once; those that come while a
//! transaction runs go into the next one together.

mod events;
mod figures;
mod link;
mod locked;
mod packets;
mod queue;
mod text;
mod thread;
mod transaction;

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use logmon_core::config::DatabaseSettings;
use logmon_core::log::{LogId, Record};
use logmon_core::tasks::KeyOrigin;
use thiserror::Error;

pub use figures::Figures;
use queue::{Queue, Request};

/// How many threads store at the same time. While little waits one does it all, for one large transaction costs less than
/// two small ones; the others help with batches, and while one waits for a peer that is silent.
const THREADS: usize = 3;
/// How many bytes of records may wait.
const WAITING_BYTES: usize = 64 * 1024 * 1024;

/// What became of one record of a request that was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is in the table, under this id.
    Yes(LogId),
    /// It is not stored again: another one of its app with the same event id was.
    Before(Earlier),
    /// Its app is gone.
    UnknownApp,
    /// The database refused it.
    Refused,
    /// It is larger than what the database takes at once: its `max_allowed_packet`.
    TooLarge,
}

/// The log that was stored for the first record with an event id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    /// Its id.
    pub id: LogId,
    /// Its time.
    pub created_at: DateTime<Utc>,
}

/// The key of a request that is to be stored once, however often it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key, at most 255 bytes.
    pub key: String,
    /// Who made it.
    pub origin: KeyOrigin,
    /// The SHA-256 of the request's body.
    pub body_hash: [u8; 32],
    /// When it came.
    pub created_at: DateTime<Utc>,
}

/// What a request is answered, and answered again when it is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Makes the answer to a request of what became of its records.
///
/// It is asked again where the transaction has to be repeated.
pub type MakeAnswer = Box<dyn Fn(&[Stored]) -> Answer + Send>;

/// A request was not stored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The database is away or took too long. Whether the records were stored is not known.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// Too much waits already: nothing was stored.
    #[error("too many logs are waiting to be stored")]
    Full,
    /// A request with the same key was stored before.
    #[error("a request with the same Idempotency-Key was stored before")]
    KeyTaken,
    /// The answer to a request with a key, which is kept with it, is larger than what the database takes at once. Nothing
    /// was stored.
    #[error("the answer is larger than what the database takes at once")]
    AnswerTooLarge,
}

/// The writer. Clones share its threads; they end when the last clone is gone and what waited is stored.
#[derive(Clone)]
pub struct Writer(Arc<Handle>);

struct Handle(Arc<Queue>);

impl Writer {
    /// Starts the threads. They connect when there is something to store.
    pub fn start(settings: &DatabaseSettings) -> Self {
        let queue = Arc::new(Queue::new(WAITING_BYTES));
        for _ in 0..THREADS {
            thread::start(Arc::clone(&queue), settings.clone());
        }
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
        self.push(Request { records, key: None, since: Instant::now(), deadline, reply: Box::new(reply) });
    }

    /// The same for a request with a key: its records, the key and what `answer` makes of them are stored together. When
    /// none of them is stored, neither is the key.
    pub fn submit_once(
        &self,
        key: Key,
        records: Vec<Record>,
        answer: MakeAnswer,
        deadline: Instant,
        reply: impl FnOnce(Result<Vec<Stored>, WriteError>) + Send + 'static,
    ) {
        let key = Some(Box::new((key, answer)));
        self.push(Request { records, key, since: Instant::now(), deadline, reply: Box::new(reply) });
    }

    /// What it has done, and what waits.
    pub fn figures(&self) -> &Figures {
        &self.0.0.figures
    }

    fn push(&self, request: Request) {
        if let Err(request) = self.0.0.push(request) {
            (request.reply)(Err(WriteError::Full));
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}
