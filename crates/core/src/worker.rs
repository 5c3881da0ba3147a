//! What a worker says of itself with each heartbeat, and what its silence means.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::celery::event::{Event, Stamped};
use crate::celery::{NodeName, TaskId, TaskMessage};

/// So many of its tasks does a worker name, those that run the longest: a heartbeat has a bound.
pub const TASKS_MAX: usize = 100;

/// What our program is called among workers; Celery's is `py-celery`.
pub const PROGRAM: &str = "logmon";

/// So many characters of a name or an id are told.
const TEXT_MAX: usize = 255;

/// What a worker says of itself. Python's leave out what is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// What it is called.
    pub name: NodeName,
    /// The machine that it runs on.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// Its program: [`PROGRAM`], or that of another kind of worker.
    #[serde(default = "ours")]
    pub program: String,
    /// The version of that.
    pub version: String,
    /// The queues that it serves.
    pub queues: Option<Vec<String>>,
    /// How many tasks it runs at the same time, at most.
    pub concurrency: Option<usize>,
    /// How many of them run.
    pub busy: usize,
    /// How many it has begun since its start.
    pub processed: u64,
    /// How many messages it holds, by the queue that they lay on: those that run and those that wait for a slot.
    #[serde(default)]
    pub in_flight: BTreeMap<String, u64>,
    /// Those that run, the longest first.
    pub tasks: Option<Vec<RunningTask>>,
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

fn ours() -> String {
    PROGRAM.to_owned()
}

// A producer may call a task whatever it likes.
fn shortened(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

impl Heartbeat {
    /// What a worker of another kind says of itself by an event, when that is kept at most every `interval`. `None` for any
    /// other event, and for our own workers, which say more.
    pub fn of_celery(said: &Stamped, interval: Duration) -> Option<Self> {
        let (Event::WorkerOnline(status) | Event::WorkerHeartbeat(status) | Event::WorkerOffline(status)) = &said.event
        else {
            return None;
        };
        let name = said.hostname.as_str();
        if status.sw_ident == PROGRAM || name.len() > TEXT_MAX {
            return None;
        }
        let between = Duration::try_from_secs_f64(status.freq).unwrap_or_default().max(interval);
        Some(Self {
            name: said.hostname.clone(),
            host: name.split_once('@').map_or(name, |(_, host)| host).to_owned(),
            pid: said.pid,
            program: shortened(&status.sw_ident),
            version: shortened(&status.sw_ver),
            queues: None,
            concurrency: None,
            busy: status.active,
            processed: status.processed,
            in_flight: BTreeMap::new(),
            tasks: None,
            phase: Phase::Serving,
            interval_ms: u64::try_from(between.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// How the worker is that said this so long ago.
    pub fn state(&self, silence: Duration) -> WorkerState {
        match self.phase {
            _ if silence > 2 * Duration::from_millis(self.interval_ms) => WorkerState::Lost,
            Phase::Serving => WorkerState::Ok,
            Phase::Draining => WorkerState::Draining,
        }
    }
}

/// What Python's workers say when they are asked, and their events leave out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The queues that it serves.
    pub queues: Option<Vec<String>>,
    /// How many tasks it runs at the same time, at most.
    pub concurrency: Option<usize>,
}

impl Answer {
    /// The methods of remote control whose replies [`Answer::learn`] reads.
    pub const METHODS: [&str; 2] = ["active_queues", "stats"];

    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.queues.is_some() && self.concurrency.is_some()
    }

    /// Learns from a reply, whichever of the two it is.
    pub fn learn(&mut self, reply: &Value) {
        if let Some(queues) = reply.as_array() {
            let names = queues.iter().filter_map(|queue| queue.get("name")?.as_str());
            self.queues = Some(names.take(TASKS_MAX).map(shortened).collect());
        }
        let concurrency = reply.pointer("/pool/max-concurrency").and_then(Value::as_u64);
        self.concurrency = concurrency.and_then(|count| usize::try_from(count).ok()).or(self.concurrency);
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
            program: PROGRAM.to_owned(),
            version: "0".to_owned(),
            queues: Some(Vec::new()),
            concurrency: Some(2),
            busy: 0,
            processed: 0,
            in_flight: BTreeMap::from([("q".to_owned(), 3)]),
            tasks: Some(Vec::new()),
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

    #[test]
    fn celerys_workers_say_less_and_our_own_are_not_heard_twice() {
        let said = |program: &str, kind: &str| -> Stamped {
            serde_json::from_value(serde_json::json!({
                "type": kind, "hostname": "celery@web1", "pid": 4711, "clock": 3, "timestamp": 1.5, "utcoffset": -8, "freq": 2.0,
                "active": 1, "processed": 96, "loadavg": [0.1, 0.2, 0.3], "sw_ident": program, "sw_ver": "5.7.0", "sw_sys": "Linux",
            }))
            .unwrap()
        };
        let interval = Duration::from_secs(5);
        let heard = Heartbeat::of_celery(&said("py-celery", "worker-heartbeat"), interval).unwrap();
        assert_eq!((heard.name.as_str(), heard.host.as_str(), heard.pid), ("celery@web1", "web1", 4711));
        assert_eq!((heard.program.as_str(), heard.version.as_str()), ("py-celery", "5.7.0"));
        assert_eq!((heard.busy, heard.processed, heard.interval_ms), (1, 96, 5_000));
        assert_eq!((heard.queues, heard.concurrency, heard.tasks), (None, None, None));
        assert_eq!(Heartbeat::of_celery(&said(PROGRAM, "worker-online"), interval), None);
    }

    #[test]
    fn what_celerys_workers_answer_is_read_whichever_reply_comes() {
        let mut answer = Answer::default();
        answer.learn(&serde_json::json!([{"name": "celery"}, {"name": "slow", "exchange": {}}, {}]));
        answer.learn(&serde_json::json!({"pool": {"max-concurrency": 4}, "pid": 7}));
        answer.learn(&serde_json::json!({"error": "no"}));
        let queues = Some(vec!["celery".to_owned(), "slow".to_owned()]);
        assert_eq!(answer, Answer { queues, concurrency: Some(4) });
    }
}
