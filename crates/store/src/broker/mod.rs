//! Redis: the queues, what is in flight, and results, on the keys that Celery uses.
//!
//! A message is popped and noted as in flight in one script, so that there is no moment in which only a process holds
//! it: `unacked` and `unacked_index` are Celery's own, with which a Python worker recovers what a dead one of ours
//! held; `rq:*` are ours. One verb a file; every key is named in [`Keys`] and nowhere else.

mod batches;
mod chords;
mod control;
mod dead_letters;
mod delay;
mod durability;
mod enqueue;
mod error;
mod events;
mod fetch;
mod figures;
mod finish;
mod heads;
mod keys;
mod link;
mod nodes;
mod pause;
mod reap;
mod results;
mod revokes;
mod scheduled;
mod scripts;
mod slots;
mod workers;

pub use batches::{Admission, BatchKey, Bounds, QueuedBatch};
pub use chords::Counted;
pub use dead_letters::{DeadLetter, DeadLetterFilter, DeadLetterId, Dropped, Requeue};
pub use delay::Due;
pub use enqueue::Push;
pub use error::BrokerError;
pub use fetch::{Fetched, Look, MAX_DELIVERIES};
pub use figures::{Figures, QueueFigures};
pub use finish::{Burial, Finish, Held, Keep, Publish};
pub use keys::{Keys, WorkerId};
pub use revokes::{REVOKES_MAX, Revoke, Running};
pub use scheduled::Scheduled;
pub use workers::Worker;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use logmon_core::celery::{LamportClock, NodeName};
use logmon_core::config::BrokerSettings;
use r2d2::{NopErrorHandler, Pool};
use redis::RedisResult;
use secrecy::ExposeSecret as _;

use crate::attempts::Attempts;
use link::{Link, Manager, State};

/// How long a caller waits for a connection before Redis counts as unavailable.
const POOL_WAIT: Duration = Duration::from_secs(1);

/// This process's connections to Redis. Clones share them.
#[derive(Clone)]
pub struct Broker {
    client: redis::Client,
    pool: Pool<Manager>,
    attempts: Attempts,
    keys: Arc<Keys>,
    result_expires: Duration,
    /// Who sends: `gen<pid>@<host>`.
    origin: NodeName,
    /// Where tasks that were sent are told of, the clock of that.
    sent_events: Option<Arc<LamportClock>>,
    bound: Arc<Mutex<HashSet<String>>>,
}

impl Broker {
    /// A pool of at most `connections`, which connects when it is asked to: this never waits for Redis.
    ///
    /// # Errors
    /// [`BrokerError::Refused`] when the address is not one.
    pub fn new(settings: &BrokerSettings, connections: u32) -> Result<Self, BrokerError> {
        let client = redis::Client::open(settings.redis_url.expose_secret())?;
        let attempts = Attempts::at(client.get_connection_info().addr());
        let pool = Pool::builder()
            .max_size(connections)
            .min_idle(Some(0))
            .connection_timeout(POOL_WAIT)
            // Failures come back from `with`; r2d2 would print each attempt of its own.
            .error_handler(Box::new(NopErrorHandler))
            .build_unchecked(Manager { client: client.clone(), attempts: attempts.clone() });
        let database = client.get_connection_info().redis_settings().db();
        Ok(Self {
            client,
            pool,
            attempts,
            keys: Arc::new(Keys::new(&settings.redis_key_prefix, database)),
            result_expires: settings.result_expires,
            origin: NodeName::from_format(&format!("gen{}@%h", std::process::id()), &hostname()),
            sent_events: settings.task_sent_events.then(Arc::default),
            bound: Arc::default(),
        })
    }

    /// The names of the keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Asks Redis for a sign of life.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn ping(&self) -> Result<(), BrokerError> {
        self.with(|conn| redis::cmd("PING").query(conn))
    }

    /// Asks Redis whether it takes anything now: it may be there, but full, without its disk, or a replica.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn takes_writes(&self) -> Result<(), BrokerError> {
        self.with(|conn| redis::cmd("SET").arg(self.keys.probe()).arg("1").arg("PX").arg(1).query(conn))
    }

    // A connection that failed in the middle of an answer would give the rest of it to the next caller, so it is
    // dropped after any error but a refusal by the server itself.
    fn with<T>(&self, work: impl FnOnce(&mut redis::Connection) -> RedisResult<T>) -> Result<T, BrokerError> {
        #[expect(clippy::disallowed_methods, reason = "this is its one home")]
        let mut link = self.pool.get().map_err(|e| BrokerError::Unavailable(self.attempts.explain(&e)))?;
        let Link { conn, state, .. } = &mut *link;
        work(conn).map_err(|error| {
            if error.clone().into_server_errors().is_none() {
                *state = State::Broken;
            }
            BrokerError::from(error)
        })
    }
}

/// The name of this machine, as node names and origins carry it.
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
