//! Taking the next message into flight.

use chrono::{DateTime, Utc};
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
    /// When that was, by the clock of Redis: the one clock that all workers share.
    pub at: DateTime<Utc>,
}

/// What a look at the queues gave.
#[derive(Debug, Clone)]
pub struct Look {
    /// The next message, if there was one.
    pub fetched: Option<Fetched>,
    /// How many were no messages at all, or had been fetched too often: they are dead letters now.
    pub buried: u64,
}

impl Broker {
    /// Takes the next message of `queues` into flight: the most urgent priority of every queue first, the queues in
    /// their order.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn fetch(&self, queues: &[String], worker: &WorkerId) -> Result<Look, BrokerError> {
        type Answer = (u64, f64, Option<Vec<u8>>, Option<String>, Option<u32>);
        let keys = &self.keys;
        let mut call = FETCH.prepare_invoke();
        self.flight(&mut call, worker);
        call.key(keys.dead()).key(keys.workers());
        for priority in Priority::STEPS {
            for queue in queues {
                call.key(keys.queue(queue, priority));
            }
        }
        call.arg(&worker.0).arg(MAX_DELIVERIES);
        let mut answer: Vec<redis::Value> = self.with(|conn| call.invoke(conn))?;
        answer.resize(5, redis::Value::Nil);
        let (buried, seconds, raw, tag, deliveries): Answer =
            redis::from_redis_value(redis::Value::Array(answer)).map_err(|e| BrokerError::Refused(e.into()))?;
        let at = DateTime::from_timestamp_millis(millis(seconds)).unwrap_or_default();
        let fetched = raw.zip(tag).zip(deliveries).map(|((raw, tag), deliveries)| Fetched { raw, tag, deliveries, at });
        Ok(Look { fetched, buried })
    }
}

#[expect(clippy::as_conversions, reason = "a time of this age of the world fits")]
fn millis(seconds: f64) -> i64 {
    (seconds * 1_000.0) as i64
}
