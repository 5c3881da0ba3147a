//! How much there is of everything, for those who watch.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

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
    /// How many bytes these have.
    pub dead_letter_bytes: u64,
    /// How many of them were dropped so far, for their age or for room.
    pub dead_letters_dropped: u64,
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
    /// How long the one that has waited longest, of those that are served next, has been due; `None` while nothing waits. Of
    /// a message that does not say when it was put there, as those of Python's producers, it is at least so long.
    pub oldest: Option<Duration>,
    /// How many of its messages workers of ours held when each said so last, with a heartbeat.
    pub in_flight: u64,
    /// How many of its messages are not due yet.
    pub delayed: u64,
    /// Whether it stands still.
    pub paused: bool,
}

/// What is known of queues, whatever is on them.
pub(super) struct Known {
    pub names: BTreeSet<String>,
    paused: HashSet<String>,
    delayed: HashMap<String, u64>,
}

impl Broker {
    /// How much there is of everything. Known are the queues `names`, those that a process of ours has served or put
    /// something on, and those that stand still.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn figures(&self, names: &[&str]) -> Result<Figures, BrokerError> {
        let keys = &self.keys;
        let Known { names, paused, delayed } = self.known(names)?;
        let mut heads = self.heads(&names)?.into_iter();
        let workers = self.listed_workers()?;
        let held = self.held_by_queue(&workers)?;
        let mut pipe = redis::pipe();
        pipe.hlen(keys.unacked()).zcard(keys.delayed()).xlen(keys.dead());
        for worker in &workers {
            pipe.exists(keys.heartbeat(worker));
        }
        let mut counts = self.with(|conn| pipe.query::<Vec<u64>>(conn))?.into_iter();
        let dead: HashMap<String, u64> = self.with(|conn| conn.hgetall(keys.dead_totals()))?;
        let mut next = || counts.next().unwrap_or_default();
        let of = |counts: &HashMap<String, u64>, name: &str| counts.get(name).copied().unwrap_or_default();
        let queues = names.into_iter().map(|name| {
            let lists: Vec<_> = Priority::STEPS.into_iter().zip(&mut heads).collect();
            QueueFigures {
                depth: lists.iter().map(|(priority, head)| (*priority, head.depth)).collect(),
                oldest: lists.iter().filter_map(|(_, head)| head.age).max(),
                in_flight: of(&held, &name),
                delayed: of(&delayed, &name),
                paused: paused.contains(&name),
                name,
            }
        });
        Ok(Figures {
            queues: queues.collect(),
            in_flight: next(),
            delayed: next(),
            dead_letters: next(),
            dead_letter_bytes: of(&dead, "bytes"),
            dead_letters_dropped: of(&dead, "dropped"),
            workers: workers.iter().map(|_| next()).sum(),
        })
    }

    /// The queues that are known, `names` among them.
    pub(super) fn known(&self, names: &[&str]) -> Result<Known, BrokerError> {
        let keys = &self.keys;
        let mut pipe = redis::pipe();
        pipe.smembers(keys.queues()).smembers(keys.paused()).hgetall(keys.delayed_count());
        let (served, paused, delayed): (Vec<String>, HashSet<String>, HashMap<String, u64>) =
            self.with(|conn| pipe.query(conn))?;
        let names = names.iter().map(|name| (*name).to_owned());
        let names = names.chain(served).chain(paused.iter().chain(delayed.keys()).cloned()).collect();
        Ok(Known { names, paused, delayed })
    }

    /// How many messages of each queue these workers held when they said so last.
    fn held_by_queue(&self, workers: &[WorkerId]) -> Result<HashMap<String, u64>, BrokerError> {
        let mut held = HashMap::new();
        for (queue, count) in self.said_by(workers)?.into_iter().flatten().flat_map(|said| said.in_flight) {
            *held.entry(queue).or_default() += count;
        }
        Ok(held)
    }
}
