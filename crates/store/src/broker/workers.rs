//! What the workers say of themselves, for those who ask: nobody but Redis has to answer them.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use logmon_core::celery::NodeName;
use logmon_core::worker::{Heartbeat, PROGRAM, WorkerState};
use redis::Commands as _;

use super::fetch::time;
use super::scripts::SHOW;
use super::{Broker, BrokerError, WorkerId};

/// How long a worker that is lost is remembered.
const REMEMBERED: Duration = Duration::from_secs(3_600);

/// A worker that is alive, or was until lately and did not take its leave.
#[derive(Debug, Clone, PartialEq)]
pub struct Worker {
    /// What it said last.
    pub heartbeat: Heartbeat,
    /// When that was, by the clock of Redis.
    pub seen_at: DateTime<Utc>,
    /// How it is.
    pub state: WorkerState,
}

impl Broker {
    /// Keeps what a worker says of itself with a heartbeat.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn show(&self, worker: &WorkerId, heartbeat: &Heartbeat) -> Result<(), BrokerError> {
        let Ok(said) = serde_json::to_string(heartbeat) else { return Ok(()) };
        let mut call = SHOW.prepare_invoke();
        call.key(self.keys.said(worker)).key(self.keys.seen()).arg(&worker.0).arg(said).arg(REMEMBERED.as_secs());
        self.with(|conn| call.invoke(conn))
    }

    /// Forgets what a worker said: it has taken its leave.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn forget(&self, worker: &WorkerId) -> Result<(), BrokerError> {
        let mut pipe = redis::pipe();
        pipe.del(self.keys.said(worker)).ignore().zrem(self.keys.seen(), &worker.0).ignore();
        self.with(|conn| pipe.query(conn))
    }

    /// Every worker that is alive or was within the past hour and did not take its leave, by name. Of one that was started
    /// again under its name there is only the newest.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn workers(&self) -> Result<Vec<Worker>, BrokerError> {
        let ids: Vec<String> = self.with(|conn| conn.zrange(self.keys.seen(), 0, -1))?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<String> = ids.iter().map(|id| self.keys.said(&WorkerId(id.clone()))).collect();
        // In this order: what one has said is then never newer than when it was seen. A full Redis takes no transaction.
        type Known = (Vec<Option<String>>, Vec<Option<f64>>, (i64, i64));
        let mut pipe = redis::pipe();
        pipe.mget(keys).cmd("ZMSCORE").arg(self.keys.seen()).arg(&ids).cmd("TIME");
        let (said, times, (seconds, micros)): Known = self.with(|conn| pipe.query(conn))?;
        let now = DateTime::from_timestamp_micros(seconds * 1_000_000 + micros).unwrap_or_default();
        let worker = |(seen, said): (Option<f64>, Option<String>)| Some(worker(heartbeat(&said?)?, time(seen?), now));
        let mut workers: Vec<Worker> = times.into_iter().zip(said).filter_map(worker).collect();
        // The newest last, so that it takes the place of those before it.
        workers.sort_by_key(|worker| worker.seen_at);
        let named = workers.into_iter().map(|worker| (worker.heartbeat.name.clone(), worker));
        let mut workers: Vec<Worker> = named.collect::<HashMap<NodeName, Worker>>().into_values().collect();
        workers.sort_by(|a, b| a.heartbeat.name.as_str().cmp(b.heartbeat.name.as_str()));
        Ok(workers)
    }

    /// Whether a worker of ours takes tasks from this queue.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn is_served(&self, queue: &str) -> Result<bool, BrokerError> {
        Ok(self.workers()?.iter().any(|worker| {
            let said = &worker.heartbeat;
            let queues = said.queues.iter().flatten();
            worker.state == WorkerState::Ok && said.program == PROGRAM && queues.into_iter().any(|name| name == queue)
        }))
    }

    /// What each of these workers said of itself last, where that can be read: it may be of another release.
    pub(super) fn said_by(&self, workers: &[WorkerId]) -> Result<Vec<Option<Heartbeat>>, BrokerError> {
        if workers.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<String> = workers.iter().map(|worker| self.keys.said(worker)).collect();
        let said: Vec<Option<String>> = self.with(|conn| conn.mget(keys))?;
        Ok(said.into_iter().map(|said| heartbeat(&said?)).collect())
    }
}

fn heartbeat(said: &str) -> Option<Heartbeat> {
    serde_json::from_str(said).ok()
}

fn worker(heartbeat: Heartbeat, seen_at: DateTime<Utc>, now: DateTime<Utc>) -> Worker {
    let state = heartbeat.state((now - seen_at).to_std().unwrap_or_default());
    Worker { heartbeat, seen_at, state }
}
