//! Tasks that are withdrawn: remembered in Redis, so that a worker that starts later knows of them too.

use std::time::Duration;

use chrono::{DateTime, Utc};
use logmon_core::celery::control::Request;
use logmon_core::celery::{Exception, LamportClock, Outcome, Revoked, TaskId};
use redis::Commands as _;
use serde_json::json;

use super::scripts::REVOKE;
use super::{Broker, BrokerError};

/// For how long a revoke is remembered. Celery's workers forget after 3 hours; a task may have a later `eta` than that.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How many are remembered, the newest ones: Celery's bound.
pub const REVOKES_MAX: usize = 50_000;

/// What becomes of tasks that are running when they are withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Running {
    /// They go on.
    GoesOn,
    /// They are ended.
    Terminate,
}

/// What was withdrawn, and until when that is remembered: in seconds since 1970, by the clock of Redis.
pub type Revoke = (Revoked, f64);

impl Broker {
    /// Withdraws tasks: those that have not started will not be run. Whoever waits for one that has come to nothing yet is
    /// told at once; how many those are is the answer.
    ///
    /// # Errors
    /// See [`BrokerError`]. It may be called again.
    pub fn revoke(&self, revokes: &[Revoked], now: DateTime<Utc>) -> Result<u64, BrokerError> {
        let mut call = REVOKE.prepare_invoke();
        call.key(self.keys.revoked()).arg(KEPT.as_secs()).arg(REVOKES_MAX).arg(self.result_expires.as_secs());
        call.arg(revokes.len());
        for revoke in revokes {
            call.arg(revoke.to_string());
        }
        let outcome = Outcome::Revoked(Exception::revoked());
        for id in revokes.iter().filter_map(Revoked::task) {
            call.key(self.keys.result(id)).arg(outcome.document(id, now));
        }
        self.with(|conn| call.invoke(conn))
    }

    /// Withdraws tasks, and tells all workers of both kinds: Python's remember for themselves.
    ///
    /// # Errors
    /// See [`BrokerError`]. It may be called again.
    pub fn withdraw(&self, tasks: &[TaskId], running: Running, now: DateTime<Utc>) -> Result<(), BrokerError> {
        let revokes: Vec<Revoked> = tasks.iter().cloned().map(Revoked::Task).collect();
        self.revoke(&revokes, now)?;
        let arguments = [
            ("task_id", json!(tasks)),
            ("terminate", json!(running == Running::Terminate)),
            ("signal", json!("SIGTERM")),
        ];
        let arguments = arguments.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let request = Request { reply_to: None, ..Request::to_all("revoke", arguments) };
        self.tell(&request, &LamportClock::default())
    }

    /// What is withdrawn and remembered for longer than until `after`, the oldest first.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn revokes(&self, after: f64) -> Result<Vec<Revoke>, BrokerError> {
        let found: Vec<(String, f64)> =
            self.with(|conn| conn.zrangebyscore_withscores(self.keys.revoked(), format!("({after}"), "+inf"))?;
        Ok(found.into_iter().map(|(name, until)| (Revoked::from(name), until)).collect())
    }

    /// The tasks that are withdrawn.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn revoked(&self) -> Result<Vec<TaskId>, BrokerError> {
        let now: (u64, u64) = self.with(|conn| redis::cmd("TIME").query(conn))?;
        let after = Duration::from_secs(now.0).as_secs_f64();
        Ok(self.revokes(after)?.into_iter().filter_map(|(revoked, _)| revoked.task().cloned()).collect())
    }
}
