//! Messages that are not due yet: they wait in Redis, never in a worker.

use std::time::Duration;

use chrono::{DateTime, Utc};
use redis::ScriptInvocation;

use super::finish::Held;
use super::scripts::{DELAY, PROMOTE};
use super::{Broker, BrokerError, WorkerId};

/// When a message is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// At this moment.
    At(DateTime<Utc>),
    /// After this pause, by the clock of Redis.
    In(Duration),
}

impl Broker {
    /// Takes a message out of flight until it is due.
    ///
    /// # Errors
    /// See [`BrokerError`]. It may be called again.
    pub fn delay(&self, worker: &WorkerId, tag: &str, due: Due) -> Result<Held, BrokerError> {
        let mut call = DELAY.prepare_invoke();
        self.flight(&mut call);
        self.delayed(&mut call);
        call.arg(&worker.0).arg(tag);
        match due {
            Due::At(time) => call.arg("at").arg(time.format("%s%.6f").to_string()),
            Due::In(pause) => call.arg("in").arg(pause.as_secs_f64()),
        };
        self.with(|conn| call.invoke(conn)).map(Held::from_count)
    }

    /// Puts messages that have become due back on their queues and says how many, at most 100 a call. One that cannot be
    /// put on its queue is a dead letter.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn promote(&self) -> Result<u64, BrokerError> {
        let mut call = PROMOTE.prepare_invoke();
        let keys = &self.keys;
        self.delayed(&mut call);
        call.key(keys.dead()).arg(keys.prefix());
        self.with(|conn| call.invoke(conn))
    }

    /// The keys that every script about delayed messages knows them by.
    pub(super) fn delayed(&self, call: &mut ScriptInvocation<'_>) {
        let keys = &self.keys;
        call.key(keys.delayed()).key(keys.delayed_body()).key(keys.delayed_count());
    }
}
