//! The schedule's memory: which slot of an entry was dispatched last.

use chrono::{DateTime, Utc};
use logmon_core::celery::NewTask;

use super::scripts::DISPATCH;
use super::{Broker, BrokerError};

/// What became of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dispatch {
    /// Its task was pushed now.
    Pushed,
    /// It was pushed before, by whichever beat.
    AlreadyDone,
}

impl Broker {
    /// The newest slot of an entry that was dispatched or skipped. An entry that nobody has seen begins after `now`:
    /// what was due before there was a beat is not made up for.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn last_slot(&self, entry: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, BrokerError> {
        let mut pipe = redis::pipe();
        pipe.hset_nx(self.keys.slots(), entry, now.timestamp_millis()).ignore().hget(self.keys.slots(), entry);
        let (last,): (i64,) = self.with(|conn| pipe.query(conn))?;
        // A beat whose clock was ahead leaves a moment that has not come yet.
        Ok(DateTime::from_timestamp_millis(last).unwrap_or(now).min(now))
    }

    /// Pushes the task of a slot, once in effect, however many beats try and however often.
    ///
    /// # Errors
    /// See [`BrokerError`]. It may be called again.
    pub fn dispatch(&self, entry: &str, slot: DateTime<Utc>, task: &NewTask) -> Result<Dispatch, BrokerError> {
        let mut call = DISPATCH.prepare_invoke();
        call.key(self.keys.slots()).key(self.keys.queue(&task.queue, task.priority));
        call.arg(entry).arg(slot.timestamp_millis()).arg(task.encode(&self.origin));
        let pushed: i64 = self.with(|conn| call.invoke(conn))?;
        Ok(if pushed == 1 { Dispatch::Pushed } else { Dispatch::AlreadyDone })
    }
}
