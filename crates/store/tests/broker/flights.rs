//! One message's way: fetched, held, and ended, put back, delayed or buried.

use std::time::Duration;

use chrono::{DateTime, Utc};
use logmon_core::celery::{Arguments, Exception, NewTask, Outcome, Priority, Status, TaskMessage};
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_store::broker::{Burial, Due, Finish, Held, MAX_DELIVERIES, Publish, WorkerId};
use redis::Commands as _;

use crate::rig::{QUEUE, Rig, burial, ending, success};

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
    let order: Vec<String> = std::iter::from_fn(|| rig.broker().fetch(&queues, &rig.worker, 1).unwrap().fetched.pop())
        .map(|fetched| String::from_utf8(fetched.raw).unwrap())
        .map(|raw| raw.split("\"routing_key\": \"").nth(1).unwrap()[..1].to_owned())
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
    assert_eq!(rig.broker().bury(&rig.worker, &burial(&held)).unwrap(), Held::Lost);
    assert_eq!(rig.broker().leave(&rig.worker).unwrap(), 0);
    assert_eq!(rig.finish_as(&other, &again, &id, &success("2")), Held::Yes);
    assert_eq!(rig.broker().result(&id).unwrap().status, Status::Success);
    rig.assert_at_rest();
}

#[test]
fn a_task_that_kills_every_worker_is_counted() {
    let rig = Rig::new();
    let id = rig.push();
    rig.die_of_the_next(MAX_DELIVERIES + 1);
    // Whoever gets it then buries it, and whoever waits for it hears of that.
    let fetched = rig.fetch().unwrap();
    let failure = Outcome::Failure(Exception::failed("x")).document(&id, SystemClock.now());
    let burial = Burial { failure: Some((id.clone(), failure)), ..burial(&fetched) };
    assert_eq!(rig.broker().bury(&rig.worker, &burial).unwrap(), Held::Yes);
    assert_eq!(rig.broker().result(&id).unwrap().status, Status::Failure);
    assert_eq!(rig.dead_letters().len(), 1);
    rig.assert_at_rest();
}

#[test]
fn what_was_only_fetched_when_its_workers_died_is_not_the_cause() {
    let rig = Rig::new();
    let (cause, other) = (rig.push(), rig.push());
    for n in 1..=MAX_DELIVERIES * 2 {
        let worker = WorkerId(format!("w{n}"));
        rig.broker().renew(&worker, Duration::from_secs(60)).unwrap();
        let mut fetched = [rig.fetch_as(&worker).unwrap(), rig.fetch_as(&worker).unwrap()];
        fetched.sort_by_key(|fetched| Rig::id(fetched) != cause);
        assert_eq!(fetched.each_ref().map(|fetched| fetched.deliveries), [n, n.min(2)]);
        // Also when it was begun before by a worker that gave it back.
        for tag in [&fetched[1].tag, &fetched[0].tag] {
            assert_eq!(rig.broker().suspect(&worker, tag).unwrap(), Held::Yes);
        }
        assert_eq!(rig.broker().put_back(&worker, &[fetched[1].tag.clone()]).unwrap(), 1);
        assert_eq!(Rig::id(&rig.fetch_as(&worker).unwrap()), other);
        rig.die(&worker, 2);
        rig.time_passes();
    }
    for _ in 0..2 {
        let fetched = rig.fetch().unwrap();
        assert_eq!(rig.finish(&fetched, &Rig::id(&fetched), &success("1")), Held::Yes);
    }
    rig.assert_at_rest();
}

#[test]
fn what_ended_its_worker_twice_together_comes_back_apart() {
    const TOGETHER: u64 = 8;
    let rig = Rig::new();
    for _ in 0..TOGETHER {
        rig.push();
    }
    for worker in ["w1", "w2"].map(|name| WorkerId(name.to_owned())) {
        rig.broker().renew(&worker, Duration::from_secs(60)).unwrap();
        for _ in 0..TOGETHER {
            let fetched = rig.fetch_as(&worker).expect("after the first death all are there");
            assert_eq!(rig.broker().suspect(&worker, &fetched.tag).unwrap(), Held::Yes);
        }
        rig.die(&worker, TOGETHER);
    }
    let keys = rig.broker().keys();
    let mut due: Vec<(String, f64)> = rig.test.connect().zrange_withscores(keys.delayed(), 0, -1).unwrap();
    assert_eq!(due.len(), 8);
    due.sort_by(|a, b| a.1.total_cmp(&b.1));
    assert!(due.windows(2).all(|pair| pair[1].1 - pair[0].1 > 0.05), "{due:?}");
    assert!(due[7].1 - due[0].1 < 2.0, "{due:?}");
    assert_eq!(rig.time_passes(), TOGETHER);
    while let Some(fetched) = rig.fetch() {
        assert_eq!(fetched.deliveries, 3);
        assert_eq!(rig.finish(&fetched, &Rig::id(&fetched), &success("1")), Held::Yes);
    }
    rig.assert_at_rest();
}

#[test]
fn a_worker_that_does_not_hold_a_message_begins_no_run_of_it() {
    let rig = Rig::new();
    rig.push();
    let fetched = rig.fetch().unwrap();
    assert_eq!(rig.broker().suspect(&WorkerId("w2".to_owned()), &fetched.tag).unwrap(), Held::Lost);
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
    let pause = Duration::from_secs(3_600);
    let later = Publish::Later { tag: next.delivery_tag.clone(), message: next.message, pause };
    let retry = Outcome::Retry(Exception::failed("x"));
    let finish = Finish { publish: vec![later], ..ending(&fetched, &id, &retry) };
    assert_eq!(rig.broker().finish(&rig.worker, &[finish]).unwrap().remove(0).unwrap(), Held::Yes);
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
    assert_eq!(rig.dead_letters().len(), 8);
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
fn a_message_as_deep_as_can_be_read_comes_back_too() {
    let rig = Rig::new();
    let raw = NewTask::new("t", QUEUE, Arguments::default()).encode("o");
    let deep = "[".repeat(997) + &"]".repeat(997);
    let raw = raw.replacen("\"stamps\": {}", &format!("\"stamps\": {deep}"), 1);
    rig.test.connect().lpush::<_, _, ()>(rig.broker().keys().queue(QUEUE, Priority::default()), &raw).unwrap();
    let look = rig.broker().fetch(&[QUEUE.to_owned()], &rig.worker, 1).unwrap();
    if !look.fetched.is_empty() {
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
    let other = rig.push();
    let second = rig.fetch().unwrap();
    let finishes = [ending(&fetched, &id, &success("1")), ending(&second, &other, &success("2"))];
    let answers = rig.broker().finish(&rig.worker, &finishes).unwrap();
    assert!(answers[0].is_err());
    assert_eq!(*answers[1].as_ref().unwrap(), Held::Yes, "one that cannot be kept does not keep the others");
    rig.test.connect().del::<_, ()>(&key).unwrap();
    assert_eq!(rig.finish(&fetched, &id, &success("1")), Held::Yes);
    rig.assert_at_rest();
}

#[test]
fn the_binding_of_a_queue_is_named_as_kombu_does() {
    let rig = Rig::new();
    rig.push();
    let members: Vec<Vec<u8>> = rig.test.connect().smembers(rig.broker().keys().binding(QUEUE)).unwrap();
    assert_eq!(members, [b"celery\x06\x16\x06\x16celery".to_vec()]);
}
