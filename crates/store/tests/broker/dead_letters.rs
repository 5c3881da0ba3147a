//! Dead letters: kept within bounds, listed, put back byte for byte, and dropped.

use std::time::Duration;

use logmon_core::celery::{Arguments, Exception, NewTask, Outcome, Priority, Status, TaskId};
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_core::page::{Cursor, Page};
use logmon_core::tasks::{IngestInput, IngestLogs, KeyOrigin};
use logmon_store::broker::{
    Admission, Bounds, Burial, DeadLetter, DeadLetterFilter, DeadLetterId, Dropped, Held, MAX_DELIVERIES, Requeue,
};
use redis::Commands as _;

use crate::rig::{QUEUE, Rig, burial};

const FIRST: Page = Page { limit: 100, after: None };

fn push(rig: &Rig, raw: &[u8]) {
    rig.test.push(QUEUE, raw);
}

/// A message that was fetched again and again without an end.
fn poison(rig: &Rig, task: &str) -> (TaskId, Vec<u8>) {
    let task = NewTask::new(task, QUEUE, Arguments::default());
    let raw = task.encode("o").into_bytes();
    push(rig, &raw);
    rig.die_of_the_next(MAX_DELIVERIES);
    let fetched = rig.fetch().unwrap();
    let failed = Outcome::Failure(Exception::failed("x")).document(&task.id, SystemClock.now());
    let burial = Burial {
        tag: fetched.tag,
        reason: "ended its worker 5 times".to_owned(),
        deliveries: MAX_DELIVERIES,
        failure: Some((task.id.clone(), failed)),
    };
    assert_eq!(rig.broker().bury(&rig.worker, &burial).unwrap(), Held::Yes);
    (task.id, raw)
}

/// Makes a dead letter of each text, which must be no message.
fn bury(rig: &Rig, texts: &[&str]) {
    for text in texts {
        push(rig, text.as_bytes());
    }
    assert!(rig.fetch().is_none());
}

fn list(rig: &Rig, page: Page) -> Vec<DeadLetter> {
    rig.broker().dead_letters(&DeadLetterFilter::default(), page).unwrap()
}

#[test]
fn a_dead_letter_goes_back_byte_for_byte_and_begins_anew() {
    let rig = Rig::new();
    let (id, raw) = poison(&rig, "t");
    let letter = list(&rig, FIRST)[0].clone();
    assert_eq!((letter.task.as_deref(), letter.queue.as_deref()), (Some("t"), Some(QUEUE)));
    assert_eq!((letter.task_id.clone(), letter.size), (Some(id.clone()), u64::try_from(raw.len()).unwrap()));
    assert_eq!(letter.deliveries, u64::from(MAX_DELIVERIES));
    assert_eq!(rig.broker().dead_letter(letter.id).unwrap().unwrap(), (letter.clone(), raw.clone()));
    assert_eq!(rig.broker().result(&id).unwrap().status, Status::Failure);

    assert_eq!(rig.broker().requeue_dead_letter(letter.id).unwrap(), Requeue::Done);
    assert_eq!(rig.broker().requeue_dead_letter(letter.id).unwrap(), Requeue::Gone);
    assert_eq!(rig.broker().result(&id).unwrap().status, Status::Pending);
    assert_eq!((list(&rig, FIRST), rig.broker().dead_letter(letter.id).unwrap()), (Vec::new(), None));
    let again = rig.fetch().unwrap();
    assert_eq!((again.raw, again.deliveries), (raw.clone(), 1));

    // Its twin, while it is in flight, would only die again.
    push(&rig, &raw);
    assert!(rig.fetch().is_none());
    let twin = list(&rig, FIRST)[0].id;
    assert!(matches!(rig.broker().requeue_dead_letter(twin).unwrap(), Requeue::Refused(why) if why.contains("flight")));
    assert_eq!(list(&rig, FIRST)[0].id, twin, "it is still there");
}

#[test]
fn what_is_no_message_can_be_seen_and_dropped_but_not_requeued() {
    let rig = Rig::new();
    push(&rig, b"\xff\xfe");
    bury(&rig, &["hello", r#"{"headers":{"task":["a"],"id":7}}"#]);
    let letters = list(&rig, FIRST);
    assert_eq!(letters.len(), 3);
    for letter in &letters {
        assert_eq!((&letter.task, &letter.task_id, &letter.queue), (&None, &None, &None));
        let refused = rig.broker().requeue_dead_letter(letter.id).unwrap();
        assert_eq!(refused, Requeue::Refused(letter.reason.clone()));
    }
    assert_eq!(rig.broker().dead_letter(letters[2].id).unwrap().unwrap().1, b"\xff\xfe");
    assert_eq!(rig.broker().drop_dead_letter(letters[2].id).unwrap(), Dropped::Now);
    assert_eq!(rig.broker().drop_dead_letter(letters[2].id).unwrap(), Dropped::Before);
    assert_eq!(list(&rig, FIRST), letters[..2]);
    assert_eq!(rig.broker().dead_letter_count().unwrap(), 2);
}

#[test]
fn a_message_through_a_named_exchange_goes_back_to_the_queue_that_it_lay_on() {
    let rig = Rig::new();
    let message = NewTask::new("t", "feed.new", Arguments::default()).encode("o");
    let message = message.replacen("\"exchange\": \"\"", "\"exchange\": \"feedx\"", 1);
    push(&rig, message.as_bytes());
    assert_eq!(rig.broker().bury(&rig.worker, &burial(&rig.fetch().unwrap())).unwrap(), Held::Yes);
    let letter = list(&rig, FIRST)[0].clone();
    assert_eq!(letter.queue.as_deref(), Some(QUEUE));
    assert_eq!(rig.broker().requeue_dead_letter(letter.id).unwrap(), Requeue::Done);
    assert_eq!(rig.fetch().unwrap().raw, message.as_bytes());
}

/// Makes a dead letter of a batch of logs with this key, whose body is hashed to so many bytes.
fn bury_batch(rig: &Rig, key: &str, length: usize) -> DeadLetterId {
    let input = IngestInput {
        key: key.to_owned(),
        origin: KeyOrigin::Client,
        body_hash: vec![0; length],
        records: Vec::new(),
        answer: None,
    };
    let mut task = IngestLogs::queued(TaskId::random(), &input).unwrap();
    QUEUE.clone_into(&mut task.queue);
    push(rig, task.encode("o").as_bytes());
    assert_eq!(rig.broker().bury(&rig.worker, &burial(&rig.fetch().unwrap())).unwrap(), Held::Yes);
    list(rig, FIRST)[0].id
}

#[test]
fn the_key_of_a_batch_is_known_while_it_is_a_dead_letter_and_after_it_went_back() {
    let rig = Rig::new();
    let batch = |key: &str| bury_batch(&rig, key, 32);
    let longest = "k".repeat(255);
    let (first, second) = (batch(&longest), batch("l"));
    poison(&rig, "no batch");
    assert_eq!(rig.broker().dead_batches().unwrap(), ["l", &longest]);
    assert_eq!(rig.broker().drop_dead_letter(second).unwrap(), Dropped::Now);
    assert_eq!(rig.broker().requeue_dead_letter(first).unwrap(), Requeue::Done);
    assert_eq!(rig.broker().dead_batches().unwrap(), [longest.as_str()]);
    let ttl: i64 = rig.test.connect().ttl(rig.broker().keys().requeued()).unwrap();
    assert!((6 * 86_400..=7 * 86_400).contains(&ttl), "{ttl}");
}

#[test]
fn pages_and_filters_show_each_once_while_more_arrive() {
    let rig = Rig::new();
    poison(&rig, "a");
    bury(&rig, &["1", "2", "3"]);
    let first = list(&rig, Page { limit: 2, after: None });
    bury(&rig, &["4"]);
    let last = first[1].id;
    let after = Cursor { created_at: last.died_at(), id: i64::try_from(last.sequence()).unwrap() };
    let rest = list(&rig, Page { limit: 100, after: Some(after) });
    let ids: Vec<_> = first.iter().chain(&rest).map(|letter| letter.id).collect();
    assert_eq!(ids.len(), 4);
    assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");
    let count = |task: Option<&str>, reason: Option<&str>| {
        let filter = DeadLetterFilter { task: task.map(str::to_owned), reason: reason.map(str::to_owned) };
        rig.broker().dead_letters(&filter, FIRST).unwrap().len()
    };
    assert_eq!((count(Some("a"), None), count(Some("b"), None)), (1, 0));
    assert_eq!((count(None, Some("JSON")), count(None, Some("ended its worker"))), (4, 1));
    assert_eq!(count(Some("a"), Some("JSON")), 0);
}

/// The size of the messages that are dead letters, and how many were dropped so far.
fn totals(rig: &Rig) -> (u64, u64) {
    let figures = rig.broker().figures(&[]).unwrap();
    (figures.dead_letter_bytes, figures.dead_letters_dropped)
}

#[test]
fn at_most_ten_thousand_are_kept_for_ninety_days() {
    let rig = Rig::new();
    let (dead, messages) = (rig.broker().keys().dead(), rig.broker().keys().dead_messages());
    let mut conn = rig.test.connect();
    let day = 86_400_000;
    let now = SystemClock.now().timestamp_millis();
    for days in [91, 89] {
        let id = format!("{}-0", now - days * day);
        conn.xadd::<_, _, _, _, ()>(&dead, &id, &[("reason", "old")]).unwrap();
        conn.hset::<_, _, _, ()>(&messages, &id, "x").unwrap();
        conn.zadd::<_, _, _, ()>(rig.broker().keys().dead_yielding(), &id, now / 1_000 - days * 86_400).unwrap();
    }
    assert_eq!(rig.broker().trim_dead_letters().unwrap(), 1);
    assert_eq!(rig.broker().trim_dead_letters().unwrap(), 0, "that is told once");
    assert_eq!(list(&rig, FIRST).len(), 1, "the older one is gone");

    let list = rig.broker().keys().queue(QUEUE, Priority::default());
    conn.lpush::<_, _, ()>(&list, vec!["x"; 10_000]).unwrap();
    while rig.broker().depth(QUEUE).unwrap() > 0 {
        assert!(rig.fetch().is_none());
    }
    let kept: (u64, u64) = redis::pipe().xlen(&dead).hlen(&messages).query(&mut conn).unwrap();
    assert_eq!(kept, (10_000, 10_000));
    assert_eq!((rig.broker().trim_dead_letters().unwrap(), totals(&rig).1), (1, 2));
}

#[test]
fn the_oldest_make_room_for_newer_ones_and_batches_of_logs_for_nothing() {
    const MIB: usize = 1 << 20;
    let rig = Rig::new();
    let batch = bury_batch(&rig, "k", MIB);
    let batch_bytes = totals(&rig).0;
    let texts = ["a", "b", "c", "d"].map(|letter| letter.repeat(MIB));
    bury(&rig, &[&texts[0], &texts[1]]);
    assert_eq!(totals(&rig), (batch_bytes + 2 * (1 << 20), 0));
    // As if there were more of them, to half a message below the bound.
    let room = (256 << 20) - 2 * MIB - MIB / 2;
    rig.test.connect().hincr::<_, _, _, ()>(rig.broker().keys().dead_totals(), "bytes", room).unwrap();
    bury(&rig, &[&texts[2]]);
    let kept = |rig: &Rig| {
        let whole = |letter: DeadLetter| rig.broker().dead_letter(letter.id).unwrap().unwrap().1;
        list(rig, FIRST).into_iter().map(|letter| char::from(whole(letter)[0])).collect::<String>()
    };
    assert_eq!(kept(&rig), "cb{", "the oldest one that may go is gone");
    assert_eq!((rig.broker().trim_dead_letters().unwrap(), totals(&rig).1), (1, 1));
    // The newest one stays, however much there is.
    rig.test.connect().hincr::<_, _, _, ()>(rig.broker().keys().dead_totals(), "bytes", 256 << 20).unwrap();
    bury(&rig, &[&texts[3]]);
    assert_eq!(kept(&rig), "d{");

    // The batch takes its room on the queue, until it is put back or dropped.
    let bounds = Bounds { bytes: batch_bytes + 1_000, age: Duration::from_secs(3_600) };
    let next = IngestLogs::queued(
        TaskId::random(),
        &IngestInput {
            key: "next".to_owned(),
            origin: KeyOrigin::Client,
            body_hash: vec![0; 1_000],
            records: Vec::new(),
            answer: None,
        },
    );
    let admit = || rig.broker().enqueue_batch(next.as_ref().unwrap(), None, bounds, SystemClock.now()).unwrap();
    assert_eq!(admit(), Admission::Full);
    assert_eq!(rig.broker().drop_dead_letter(batch).unwrap(), Dropped::Now);
    assert_eq!(admit(), Admission::Queued);
    assert_eq!(totals(&rig).1, 3, "nobody asked for these");
}
