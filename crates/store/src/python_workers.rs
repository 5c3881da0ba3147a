//! Python's workers: what they say of themselves is kept in Redis, beside what ours say there.
//!
//! They say it with their events, of which nothing is left for whoever asks later. So every process of ours that serves
//! listens, on a thread and with connections of its own, and keeps what it hears, at most every [`INTERVAL`] for each. What
//! their events leave out, they are asked for.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use logmon_core::celery::control::Request;
use logmon_core::celery::event::{self, Event, Stamped};
use logmon_core::celery::{LamportClock, NodeName};
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_core::worker::{Answer, Heartbeat};
use serde_json::{Map, Value};

use crate::broker::{Broker, BrokerError, WorkerId};

/// How often what one of them says is kept.
const INTERVAL: Duration = Duration::from_secs(5);
/// How often they are asked for what their events leave out.
const ASK: Duration = Duration::from_secs(60);
/// How long they may take to answer.
const PATIENCE: Duration = Duration::from_millis(900);
/// So many are known at most.
const KNOWN_MAX: usize = 1_000;
/// How long after a connection was lost the next one is tried.
const AGAIN: Duration = Duration::from_secs(1);

/// Starts the thread, which ends with the process. It needs one connection of `broker`.
pub fn watch(broker: Broker) {
    std::thread::spawn(move || {
        let mut listener = Listener { broker: broker.clone(), clock: LamportClock::default(), known: HashMap::new() };
        loop {
            if let Err(error) = broker.listen_to_workers(|raw| listener.hear(raw)) {
                // Others say that Redis is away.
                log::debug!("Python's workers are not heard: {error}");
            }
            std::thread::sleep(AGAIN.mul_f64(0.5 + rand::random::<f64>()));
        }
    });
}

struct Listener {
    broker: Broker,
    clock: LamportClock,
    known: HashMap<NodeName, Known>,
}

/// One of them.
struct Known {
    pid: u32,
    heard: Instant,
    kept: Option<Instant>,
    asked: Option<Instant>,
    answer: Answer,
}

impl Listener {
    fn hear(&mut self, raw: &[u8]) {
        for said in event::decode(raw).unwrap_or_default() {
            if let Err(error) = self.keep(&said) {
                log::debug!("what a worker says is not kept: {error}");
            }
        }
    }

    fn keep(&mut self, said: &Stamped) -> Result<(), BrokerError> {
        let Some(heartbeat) = Heartbeat::of_celery(said, INTERVAL) else { return Ok(()) };
        let (name, now) = (&heartbeat.name, Instant::now());
        let id = WorkerId(name.to_string());
        if matches!(said.event, Event::WorkerOffline(_)) {
            self.known.remove(name);
            return self.broker.forget(&id);
        }
        self.make_room(now);
        let known = self.known.entry(name.clone()).or_insert_with(|| Known::new(said.pid, now));
        if known.pid != said.pid {
            *known = Known::new(said.pid, now);
        }
        known.heard = now;
        if known.kept.is_some_and(|kept| now - kept < INTERVAL) {
            return Ok(());
        }
        known.kept = Some(now);
        if known.is_due(now) {
            self.ask(now)?;
        }
        let answer = self.known.get(&heartbeat.name).map(|known| known.answer.clone()).unwrap_or_default();
        self.broker.show(&id, &Heartbeat { queues: answer.queues, concurrency: answer.concurrency, ..heartbeat })
    }

    /// Makes room for one more: those that have not been heard of for long are forgotten.
    fn make_room(&mut self, now: Instant) {
        if self.known.len() >= KNOWN_MAX {
            self.known.retain(|_, known| now - known.heard < ASK);
        }
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
    }

    /// Asks all that are due at once.
    fn ask(&mut self, now: Instant) -> Result<(), BrokerError> {
        let due = self.known.iter().filter(|(_, known)| known.is_due(now));
        let due: Vec<NodeName> = due.map(|(name, _)| name.clone()).collect();
        for name in &due {
            if let Some(known) = self.known.get_mut(name) {
                known.asked = Some(now);
            }
        }
        for method in Answer::METHODS {
            let request = Request { destination: Some(due.clone()), ..Request::to_all(method, Map::new()) };
            let expires = event::seconds(SystemClock.now() + PATIENCE);
            for (name, value) in self.broker.ask(&request, &self.clock, expires, PATIENCE)? {
                self.learn(&name, &value);
            }
        }
        Ok(())
    }

    fn learn(&mut self, name: &str, value: &Value) {
        if let Some((_, known)) = self.known.iter_mut().find(|(node, _)| node.as_str() == name) {
            known.answer.learn(value);
        }
    }
}

impl Known {
    fn new(pid: u32, heard: Instant) -> Self {
        Self { pid, heard, kept: None, asked: None, answer: Answer::default() }
    }

    /// Whether it is to be asked. One that has just begun, or whose only thread is busy, does not answer.
    fn is_due(&self, now: Instant) -> bool {
        let again = if self.answer.is_complete() { ASK } else { INTERVAL };
        self.asked.is_none_or(|asked| now - asked >= again)
    }
}
