//! Keys that hold something else than they should: a script that meets one has done nothing, and no message is lost.

use std::time::Duration;

use logmon_core::celery::{Arguments, NewTask, Priority};
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_core::page::Page;
use logmon_store::broker::{
    Admission, BatchKey, Bounds, BrokerError, Counted, Due, Finish, Held, Keep, Publish, Push, QueuedBatch, Requeue,
};
use redis::Commands as _;

use crate::chords::{GROUP, part};
use crate::rig::{QUEUE, Rig, burial, ending, success};
use crate::workers::heartbeat;

const LONG: Duration = Duration::from_secs(3_600);

/// Runs `verb` once for each of these keys while that holds something that nobody keeps there: it refuses and changes nothing.
fn assert_refuses<T: std::fmt::Debug>(rig: &Rig, keys: &[String], verb: impl Fn() -> Result<T, BrokerError>) {
    let mut conn = rig.test.connect();
    let aside = format!("{}aside", rig.test.prefix());
    for key in keys {
        let was_there = conn.exists(key).unwrap();
        if was_there {
            conn.rename::<_, _, ()>(key, &aside).unwrap();
        }
        if key == &list(rig) {
            conn.set::<_, _, ()>(key, "no list").unwrap();
        } else {
            conn.rpush::<_, _, ()>(key, "a list").unwrap();
        }
        let before = everything(rig);
        let answer = verb();
        assert!(
            matches!(&answer, Err(BrokerError::Refused(e)) if e.to_string().contains("WRONGTYPE")),
            "{key}: {answer:?}"
        );
        assert_eq!(everything(rig), before, "{key}");
        conn.del::<_, ()>(key).unwrap();
        if was_there {
            conn.rename::<_, _, ()>(&aside, key).unwrap();
        }
    }
}

/// Every key of this test with all that it holds.
fn everything(rig: &Rig) -> Vec<(String, Vec<u8>)> {
    let mut conn = rig.test.connect();
    let mut keys: Vec<String> = conn.keys(format!("{}*", rig.test.prefix())).unwrap();
    keys.sort();
    let mut dump = |key: &String| redis::cmd("DUMP").arg(key).query::<Vec<u8>>(&mut conn).unwrap();
    keys.iter().map(|key| (key.clone(), dump(key))).collect()
}

fn list(rig: &Rig) -> String {
    rig.broker().keys().queue(QUEUE, Priority::default())
}

fn of_flights(rig: &Rig) -> Vec<String> {
    let keys = rig.broker().keys();
    vec![keys.unacked(), keys.unacked_index(), keys.holders(), keys.deliveries()]
}

fn of_dead_letters(rig: &Rig) -> Vec<String> {
    let keys = rig.broker().keys();
    vec![keys.dead(), keys.dead_messages(), keys.dead_yielding(), keys.dead_totals()]
}

#[test]
fn no_verb_takes_a_message_from_its_place_before_it_knows_that_it_can_put_it_elsewhere() {
    let rig = Rig::new();
    let (broker, worker, keys) = (rig.broker(), &rig.worker, rig.broker().keys());
    let (flights, dead) = (of_flights(&rig), of_dead_letters(&rig));
    let id = rig.push();
    let around = [keys.workers(), keys.paused(), keys.revoked(), list(&rig)];
    let all = [flights.as_slice(), &dead, &around].concat();
    assert_refuses(&rig, &all, || broker.fetch(&[QUEUE.to_owned()], worker, 1));

    let fetched = rig.fetch().unwrap();
    let all = [flights.as_slice(), &dead].concat();
    assert_refuses(&rig, &all, || broker.bury(worker, &burial(&fetched)));
    assert_refuses(&rig, &all, || broker.put_back(worker, std::slice::from_ref(&fetched.tag)));
    let delayed = [keys.delayed(), keys.delayed_body(), keys.delayed_count()];
    let all = [flights.as_slice(), &delayed].concat();
    assert_refuses(&rig, &all, || broker.delay(worker, &fetched.tag, Due::In(Duration::ZERO)));
    assert_refuses(&rig, &[keys.workers(), keys.holders(), keys.unacked_index()], || broker.renew(worker, LONG));
    assert_refuses(&rig, &[keys.seen()], || broker.show(worker, &heartbeat("w@h", LONG)));

    // An end with everything that can follow from it.
    let (next, failed) =
        (NewTask::new("t", QUEUE, Arguments::default()), NewTask::new("t", "x", Arguments::default()).id);
    let end = || {
        let later = Publish::Later { tag: "tag".to_owned(), message: next.encode("o"), pause: LONG };
        let dead = Keep::Dead { reason: "x".to_owned(), deliveries: 1 };
        let finish = Finish {
            publish: vec![Publish::Task(next.clone()), later],
            keep: vec![Keep::Result(failed.clone(), "{}".to_owned()), dead],
            ..ending(&fetched, &id, &success("1"))
        };
        broker.finish(worker, &[finish]).and_then(|mut answers| answers.remove(0))
    };
    let around = [keys.result(&id), keys.result(&failed), list(&rig)];
    assert_refuses(&rig, &[flights.as_slice(), &dead, &delayed, &around].concat(), end);
    assert_eq!(end().unwrap(), Held::Yes);

    let letter = broker.dead_letters(&Default::default(), Page { limit: 1, after: None }).unwrap().remove(0).id;
    let all = [dead.as_slice(), &[keys.unacked(), keys.deliveries(), keys.requeued()]].concat();
    assert_refuses(&rig, &all, || broker.requeue_dead_letter(letter));
    assert_refuses(&rig, &dead, || broker.drop_dead_letter(letter));
    assert_refuses(&rig, &dead, || broker.trim_dead_letters());
    assert_eq!(broker.trim_dead_letters().unwrap(), 0);

    rig.test.connect().zadd::<_, _, _, ()>(keys.delayed(), "tag", 1).unwrap();
    assert_refuses(&rig, &[delayed.as_slice(), &dead].concat(), || broker.promote());
    assert_eq!(broker.promote().unwrap(), 1);

    // As a dead Python worker leaves it.
    let fetched = rig.fetch().unwrap();
    let mut conn = rig.test.connect();
    conn.hdel::<_, _, ()>(keys.holders(), &fetched.tag).unwrap();
    conn.zadd::<_, _, _, ()>(keys.unacked_index(), &fetched.tag, 1).unwrap();
    assert_refuses(&rig, &[flights.as_slice(), &dead].concat(), || broker.recover(LONG));
    assert_eq!(broker.recover(LONG).unwrap(), 1);

    let once = NewTask::new("t", QUEUE, Arguments::default());
    assert_refuses(&rig, &[list(&rig)], || broker.enqueue_once("slot", LONG, &once));
    assert_eq!(broker.enqueue_once("slot", LONG, &once).unwrap(), Push::Now);

    let key = BatchKey { key: "k".to_owned(), body_hash: [0; 32] };
    let bounds = Bounds { bytes: 1 << 20, age: LONG };
    let batch = || broker.enqueue_batch(&once, Some(&key), bounds, SystemClock.now());
    assert_refuses(&rig, &[list(&rig), keys.dead_totals(), keys.batch("k")], batch);
    assert_eq!(batch().unwrap(), Admission::Queued);
    assert_eq!(batch().unwrap(), Admission::Before(QueuedBatch { task_id: once.id.clone(), body_hash: [0; 32] }));
}

#[test]
fn a_result_counts_for_its_chord_once_all_of_it_can_be_noted() {
    let rig = Rig::new();
    let part = part(0, &success("1"));
    let keys = [".j", ".t", ".s", ".d", ".c"].map(|suffix| rig.broker().keys().group(GROUP, suffix));
    rig.test.connect().set::<_, _, ()>(&keys[2], 1).unwrap();
    assert_refuses(&rig, &keys, || rig.broker().count(&part));
    assert!(matches!(rig.broker().count(&part).unwrap(), Counted::Complete { .. }));
}

#[test]
fn what_cannot_be_put_on_its_queue_is_a_dead_letter_until_it_can() {
    let rig = Rig::new();
    let (broker, keys) = (rig.broker(), rig.broker().keys());
    let mut conn = rig.test.connect();
    let ids = [(); 3].map(|()| rig.push());
    let [left, later, python] = [(); 3].map(|()| rig.fetch().unwrap());
    assert_eq!(broker.delay(&rig.worker, &later.tag, Due::In(Duration::ZERO)).unwrap(), Held::Yes);
    conn.hdel::<_, _, ()>(keys.holders(), &python.tag).unwrap();
    conn.zadd::<_, _, _, ()>(keys.unacked_index(), &python.tag, 1).unwrap();

    conn.set::<_, _, ()>(list(&rig), "no list").unwrap();
    broker.put_back(&rig.worker, &[left.tag]).unwrap();
    broker.promote().unwrap();
    broker.recover(LONG).unwrap();
    assert_eq!(rig.dead_letters(), ["the key of its queue holds no list"; 3]);
    rig.assert_at_rest();
    let letters = broker.dead_letters(&Default::default(), Page { limit: 9, after: None }).unwrap();
    for letter in &letters {
        let refused = Requeue::Refused("the key of its queue holds no list".to_owned());
        assert_eq!(broker.requeue_dead_letter(letter.id).unwrap(), refused);
    }
    conn.del::<_, ()>(list(&rig)).unwrap();
    for letter in letters.iter().rev() {
        assert_eq!(broker.requeue_dead_letter(letter.id).unwrap(), Requeue::Done);
    }
    let back: Vec<_> = std::iter::from_fn(|| rig.fetch()).map(|fetched| Rig::id(&fetched)).collect();
    assert_eq!(back, ids);
}

#[test]
fn a_queue_whose_key_holds_no_list_keeps_no_other_from_being_served() {
    let rig = Rig::new();
    let id = rig.push();
    let queues = ["broken".to_owned(), QUEUE.to_owned()];
    let broken = rig.broker().keys().queue("broken", Priority::default());
    rig.test.connect().set::<_, _, ()>(broken, "no list").unwrap();
    let fetched = rig.broker().fetch(&queues, &rig.worker, 1).unwrap().fetched.remove(0);
    assert_eq!(Rig::id(&fetched), id);
    assert!(rig.broker().fetch(&queues, &rig.worker, 1).is_err(), "with nothing to do, the worker says what is wrong");
}
