//! The queues on a real Redis: what is fetched is in flight at once, and comes to exactly one end.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

use std::time::Duration;

use chrono::{DateTime, Utc};
use logmon_core::celery::{Arguments, Exception, NewTask, Outcome, Priority, Status, TaskId, TaskMessage};
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_store::broker::{Broker, Dispatch, Due, Fetched, Finish, Held, MAX_DELIVERIES, WorkerId};
use logmon_store::testing::TestBroker;
use redis::Commands as _;

const QUEUE: &str = "celery";

struct Rig {
    test: TestBroker,
    worker: WorkerId,
}

impl Rig {
    fn new() -> Self {
        Self { test: TestBroker::new(), worker: WorkerId("w1".to_owned()) }
    }

    fn broker(&self) -> &Broker {
        &self.test.broker
    }

    fn push(&self) -> TaskId {
        let task = NewTask::new("t", QUEUE, Arguments::default());
        self.broker().enqueue(&task).unwrap();
        task.id
    }

    fn fetch(&self) -> Option<Fetched> {
        self.fetch_as(&self.worker)
    }

    fn fetch_as(&self, worker: &WorkerId) -> Option<Fetched> {
        self.broker().fetch(&[QUEUE.to_owned()], worker).unwrap().fetched
    }

    fn id(fetched: &Fetched) -> TaskId {
        TaskMessage::decode(&fetched.raw).unwrap().id
    }

    fn count(&self, key: &str) -> u64 {
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
    fn assert_at_rest(&self) {
        let keys = self.broker().keys();
        for key in [
            keys.unacked(),
            keys.unacked_index(),
            keys.inflight(&self.worker),
            keys.deliveries(),
            keys.holders(),
            keys.delayed(),
            keys.delayed_body(),
        ] {
            assert_eq!(self.count(&key), 0, "{key}");
        }
    }

    fn dead_letters(&self) -> Vec<String> {
        self.test.connect().lrange(self.broker().keys().dead(), 0, -1).unwrap()
    }

    fn finish(&self, fetched: &Fetched, task: &TaskId, outcome: &Outcome) -> Held {
        let document = outcome.document(task, SystemClock.now());
        let finish = Finish { tag: &fetched.tag, task, document: Some(&document), next: None };
        self.broker().finish(&self.worker, &finish).unwrap()
    }
}

fn success(json: &str) -> Outcome {
    Outcome::Success(serde_json::from_str(json).unwrap())
}

#[test]
fn a_task_is_fetched_in_order_and_finished_with_its_result() {
    let rig = Rig::new();
    let ids: Vec<_> = (0..3).map(|_| rig.push()).collect();
    for id in &ids {
        let fetched = rig.fetch().unwrap();
        assert_eq!(Rig::id(&fetched), *id);
        assert_eq!(rig.broker().result(id).unwrap().status, Status::Pending);
        assert_eq!(rig.finish(&fetched, id, &success("7")), Held::Yes);
        let result = rig.broker().result(id).unwrap();
        assert_eq!((result.status, result.result.get()), (Status::Success, "7"));
    }
    assert!(rig.fetch().is_none());
    rig.assert_at_rest();
}

#[test]
fn the_result_is_published_and_expires_and_a_success_stands() {
    let rig = Rig::new();
    let id = rig.push();
    let mut conn = rig.test.connect();
    let mut listener = conn.as_pubsub();
    let key = rig.broker().keys().result(&id);
    listener.subscribe(&key).unwrap();
    assert_eq!(rig.finish(&rig.fetch().unwrap(), &id, &success("1")), Held::Yes);
    let published: String = listener.get_message().unwrap().get_payload().unwrap();
    drop(listener);
    let (stored, ttl): (String, i64) = redis::pipe().get(&key).ttl(&key).query(&mut rig.test.connect()).unwrap();
    assert_eq!(stored, published);
    assert!((3_500..=3_600).contains(&ttl), "{ttl}");

    // The same task again, now failing: its success stands.
    rig.broker().enqueue(&NewTask { id: id.clone(), ..NewTask::new("t", QUEUE, Arguments::default()) }).unwrap();
    let failure = Outcome::Failure(Exception::failed("late"));
    assert_eq!(rig.finish(&rig.fetch().unwrap(), &id, &failure), Held::Yes);
    assert_eq!(rig.broker().result(&id).unwrap().status, Status::Success);
}

#[test]
fn urgent_messages_come_first_over_all_queues() {
    let rig = Rig::new();
    let keys = rig.broker().keys();
    let mut conn = rig.test.connect();
    let message = |queue: &str| NewTask::new("t", queue, Arguments::default()).encode("o");
    for (queue, priority) in [("a", 3), ("b", 2), ("a", 1), ("b", 0)] {
        conn.lpush::<_, _, ()>(keys.queue(queue, Priority::STEPS[priority]), message(queue)).unwrap();
    }
    let queues = ["a".to_owned(), "b".to_owned()];
    let order: Vec<String> = std::iter::from_fn(|| rig.broker().fetch(&queues, &rig.worker).unwrap().fetched)
        .map(|fetched| String::from_utf8(fetched.raw).unwrap())
        .map(|raw| raw.split("\"routing_key\":\"").nth(1).unwrap()[..1].to_owned())
        .collect();
    assert_eq!(order, ["b", "a", "b", "a"]);
}

#[test]
fn what_a_dead_worker_held_comes_back_once_and_its_report_is_refused() {
    let rig = Rig::new();
    let id = rig.push();
    rig.broker().renew(&rig.worker, Duration::from_secs(60)).unwrap();
    let held = rig.fetch().unwrap();
    assert_eq!(rig.broker().reap().unwrap(), 0, "it is alive");

    let mut conn = rig.test.connect();
    conn.del::<_, ()>(rig.broker().keys().heartbeat(&rig.worker)).unwrap();
    assert_eq!(rig.broker().reap().unwrap(), 1);
    assert_eq!(rig.broker().reap().unwrap(), 0);
    assert_eq!(rig.finish(&held, &id, &success("1")), Held::Lost);
    assert_eq!(rig.broker().result(&id).unwrap().status, Status::Pending);

    let other = WorkerId("w2".to_owned());
    let again = rig.fetch_as(&other).unwrap();
    assert_eq!((Rig::id(&again), again.deliveries), (id.clone(), 2));
    assert_eq!(again.raw, held.raw, "not a byte has changed");
    // The first one wakes up while the second is at work: whatever it says changes nothing.
    assert_eq!(rig.finish(&held, &id, &Outcome::Failure(Exception::failed("late"))), Held::Lost);
    assert_eq!(rig.broker().delay(&rig.worker, &held.tag, Due::In(Duration::ZERO)).unwrap(), Held::Lost);
    assert_eq!(rig.broker().bury(&rig.worker, &held.tag, "x", None).unwrap(), Held::Lost);
    assert_eq!(rig.broker().leave(&rig.worker).unwrap(), 0);
    let document = success("2").document(&id, SystemClock.now());
    let finish = Finish { tag: &again.tag, task: &id, document: Some(&document), next: None };
    assert_eq!(rig.broker().finish(&other, &finish).unwrap(), Held::Yes);
    assert_eq!(rig.broker().result(&id).unwrap().status, Status::Success);
    rig.assert_at_rest();
}

#[test]
fn a_task_that_kills_every_worker_becomes_a_dead_letter() {
    let rig = Rig::new();
    rig.push();
    for n in 1..=MAX_DELIVERIES {
        let worker = WorkerId(format!("w{n}"));
        rig.broker().renew(&worker, Duration::from_secs(60)).unwrap();
        assert_eq!(rig.fetch_as(&worker).unwrap().deliveries, n);
        rig.test.connect().del::<_, ()>(rig.broker().keys().heartbeat(&worker)).unwrap();
        assert_eq!(rig.broker().reap().unwrap(), 1);
    }
    assert!(rig.fetch().is_none());
    assert!(rig.dead_letters()[0].contains("fetched 5 times without an end"));
    rig.assert_at_rest();
}

#[test]
fn a_worker_that_leaves_gives_back_what_it_holds_uncounted() {
    let rig = Rig::new();
    for _ in 0..3 {
        rig.push();
    }
    for _ in 0..MAX_DELIVERIES * 2 {
        while rig.fetch().is_some() {}
        assert_eq!(rig.broker().leave(&rig.worker).unwrap(), 3);
    }
    assert_eq!(rig.broker().depth(QUEUE).unwrap(), 3);
    assert_eq!(rig.fetch().unwrap().deliveries, 1);
}

#[test]
fn a_retry_waits_in_redis_and_comes_back() {
    let rig = Rig::new();
    let id = rig.push();
    let fetched = rig.fetch().unwrap();
    let message = TaskMessage::decode(&fetched.raw).unwrap();
    let next = message.retry(SystemClock.now());
    let document = Outcome::Retry(Exception::failed("x")).document(&id, SystemClock.now());
    let finish = |pause: u64| Finish {
        tag: &fetched.tag,
        task: &id,
        document: Some(&document),
        next: Some((&next.message, &next.delivery_tag, Duration::from_secs(pause))),
    };
    assert_eq!(rig.broker().finish(&rig.worker, &finish(3_600)).unwrap(), Held::Yes);
    assert_eq!(rig.broker().result(&id).unwrap().status, Status::Retry);
    assert_eq!(rig.broker().promote().unwrap(), 0, "it is not due");
    assert!(rig.fetch().is_none());
    // The hour passes.
    let delayed = rig.broker().keys().delayed();
    rig.test.connect().zadd::<_, _, _, ()>(delayed, &next.delivery_tag, 1).unwrap();
    assert_eq!(rig.broker().promote().unwrap(), 1);
    let again = rig.fetch().unwrap();
    assert_eq!(TaskMessage::decode(&again.raw).unwrap().retries, 1);
    assert_eq!(rig.finish(&again, &id, &success("1")), Held::Yes);
    rig.assert_at_rest();
}

#[test]
fn a_message_for_later_is_not_held_by_a_worker() {
    let rig = Rig::new();
    rig.push();
    let fetched = rig.fetch().unwrap();
    let due: DateTime<Utc> = SystemClock.now() + Duration::from_secs(3_600);
    assert_eq!(rig.broker().delay(&rig.worker, &fetched.tag, Due::At(due)).unwrap(), Held::Yes);
    let keys = rig.broker().keys();
    assert_eq!((rig.count(&keys.unacked()), rig.count(&keys.delayed())), (0, 1));
    rig.test.connect().zadd::<_, _, _, ()>(keys.delayed(), &fetched.tag, 1).unwrap();
    rig.broker().promote().unwrap();
    let again = rig.fetch().unwrap();
    assert_eq!((again.raw, again.deliveries), (fetched.raw, 1));
}

#[test]
fn what_is_no_message_becomes_a_dead_letter_and_blocks_nothing() {
    let rig = Rig::new();
    let list = rig.broker().keys().queue(QUEUE, Priority::default());
    let good = NewTask::new("t", QUEUE, Arguments::default()).encode("o");
    let junk: [&[u8]; 8] = [
        b"",
        b"hello",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        br#"{"properties":{"delivery_tag":1}}"#,
        br#"{"properties":{"delivery_tag":"x","delivery_info":{"exchange":""}}}"#,
    ];
    for bytes in junk {
        rig.test.connect().lpush::<_, _, ()>(&list, bytes).unwrap();
    }
    rig.test.connect().lpush::<_, _, ()>(&list, &good).unwrap();
    assert_eq!(rig.fetch().unwrap().raw, good.into_bytes());
    assert_eq!(rig.count(&rig.broker().keys().dead()), 8);
    assert_eq!(rig.broker().depth(QUEUE).unwrap(), 0);
}

#[test]
fn a_second_message_with_the_same_tag_cannot_push_the_first_out() {
    let rig = Rig::new();
    let raw = NewTask::new("t", QUEUE, Arguments::default()).encode("o");
    let list = rig.broker().keys().queue(QUEUE, Priority::default());
    for _ in 0..2 {
        rig.test.connect().lpush::<_, _, ()>(&list, &raw).unwrap();
    }
    assert!(rig.fetch().is_some());
    assert!(rig.fetch().is_none());
    assert!(rig.dead_letters()[0].contains("in flight already"));
}

#[test]
fn a_slot_is_pushed_once_however_many_beats_try() {
    let rig = Rig::new();
    let slot = |n: i64| DateTime::from_timestamp(1_700_000_000 + n, 0).unwrap();
    assert_eq!(rig.broker().last_slot("e", slot(0)).unwrap(), slot(0));
    assert_eq!(rig.broker().last_slot("e", slot(5)).unwrap(), slot(0), "the first beat's beginning stands");
    let dispatch = |n| {
        let task = NewTask::new("t", QUEUE, Arguments::default());
        rig.broker().dispatch("e", slot(n), &task).unwrap()
    };
    let pushed: usize = std::thread::scope(|scope| {
        let beats: Vec<_> =
            (0..8).map(|_| scope.spawn(|| (1..=20).filter(|n| dispatch(*n) == Dispatch::Pushed).count())).collect();
        beats.into_iter().map(|beat| beat.join().unwrap()).sum()
    });
    assert_eq!(rig.broker().depth(QUEUE).unwrap(), u64::try_from(pushed).unwrap());
    assert_eq!(dispatch(20), Dispatch::AlreadyDone);
    assert_eq!(dispatch(21), Dispatch::Pushed);
}

#[test]
fn a_message_as_deep_as_can_be_read_comes_back_too() {
    let rig = Rig::new();
    let raw = NewTask::new("t", QUEUE, Arguments::default()).encode("o");
    let deep = "[".repeat(997) + &"]".repeat(997);
    let raw = raw.replacen("\"stamps\":{}", &format!("\"stamps\":{deep}"), 1);
    rig.test.connect().lpush::<_, _, ()>(rig.broker().keys().queue(QUEUE, Priority::default()), &raw).unwrap();
    let look = rig.broker().fetch(&[QUEUE.to_owned()], &rig.worker).unwrap();
    if look.fetched.is_some() {
        assert_eq!(rig.broker().leave(&rig.worker).unwrap(), 1);
        assert_eq!(rig.fetch().unwrap().raw, raw.into_bytes());
    } else {
        assert_eq!(look.buried, 1);
    }
}

#[test]
fn a_result_that_cannot_be_stored_leaves_the_message_in_flight() {
    let rig = Rig::new();
    let id = rig.push();
    let fetched = rig.fetch().unwrap();
    let key = rig.broker().keys().result(&id);
    rig.test.connect().lpush::<_, _, ()>(&key, "not a string").unwrap();
    let document = success("1").document(&id, SystemClock.now());
    let finish = Finish { tag: &fetched.tag, task: &id, document: Some(&document), next: None };
    assert!(rig.broker().finish(&rig.worker, &finish).is_err());
    rig.test.connect().del::<_, ()>(&key).unwrap();
    assert_eq!(rig.broker().finish(&rig.worker, &finish).unwrap(), Held::Yes);
    rig.assert_at_rest();
}

#[test]
fn a_slot_far_ahead_does_not_silence_the_schedule() {
    let rig = Rig::new();
    let now = SystemClock.now();
    let slots = rig.broker().keys().slots();
    rig.test
        .connect()
        .hset::<_, _, _, ()>(&slots, "e", (now + Duration::from_secs(86_400)).timestamp_millis())
        .unwrap();
    assert_eq!(rig.broker().last_slot("e", now).unwrap(), now);
    let task = NewTask::new("t", QUEUE, Arguments::default());
    assert_eq!(rig.broker().dispatch("e", now, &task).unwrap(), Dispatch::Pushed);
    assert_eq!(rig.broker().dispatch("e", now, &task).unwrap(), Dispatch::AlreadyDone);
}

#[test]
fn the_binding_of_a_queue_is_named_as_kombu_does() {
    let rig = Rig::new();
    rig.push();
    let members: Vec<Vec<u8>> = rig.test.connect().smembers(rig.broker().keys().binding(QUEUE)).unwrap();
    assert_eq!(members, [b"celery\x06\x16\x06\x16celery".to_vec()]);
}
