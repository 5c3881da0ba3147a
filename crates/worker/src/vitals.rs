//! What this worker says of itself with each heartbeat.

use std::time::Duration;

use logmon_core::celery::NodeName;
use logmon_core::worker::{Heartbeat, PROGRAM, Phase, RunningTask, TASKS_MAX};
use logmon_store::broker::hostname;

use crate::presence::Open;

/// What is known of this worker. Clones say the same.
#[derive(Clone)]
pub struct Vitals {
    /// What it is called.
    pub name: NodeName,
    /// The time between two heartbeats.
    pub interval: Duration,
    /// Its queues, its slots and what runs in them.
    pub open: Open,
}

impl Vitals {
    /// How it is now.
    pub fn now(&self) -> Heartbeat {
        let Open { queues, board, running, stop, .. } = &self.open;
        let active = running.now();
        let (busy, processed) = running.counts();
        let tasks = active.iter().take(TASKS_MAX).map(|task| RunningTask::new(&task.message, task.since)).collect();
        Heartbeat {
            name: self.name.clone(),
            host: hostname(),
            pid: std::process::id(),
            program: PROGRAM.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            queues: Some(queues.now().to_vec()),
            concurrency: Some(board.slots()),
            busy,
            processed,
            in_flight: board.in_flight(),
            tasks: Some(tasks),
            phase: if stop.is_raised() { Phase::Draining } else { Phase::Serving },
            interval_ms: u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX),
        }
    }
}
