//! Taking the next message into flight.

use logmon_core::celery::Priority;

use super::scripts::FETCH;
use super::{Broker, BrokerError, WorkerId};

/// How often a message may be fetched without coming to an end before it is a dead letter.
pub const MAX_DELIVERIES: u32 = 5;

/// A message in flight.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Its bytes, as the producer pushed them.
    pub raw: Vec<u8>,
    /// The name under which it is in flight.
    pub tag: String,
    /// How often it has been fetched, this time included.
    pub deliveries: u32,
}

impl Broker {
    /// Takes the next message of `queues` into flight: the most urgent priority of every queue first, the queues in
    /// their order. `None` when there is none. What is not a message at all becomes a dead letter on the way.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn fetch(&self, queues: &[String], worker: &WorkerId) -> Result<Option<Fetched>, BrokerError> {
        let keys = &self.keys;
        let mut call = FETCH.prepare_invoke();
        call.key(keys.unacked()).key(keys.unacked_index()).key(keys.inflight(worker));
        call.key(keys.deliveries()).key(keys.dead());
        for priority in Priority::STEPS {
            for queue in queues {
                call.key(keys.queue(queue, priority));
            }
        }
        call.arg(MAX_DELIVERIES);
        let fetched: Option<(Vec<u8>, String, u32)> = self.with(|conn| call.invoke(conn))?;
        Ok(fetched.map(|(raw, tag, deliveries)| Fetched { raw, tag, deliveries }))
    }
}
