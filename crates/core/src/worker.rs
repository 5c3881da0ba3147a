//! What a worker says of itself with each heartbeat, and what its silence means.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::celery::{NodeName, TaskId, TaskMessage};

/// So many of its tasks does a worker name, those that run the longest: a heartbeat has a bound.
pub const TASKS_MAX: usize = 100;

/// So many characters of a task's name and id are told.
const TEXT_MAX: usize = 255;

/// What a worker says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// What it is called.
    pub name: NodeName,
    /// The machine that it runs on.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// The version of its program.
    pub version: String,
    /// The queues that it serves.
    pub queues: Vec<String>,
    /// How many tasks it runs at the same time, at most.
    pub concurrency: usize,
    /// How many of them run.
    pub busy: usize,
    /// How many it has begun since its start.
    pub processed: u64,
    /// How many messages it holds, by the queue that they lay on: those that run and those that wait for a slot.
    #[serde(default)]
    pub in_flight: BTreeMap<String, u64>,
    /// Those that run, the longest first.
    pub tasks: Vec<RunningTask>,
    /// Whether it takes tasks.
    pub phase: Phase,
    /// The time between two heartbeats, in milliseconds.
    pub interval_ms: u64,
}

/// A task that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningTask {
    /// Its id.
    pub id: TaskId,
    /// Its registered name.
    pub name: String,
    /// Since when, by the clock of the worker.
    pub since: DateTime<Utc>,
}

/// Whether a worker takes tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It does.
    Serving,
    /// It was told to end, and ends what it has.
    Draining,
}

/// How a worker is, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkerState {
    /// It is alive and takes tasks.
    Ok,
    /// It is alive, takes no more, and ends when those that it has are done.
    Draining,
    /// It has missed two heartbeats, and did not take its leave.
    Lost,
}

impl RunningTask {
    /// A task that runs since then.
    pub fn new(message: &TaskMessage, since: DateTime<Utc>) -> Self {
        Self { id: TaskId(shortened(message.id.as_str())), name: shortened(&message.task), since }
    }
}

// A producer may call a task whatever it likes.
fn shortened(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

impl Heartbeat {
    /// How the worker is that said this so long ago.
    pub fn state(&self, silence: Duration) -> WorkerState {
        match self.phase {
            _ if silence > 2 * Duration::from_millis(self.interval_ms) => WorkerState::Lost,
            Phase::Serving => WorkerState::Ok,
            Phase::Draining => WorkerState::Draining,
        }
    }
}

impl WorkerState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Draining, Self::Lost];

    /// `ok`, `draining` or `lost`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Draining => "draining",
            Self::Lost => "lost",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeat(phase: Phase) -> Heartbeat {
        Heartbeat {
            name: NodeName::from_format("w@%h", "h"),
            host: "h".to_owned(),
            pid: 7,
            version: "0".to_owned(),
            queues: Vec::new(),
            concurrency: 2,
            busy: 0,
            processed: 0,
            in_flight: BTreeMap::from([("q".to_owned(), 3)]),
            tasks: Vec::new(),
            phase,
            interval_ms: 5_000,
        }
    }

    #[test]
    fn who_misses_two_heartbeats_is_lost_whatever_it_said_last() {
        for (phase, seconds, state) in [
            (Phase::Serving, 0, WorkerState::Ok),
            (Phase::Serving, 10, WorkerState::Ok),
            (Phase::Serving, 11, WorkerState::Lost),
            (Phase::Draining, 10, WorkerState::Draining),
            (Phase::Draining, 11, WorkerState::Lost),
        ] {
            assert_eq!(heartbeat(phase).state(Duration::from_secs(seconds)), state, "{phase:?} {seconds}");
        }
    }

    #[test]
    fn a_heartbeat_is_read_as_it_was_written() {
        let said = heartbeat(Phase::Draining);
        let text = serde_json::to_string(&said).unwrap();
        assert!(text.contains(r#""phase":"draining""#), "{text}");
        assert_eq!(serde_json::from_str::<Heartbeat>(&text).unwrap(), said);
    }
}
