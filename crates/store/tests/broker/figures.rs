//! How much there is of everything, as it is told to those who watch.

use std::collections::BTreeMap;
use std::time::Duration;

use logmon_core::celery::{Arguments, NewTask, Priority};
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_core::worker::Heartbeat;
use logmon_store::broker::{Due, Finish, Held, Publish, QueueFigures, WorkerId};
use logmon_store::testing::process::eventually;
use redis::Commands as _;

use crate::rig::{QUEUE, Rig, ending, success};
use crate::workers::heartbeat;

const LONG: Duration = Duration::from_secs(3_600);

fn queue(rig: &Rig) -> QueueFigures {
    rig.broker().figures(&[QUEUE]).unwrap().queues.into_iter().find(|queue| queue.name == QUEUE).unwrap()
}

/// A message that was put on its queue so long ago.
fn put_before(age: Duration, priority: i64) -> String {
    let task = NewTask::new("t", QUEUE, Arguments::default());
    NewTask { priority: Priority::new(priority), ..task }.encode_at("o", SystemClock.now() - age)
}

#[test]
fn the_oldest_message_of_ours_says_itself_how_long_it_has_waited() {
    let rig = Rig::new();
    assert_eq!(queue(&rig).oldest, None);
    rig.push();
    assert!(queue(&rig).oldest.unwrap() < LONG);
    let (keys, mut conn) = (rig.broker().keys(), rig.test.connect());
    let urgent = keys.queue(QUEUE, Priority::STEPS[0]);
    conn.rpush::<_, _, ()>(&urgent, put_before(LONG, 0)).unwrap();
    let hour = queue(&rig).oldest.unwrap();
    assert!(hour >= LONG && hour < 2 * LONG, "{hour:?}");
    // Whatever its priority, and behind whichever others of that.
    let patient = keys.queue(QUEUE, Priority::STEPS[3]);
    conn.lpush::<_, _, ()>(&patient, put_before(3 * LONG, 9)).unwrap();
    assert!(queue(&rig).oldest.unwrap() >= 3 * LONG);
    conn.del::<_, ()>(patient).unwrap();
    // What is not due yet keeps nobody waiting.
    conn.del::<_, ()>(&urgent).unwrap();
    let task = NewTask::new("t", QUEUE, Arguments::default());
    let later = NewTask { eta: Some(SystemClock.now() + LONG), ..task }.encode_at("o", SystemClock.now() - LONG);
    conn.lpush::<_, _, ()>(urgent, later).unwrap();
    assert_eq!((queue(&rig).oldest, rig.count(&keys.heads())), (Some(Duration::ZERO), 0));
}

#[test]
fn of_a_message_of_pythons_it_is_known_since_when_it_was_seen_to_be_the_next() {
    let rig = Rig::new();
    let push = |raw: &str| rig.test.push(QUEUE, raw.as_bytes());
    let [first, second] = [(); 2].map(|()| NewTask::new("t", QUEUE, Arguments::default()).encode("o"));
    push(&first);
    push(&second);
    // It need not be served by anybody: some process has put something on the queue.
    rig.broker().declare(&[QUEUE.to_owned()]).unwrap();
    rig.broker().note_heads().unwrap();
    let waited = |at_least: Duration| {
        eventually("it to wait", || queue(&rig).oldest.filter(|oldest| *oldest > at_least));
    };
    waited(Duration::ZERO);
    // As it would be an hour later.
    let (keys, mut conn) = (rig.broker().keys(), rig.test.connect());
    let list = keys.queue(QUEUE, Priority::STEPS[0]);
    let noted: String = conn.hget(keys.heads(), &list).unwrap();
    let (name, since) = noted.split_once(' ').unwrap();
    let since = since.parse::<u64>().unwrap() - 3_600_000;
    conn.hset::<_, _, _, ()>(keys.heads(), &list, format!("{name} {since}")).unwrap();
    waited(LONG);
    rig.fetch().unwrap();
    assert!(queue(&rig).oldest.unwrap() < LONG, "another one is the next");
    rig.fetch().unwrap();
    assert_eq!((queue(&rig).oldest, rig.count(&keys.heads())), (None, 0));
}

#[test]
fn what_is_not_due_yet_is_counted_by_its_queue_until_it_is() {
    let rig = Rig::new();
    let delayed = || (queue(&rig).delayed, rig.broker().figures(&[]).unwrap().delayed);
    let [id, _] = [rig.push(), rig.push()];
    let [first, second] = [(); 2].map(|()| rig.fetch().unwrap());
    assert_eq!(rig.broker().delay(&rig.worker, &second.tag, Due::In(LONG)).unwrap(), Held::Yes);
    assert_eq!(delayed(), (1, 1));
    let (tag, message) = ("again".to_owned(), NewTask::new("t", QUEUE, Arguments::default()).encode("o"));
    let later = Publish::Later { tag: tag.clone(), message, pause: LONG };
    let finish = Finish { publish: vec![later], ..ending(&first, &id, &success("1")) };
    assert_eq!(rig.broker().finish(&rig.worker, &[finish]).unwrap().remove(0).unwrap(), Held::Yes);
    assert_eq!(delayed(), (2, 2));
    let (keys, mut conn) = (rig.broker().keys(), rig.test.connect());
    for (tag, left) in [(&tag, (1, 1)), (&second.tag, (0, 0))] {
        conn.zadd::<_, _, _, ()>(keys.delayed(), tag, 1).unwrap();
        assert_eq!(rig.broker().promote().unwrap(), 1);
        assert_eq!(delayed(), left);
    }
    assert_eq!(queue(&rig).depth[0].1, 2);
    rig.assert_at_rest();
}

#[test]
fn what_workers_hold_is_counted_by_the_queue_until_it_is_back() {
    let rig = Rig::new();
    let said = |count| Heartbeat { in_flight: BTreeMap::from([(QUEUE.to_owned(), count)]), ..heartbeat("w@h", LONG) };
    let [alive, dead] = ["alive", "dead"].map(|id| WorkerId(id.to_owned()));
    for (worker, timeout, count) in [(&alive, LONG, 2), (&dead, Duration::from_millis(1), 3)] {
        rig.broker().renew(worker, timeout).unwrap();
        rig.broker().show(worker, &said(count)).unwrap();
    }
    assert_eq!(queue(&rig).in_flight, 5);
    eventually("the dead one to be reaped", || {
        rig.broker().reap().unwrap();
        (queue(&rig).in_flight == 2).then_some(())
    });
    rig.broker().leave(&alive).unwrap();
    assert_eq!(queue(&rig).in_flight, 0);
}

#[test]
fn a_queue_whose_key_holds_no_list_hides_no_other() {
    let rig = Rig::new();
    rig.push();
    rig.test.connect().set::<_, _, ()>(rig.broker().keys().queue("odd", Priority::STEPS[0]), "x").unwrap();
    let found = rig.broker().figures(&["odd"]).unwrap();
    let depths = found.queues.iter().map(|queue| (queue.name.as_str(), queue.depth[0].1)).collect::<Vec<_>>();
    assert_eq!(depths, [(QUEUE, 1), ("odd", 0)]);
}
