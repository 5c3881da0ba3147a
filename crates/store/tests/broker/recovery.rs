//! What comes back that nobody ends: a dead Python worker's messages, and those of a lost answer.

use std::time::Duration;

use logmon_core::celery::{Arguments, NewTask, Priority, Status, TaskId};
use logmon_store::broker::{Held, MAX_DELIVERIES, WorkerId};
use redis::Commands as _;

use crate::rig::{QUEUE, Rig, ending, success};

const LONG: Duration = Duration::from_secs(3_600);

/// Holds a message as kombu does, since the beginning of time.
fn hold(rig: &Rig, tag: &str, raw: &str, exchange: &str, topic: &str) {
    let keys = rig.broker().keys();
    let mut conn = rig.test.connect();
    conn.hset::<_, _, _, ()>(keys.unacked(), tag, format!("[{raw}, \"{exchange}\", \"{topic}\"]")).unwrap();
    conn.zadd::<_, _, _, ()>(keys.unacked_index(), tag, 1).unwrap();
}

/// A message, its delivery tag, and what it names as its exchange and routing key.
fn message(exchange: &str, topic: &str) -> (String, String) {
    let raw = NewTask::new("t", QUEUE, Arguments::default()).encode("o");
    let (_, tag) = raw.rsplit_once("\"delivery_tag\": \"").unwrap();
    let tag = tag.trim_end_matches("\"}}").to_owned();
    let info = format!("\"exchange\": \"{exchange}\", \"routing_key\": \"{topic}\"");
    (raw.replacen("\"exchange\": \"\", \"routing_key\": \"celery\"", &info, 1), tag)
}

#[test]
fn what_a_dead_python_worker_held_comes_back_once_it_is_old_and_is_counted() {
    let rig = Rig::new();
    let (raw, tag) = message("", QUEUE);
    for n in 1..=MAX_DELIVERIES {
        hold(&rig, &tag, &raw, "", QUEUE);
        assert_eq!(rig.broker().recover(LONG).unwrap(), 1);
        let fetched = rig.fetch().unwrap();
        assert_eq!((fetched.raw, fetched.deliveries), (raw.clone().into_bytes(), n + 1));
        // One of ours has it: only that one's death brings it back, however old it is.
        rig.test.connect().zadd::<_, _, _, ()>(rig.broker().keys().unacked_index(), &tag, 1).unwrap();
        assert_eq!(rig.broker().recover(LONG).unwrap(), 0);
        assert_eq!(rig.broker().leave(&rig.worker).unwrap(), 1);
        assert!(rig.fetch().is_some());
        rig.test.connect().hdel::<_, _, ()>(rig.broker().keys().holders(), &tag).unwrap();
    }
    let now: (u64, u64) = redis::cmd("TIME").query(&mut rig.test.connect()).unwrap();
    rig.test.connect().zadd::<_, _, _, ()>(rig.broker().keys().unacked_index(), &tag, now.0).unwrap();
    assert_eq!(rig.broker().recover(LONG).unwrap(), 0, "it may still be at work");
}

#[test]
fn what_came_through_an_exchange_goes_back_to_the_queue_that_is_bound() {
    let rig = Rig::new();
    let keys = rig.broker().keys();
    let bindings = ["logs.*.error\u{6}\u{16}^logs\\..*\u{6}\u{16}errors", "plain\u{6}\u{16}\u{6}\u{16}direct"];
    rig.test.connect().sadd::<_, _, ()>(keys.binding("topics"), &bindings[..]).unwrap();
    let routes = [("logs.eu.error", Some("errors")), ("plain", Some("direct")), ("logs.eu.west.error", None)];
    for (topic, queue) in routes {
        let (raw, tag) = message("topics", topic);
        hold(&rig, &tag, &raw, "topics", topic);
        assert_eq!(rig.broker().recover(LONG).unwrap(), 1);
        match queue {
            Some(queue) => {
                let back: Vec<String> =
                    rig.test.connect().lrange(keys.queue(queue, Priority::default()), 0, -1).unwrap();
                assert_eq!(back, [raw], "{topic}");
            }
            None => assert!(rig.dead_letters()[0].contains("no queue is bound"), "{topic}"),
        }
    }
    assert_eq!((rig.count(&keys.unacked()), rig.count(&keys.unacked_index())), (0, 0));
}

#[test]
fn what_cannot_go_back_is_a_dead_letter_and_keeps_nothing_from_coming_back() {
    let rig = Rig::new();
    let (raw, tag) = message("", QUEUE);
    hold(&rig, "a", "{\"no\": \"message\"}", "", QUEUE);
    let keys = rig.broker().keys();
    rig.test.connect().hset::<_, _, _, ()>(keys.unacked(), "b", "[1, 2]").unwrap();
    rig.test.connect().zadd_multiple::<_, _, _, ()>(keys.unacked_index(), &[(1, "b"), (1, "c")]).unwrap();
    hold(&rig, &tag, &raw, "", QUEUE);
    assert_eq!(rig.broker().recover(LONG).unwrap(), 4);
    assert_eq!(rig.dead_letters().len(), 2);
    assert_eq!(rig.fetch().map(|fetched| fetched.tag), Some(tag));
}

#[test]
fn a_server_that_takes_nothing_now_ends_no_flight_and_takes_it_later() {
    let rig = Rig::new();
    let id = rig.push();
    let fetched = rig.fetch().unwrap();
    // What it refuses in the middle of the script is a command here, where it is all of them on a replica.
    let user = TaskId::random().0;
    let allow = |what: &[&str]| {
        let mut acl = redis::cmd("ACL");
        acl.arg("SETUSER").arg(&user).arg(what).query::<()>(&mut rig.test.connect()).unwrap();
    };
    allow(&["on", "nopass", "~*", "&*", "+@all", "-set"]);
    let broker = rig.test.broker_as(&user);
    let finish = || broker.finish(&rig.worker, &[ending(&fetched, &id, &success("1"))]);
    let refused = finish().unwrap_err().to_string();
    assert!(refused.contains("run this command"), "{refused}");
    assert_eq!((rig.test.in_flight(), rig.broker().result(&id).unwrap().status), (1, Status::Pending));
    allow(&["+set"]);
    assert_eq!(finish().unwrap().remove(0).unwrap(), Held::Yes);
    assert_eq!(rig.broker().result(&id).unwrap().status, Status::Success);
    redis::cmd("ACL").arg("DELUSER").arg(&user).query::<()>(&mut rig.test.connect()).unwrap();
}

#[test]
fn what_a_worker_holds_without_knowing_goes_back() {
    let rig = Rig::new();
    let ids: Vec<_> = (0..3).map(|_| rig.push()).collect();
    let other = WorkerId("w2".to_owned());
    let [known, lost] = [rig.fetch().unwrap(), rig.fetch().unwrap()];
    rig.fetch_as(&other).unwrap();
    assert_eq!(rig.broker().put_back_unknown(&rig.worker, |tag| tag == known.tag).unwrap(), 1);
    let again = rig.fetch().unwrap();
    assert_eq!((Rig::id(&again), again.deliveries), (ids[1].clone(), 1));
    assert_eq!(again.raw, lost.raw);
    assert!(rig.fetch().is_none());
}
