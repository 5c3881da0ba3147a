//! How much there is of everything, for those who watch.

use std::collections::BTreeSet;

use logmon_core::celery::Priority;
use redis::Commands as _;

use super::{Broker, BrokerError, WorkerId};

/// How much there is on Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// The queues that are known, by their names.
    pub queues: Vec<QueueFigures>,
    /// Messages that a worker holds, Python's workers included.
    pub in_flight: u64,
    /// Messages that are not due yet.
    pub delayed: u64,
    /// Messages that were given up.
    pub dead_letters: u64,
    /// Workers of ours that are alive.
    pub workers: u64,
}

/// How much there is on a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueFigures {
    /// Its name.
    pub name: String,
    /// How many messages wait, by their priority, the most urgent first.
    pub depth: Vec<(Priority, u64)>,
    /// Whether it stands still.
    pub paused: bool,
}

impl Broker {
    /// How much there is of everything. Known are the queues `names`, those that a process of ours has served or put
    /// something on, and those that stand still.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn figures(&self, names: &[&str]) -> Result<Figures, BrokerError> {
        let keys = &self.keys;
        let paused = self.paused()?;
        let mut known: BTreeSet<String> = self.with(|conn| conn.smembers(keys.queues()))?;
        known.extend(names.iter().map(|name| (*name).to_owned()));
        known.extend(paused.iter().cloned());
        let workers: Vec<String> = self.with(|conn| conn.smembers(keys.workers()))?;
        let mut pipe = redis::pipe();
        pipe.hlen(keys.unacked()).zcard(keys.delayed()).xlen(keys.dead());
        for worker in &workers {
            pipe.exists(keys.heartbeat(&WorkerId(worker.clone())));
        }
        for name in &known {
            for priority in Priority::STEPS {
                pipe.llen(keys.queue(name, priority));
            }
        }
        let mut counts = self.with(|conn| pipe.query::<Vec<u64>>(conn))?.into_iter();
        let mut next = || counts.next().unwrap_or_default();
        let (in_flight, delayed, dead_letters) = (next(), next(), next());
        let workers = workers.iter().map(|_| next()).sum();
        let mut queue = |name: String| {
            let depth = Priority::STEPS.into_iter().map(|priority| (priority, next())).collect();
            QueueFigures { paused: paused.contains(&name), name, depth }
        };
        let queues = known.into_iter().map(&mut queue).collect();
        Ok(Figures { queues, in_flight, delayed, dead_letters, workers })
    }
}
