//! Taking the next messages into flight.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use logmon_core::celery::Priority;
use redis::{FromRedisValue as _, Value, from_redis_value};

use super::scripts::FETCH;
use super::{Broker, BrokerError, WorkerId};

/// How often workers may die of a message before it is a dead letter.
pub const MAX_DELIVERIES: u32 = 5;

/// So many bytes are fetched at once, or one message that is larger: a bound on the memory of a worker that fetches ahead.
const BYTES: usize = 1 << 20;

/// A message in flight.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Its bytes, as the producer pushed them.
    pub raw: Vec<u8>,
    /// The queue that it lay on.
    pub queue: Arc<str>,
    /// The name under which it is in flight.
    pub tag: String,
    /// How often it was given to a worker that may have died of it, this time included. Beyond [`MAX_DELIVERIES`] it is not to
    /// be run any more; from 2 on its run is to be announced with [`Broker::suspect`].
    pub deliveries: u32,
    /// When that was, by the clock of Redis: the one clock that all workers share.
    pub at: DateTime<Utc>,
    /// The same moment by the clock of this process.
    pub since: Instant,
}

/// What a look at the queues gave.
#[derive(Debug, Clone)]
pub struct Look {
    /// The next messages, the first one first.
    pub fetched: Vec<Fetched>,
    /// How many were no messages at all: they are dead letters now.
    pub buried: u64,
    /// Until when the newest of the [`Broker::revokes`] is remembered: it changes with each; 0 when nothing was fetched.
    pub newest_revoke: f64,
}

impl Fetched {
    /// The time now, by the clock of Redis.
    pub fn now(&self) -> DateTime<Utc> {
        self.at + self.since.elapsed()
    }
}

impl Broker {
    /// Takes the next messages of `queues` into flight, at most `count`: the most urgent priority of every queue first,
    /// the queues in their order. Paused queues are left out.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn fetch(&self, queues: &[String], worker: &WorkerId, count: usize) -> Result<Look, BrokerError> {
        let keys = &self.keys;
        let mut call = FETCH.prepare_invoke();
        self.flight(&mut call);
        call.key(keys.dead()).key(keys.workers()).key(keys.paused()).key(keys.revoked());
        for priority in Priority::STEPS {
            for queue in queues {
                call.key(keys.queue(queue, priority));
            }
        }
        call.arg(&worker.0).arg(count).arg(BYTES);
        for queue in queues {
            call.arg(queue);
        }
        let answer: Vec<Value> = self.with(|conn| call.invoke(conn))?;
        read(answer, queues).map_err(|e| BrokerError::Refused(e.into()))
    }
}

fn read(answer: Vec<Value>, queues: &[String]) -> Result<Look, redis::ParsingError> {
    let since = Instant::now();
    let queues: Vec<Arc<str>> = queues.iter().map(|queue| queue.as_str().into()).collect();
    let mut values = answer.into_iter();
    let mut next = || values.next().unwrap_or(Value::Nil);
    let at = time(from_redis_value(next())?);
    let buried = from_redis_value(next())?;
    let newest_revoke = from_redis_value(next())?;
    let mut fetched = Vec::new();
    while let Some(raw) = Option::<Vec<u8>>::from_redis_value(next())? {
        let (tag, before): (String, u32) = (from_redis_value(next())?, from_redis_value(next())?);
        let number: usize = from_redis_value(next())?;
        let queue = number.checked_sub(1).and_then(|place| queues.get(place)).map(Arc::clone).unwrap_or_default();
        fetched.push(Fetched { raw, queue, tag, deliveries: before + 1, at, since });
    }
    Ok(Look { fetched, buried, newest_revoke })
}

/// A time as the scripts say it, in seconds since 1970.
pub(super) fn time(seconds: f64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis(seconds)).unwrap_or_default()
}

#[expect(clippy::as_conversions, reason = "a time of this age of the world fits")]
fn millis(seconds: f64) -> i64 {
    (seconds * 1_000.0) as i64
}
