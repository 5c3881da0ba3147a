//! A broker of its own, a worker that fetches from it, and what they are asked most.

use std::time::Duration;

use logmon_core::celery::{Arguments, NewTask, Outcome, TaskId, TaskMessage};
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_core::page::Page;
use logmon_store::broker::{Broker, Burial, DeadLetterFilter, Fetched, Finish, Held, MAX_DELIVERIES, WorkerId};
use logmon_store::testing::TestBroker;
use redis::Commands as _;

pub(crate) const QUEUE: &str = "celery";

pub(crate) struct Rig {
    pub(crate) test: TestBroker,
    pub(crate) worker: WorkerId,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::on(TestBroker::new())
    }

    pub(crate) fn on(test: TestBroker) -> Self {
        Self { test, worker: WorkerId("w1".to_owned()) }
    }

    pub(crate) fn broker(&self) -> &Broker {
        &self.test.broker
    }

    pub(crate) fn push(&self) -> TaskId {
        let task = NewTask::new("t", QUEUE, Arguments::default());
        self.broker().enqueue(&task).unwrap();
        task.id
    }

    pub(crate) fn fetch(&self) -> Option<Fetched> {
        self.fetch_as(&self.worker)
    }

    pub(crate) fn fetch_as(&self, worker: &WorkerId) -> Option<Fetched> {
        self.broker().fetch(&[QUEUE.to_owned()], worker, 1).unwrap().fetched.pop()
    }

    /// A worker that holds so many messages dies.
    pub(crate) fn die(&self, worker: &WorkerId, held: u64) {
        self.test.connect().del::<_, ()>(self.broker().keys().heartbeat(worker)).unwrap();
        assert_eq!(self.broker().reap().unwrap(), held);
    }

    /// What waits to be due is due, and this is how many messages that was.
    pub(crate) fn time_passes(&self) -> u64 {
        let (mut conn, delayed) = (self.test.connect(), self.broker().keys().delayed());
        let waiting: Vec<String> = conn.zrange(&delayed, 0, -1).unwrap();
        for tag in waiting {
            conn.zadd::<_, _, _, ()>(&delayed, tag, 1).unwrap();
        }
        self.broker().promote().unwrap()
    }

    /// So many workers begin the next message, one after the other, and die of it.
    pub(crate) fn die_of_the_next(&self, times: u32) {
        for n in 1..=times {
            let worker = WorkerId(format!("w{n}"));
            self.broker().renew(&worker, Duration::from_secs(60)).unwrap();
            let fetched = self.fetch_as(&worker).unwrap();
            assert_eq!(fetched.deliveries, n);
            assert_eq!(self.broker().suspect(&worker, &fetched.tag).unwrap(), Held::Yes);
            self.die(&worker, 1);
            assert_eq!(self.time_passes(), u64::from((2..MAX_DELIVERIES).contains(&n)));
        }
    }

    pub(crate) fn id(fetched: &Fetched) -> TaskId {
        TaskMessage::decode(&fetched.raw).unwrap().id
    }

    pub(crate) fn count(&self, key: &str) -> u64 {
        let mut conn = self.test.connect();
        let kind: String = redis::cmd("TYPE").arg(key).query(&mut conn).unwrap();
        match kind.as_str() {
            "hash" => conn.hlen(key).unwrap(),
            "zset" => conn.zcard(key).unwrap(),
            "set" => conn.scard(key).unwrap(),
            "list" => conn.llen(key).unwrap(),
            _ => 0,
        }
    }

    /// Nothing in flight, nothing delayed, nothing counted.
    pub(crate) fn assert_at_rest(&self) {
        let keys = self.broker().keys();
        for key in [
            keys.unacked(),
            keys.unacked_index(),
            keys.deliveries(),
            keys.holders(),
            keys.delayed(),
            keys.delayed_body(),
            keys.delayed_count(),
        ] {
            assert_eq!(self.count(&key), 0, "{key}");
        }
    }

    pub(crate) fn dead_letters(&self) -> Vec<String> {
        let letters =
            self.broker().dead_letters(&DeadLetterFilter::default(), Page { limit: 100, after: None }).unwrap();
        letters.into_iter().map(|letter| letter.reason).collect()
    }

    pub(crate) fn finish(&self, fetched: &Fetched, task: &TaskId, outcome: &Outcome) -> Held {
        self.finish_as(&self.worker, fetched, task, outcome)
    }

    pub(crate) fn finish_as(&self, worker: &WorkerId, fetched: &Fetched, task: &TaskId, outcome: &Outcome) -> Held {
        let finish = ending(fetched, task, outcome);
        self.broker().finish(worker, &[finish]).unwrap().remove(0).unwrap()
    }
}

pub(crate) fn ending(fetched: &Fetched, task: &TaskId, outcome: &Outcome) -> Finish {
    let document = Some(outcome.document(task, SystemClock.now()));
    Finish { tag: fetched.tag.clone(), task: task.clone(), document, publish: Vec::new(), keep: Vec::new() }
}

pub(crate) fn burial(fetched: &Fetched) -> Burial {
    Burial { tag: fetched.tag.clone(), reason: "x".to_owned(), deliveries: 1, failure: None }
}

pub(crate) fn success(json: &str) -> Outcome {
    Outcome::Success(serde_json::from_str(json).unwrap())
}
