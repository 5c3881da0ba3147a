//! The end of a message's flight: acknowledged with its result, tried again later, or buried.

use std::time::Duration;

use super::scripts::{BURY, FINISH};
use super::{Broker, BrokerError, WorkerId};
use logmon_core::celery::TaskId;
use redis::ScriptInvocation;

/// How a message's flight ends.
#[derive(Debug)]
pub struct Finish<'a> {
    /// The name under which it is in flight.
    pub tag: &'a str,
    /// The task's id.
    pub task: &'a TaskId,
    /// The result document to store and publish, if anybody wants it.
    pub document: Option<&'a str>,
    /// The message of the next attempt, its delivery tag, and the pause before it is due.
    pub next: Option<(&'a str, &'a str, Duration)>,
}

/// Whether a worker still held the message that it reported on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Held {
    /// It did, and the report was taken.
    Yes,
    /// It was taken for dead and another worker has the message: nothing was changed.
    Lost,
}

impl Held {
    pub(super) fn from_count(count: i64) -> Self {
        if count == 0 { Self::Lost } else { Self::Yes }
    }
}

impl Broker {
    /// Acknowledges a message, stores its result and keeps its next attempt, all at once.
    ///
    /// # Errors
    /// See [`BrokerError`]. It may be called again.
    pub fn finish(&self, worker: &WorkerId, finish: &Finish<'_>) -> Result<Held, BrokerError> {
        let keys = &self.keys;
        let (next, next_tag, pause) = finish.next.unwrap_or(("", "", Duration::ZERO));
        let mut call = FINISH.prepare_invoke();
        self.flight(&mut call, worker);
        call.key(keys.result(finish.task)).key(keys.delayed()).key(keys.delayed_body());
        call.arg(&worker.0).arg(finish.tag).arg(finish.document.unwrap_or("")).arg(self.result_expires.as_secs());
        call.arg(next).arg(next_tag).arg(pause.as_secs_f64());
        self.with(|conn| call.invoke(conn)).map(Held::from_count)
    }

    /// Makes a message in flight a dead letter. `failure` is the result document for whoever waits for the task, where
    /// its id can be told.
    ///
    /// # Errors
    /// See [`BrokerError`]. It may be called again.
    pub fn bury(
        &self,
        worker: &WorkerId,
        tag: &str,
        reason: &str,
        failure: Option<(&TaskId, &str)>,
    ) -> Result<Held, BrokerError> {
        let keys = &self.keys;
        let nobody = TaskId(String::new());
        let (task, document) = failure.unwrap_or((&nobody, ""));
        let mut call = BURY.prepare_invoke();
        self.flight(&mut call, worker);
        call.key(keys.dead()).key(keys.result(task));
        call.arg(&worker.0).arg(tag).arg(reason).arg(document).arg(self.result_expires.as_secs());
        self.with(|conn| call.invoke(conn)).map(Held::from_count)
    }

    /// The keys that every script about a flight begins with.
    pub(super) fn flight(&self, call: &mut ScriptInvocation<'_>, worker: &WorkerId) {
        let keys = &self.keys;
        call.key(keys.unacked()).key(keys.unacked_index()).key(keys.inflight(worker));
        call.key(keys.deliveries()).key(keys.holders());
    }
}
