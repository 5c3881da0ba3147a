//! Many at once, what follows from an end, and how messages are read.

use std::time::Duration;

use logmon_core::celery::{Arguments, NewTask, Priority, TaskId, TaskMessage};
use logmon_store::broker::{Due, Finish, Held, Publish, WorkerId};
use redis::Commands as _;

use crate::rig::{QUEUE, Rig, ending, success};

#[test]
fn many_are_fetched_and_finished_at_once_in_their_order() {
    let rig = Rig::new();
    let ids: Vec<_> = (0..150).map(|_| rig.push()).collect();
    let fetched = rig.broker().fetch(&[QUEUE.to_owned()], &rig.worker, 140).unwrap().fetched;
    assert_eq!(fetched.iter().map(Rig::id).collect::<Vec<_>>(), ids[..140]);
    let finishes: Vec<_> =
        fetched[..100].iter().zip(&ids).map(|(fetched, id)| ending(fetched, id, &success("1"))).collect();
    let answers = rig.broker().finish(&rig.worker, &finishes).unwrap();
    assert!(answers.iter().all(|answer| *answer.as_ref().unwrap() == Held::Yes) && answers.len() == 100);
    let again = rig.broker().finish(&rig.worker, &finishes).unwrap();
    assert!(again.iter().all(|answer| *answer.as_ref().unwrap() == Held::Lost));
    // The rest goes back to where it came from, over more than one call.
    let tags: Vec<_> = fetched[100..].iter().map(|fetched| fetched.tag.clone()).collect();
    assert_eq!(rig.broker().put_back(&rig.worker, &tags).unwrap(), 40);
    let rest: Vec<_> = std::iter::from_fn(|| rig.fetch()).map(|fetched| Rig::id(&fetched)).collect();
    assert_eq!(rest, ids[100..]);
}

#[test]
fn however_many_are_asked_for_none_is_lost() {
    const COUNT: usize = 6_000;
    let rig = Rig::new();
    let queue = rig.broker().keys().queue(QUEUE, Priority::default());
    let mut pushes = redis::pipe();
    for _ in 0..COUNT {
        let message = NewTask::new("t", QUEUE, Arguments::default()).encode("o");
        pushes.lpush(&queue, message).ignore();
    }
    pushes.query::<()>(&mut rig.test.connect()).unwrap();
    let mut fetched = 0;
    while fetched < COUNT {
        let look = rig.broker().fetch(&[QUEUE.to_owned()], &rig.worker, COUNT).unwrap();
        assert!(!look.fetched.is_empty());
        fetched += look.fetched.len();
    }
    assert_eq!(rig.test.in_flight(), 6_000);
}

#[test]
fn large_messages_are_not_fetched_by_the_hundred() {
    let rig = Rig::new();
    let value = format!("[\"{}\"]", "x".repeat(300_000));
    for _ in 0..20 {
        let arguments = Arguments::from_json(&value, "{}").unwrap();
        rig.broker().enqueue(&NewTask::new("t", QUEUE, arguments)).unwrap();
    }
    let count = rig.broker().fetch(&[QUEUE.to_owned()], &rig.worker, 20).unwrap().fetched.len();
    assert_eq!(count, 2, "each is 400,000 bytes in base64, and a MiB is the bound");
}

#[test]
fn large_messages_behind_small_ones_stay_within_the_bound() {
    const MIB: usize = 1 << 20;
    let rig = Rig::new();
    let push = |bytes: usize, count: usize| {
        for _ in 0..count {
            let arguments = Arguments::from_json(&format!("[\"{}\"]", "x".repeat(bytes)), "{}").unwrap();
            rig.broker().enqueue(&NewTask::new("t", QUEUE, arguments)).unwrap();
        }
    };
    push(10, 200);
    push(500_000, 20);
    push(2 * MIB, 2);
    let (mut fetched, mut looks) = (0, 0);
    while fetched < 222 {
        let look = rig.broker().fetch(&[QUEUE.to_owned()], &rig.worker, 1_000).unwrap().fetched;
        let bytes: usize = look.iter().map(|fetched| fetched.raw.len()).sum();
        assert!(bytes <= MIB || look.len() == 1, "{bytes} bytes in {} messages", look.len());
        assert!(!look.is_empty());
        (fetched, looks) = (fetched + look.len(), looks + 1);
    }
    assert!(looks < 25, "{looks}");
}

#[test]
fn what_follows_is_sent_with_the_end_and_only_then() {
    let rig = Rig::new();
    let id = rig.push();
    let fetched = rig.fetch().unwrap();
    let follows = NewTask { priority: Priority::STEPS[2], ..NewTask::new("t", "other", Arguments::default()) };
    let finish = || {
        let publish = vec![Publish::Task(follows.clone())];
        Finish { publish, ..ending(&fetched, &id, &success("1")) }
    };
    let stranger = WorkerId("w2".to_owned());
    assert_eq!(rig.broker().finish(&stranger, &[finish()]).unwrap().remove(0).unwrap(), Held::Lost);
    assert_eq!(rig.broker().depth("other").unwrap(), 0);
    for held in [Held::Yes, Held::Lost] {
        assert_eq!(rig.broker().finish(&rig.worker, &[finish()]).unwrap().remove(0).unwrap(), held);
        assert_eq!(rig.broker().depth("other").unwrap(), 1);
    }
    let list = rig.broker().keys().queue("other", Priority::STEPS[2]);
    assert_eq!(rig.test.connect().llen::<_, u64>(list).unwrap(), 1);
}

#[test]
fn a_paused_queue_keeps_its_messages_and_the_others_go_on() {
    let rig = Rig::new();
    rig.push();
    rig.broker().enqueue(&NewTask::new("t", "other", Arguments::default())).unwrap();
    let queues = [QUEUE.to_owned(), "other".to_owned()];
    rig.broker().pause(QUEUE).unwrap();
    assert_eq!(rig.broker().paused().unwrap().into_iter().collect::<Vec<_>>(), [QUEUE]);
    let count = || rig.broker().fetch(&queues, &rig.worker, 9).unwrap().fetched.len();
    assert_eq!((count(), rig.broker().depth(QUEUE).unwrap()), (1, 1));
    rig.broker().resume(QUEUE).unwrap();
    assert_eq!(count(), 1);
}

#[test]
fn a_message_that_python_would_write_otherwise_is_read_in_full() {
    let rig = Rig::new();
    let list = rig.broker().keys().queue(QUEUE, Priority::default());
    let ours = NewTask::new("t", QUEUE, Arguments::default()).encode("o");
    // As kombu puts a message back, and with the properties first.
    let redelivered = ours.replacen("\"exchange\": \"\"", "\"redelivered\": true, \"exchange\": \"\"", 1);
    let (body, properties) = ours[1..ours.len() - 1].split_once(", \"properties\": ").unwrap();
    let first = format!("{{\"properties\":{properties},{body}}}");
    for raw in [redelivered, first] {
        rig.test.connect().lpush::<_, _, ()>(&list, &raw).unwrap();
        let fetched = rig.fetch().unwrap();
        assert_eq!(fetched.raw, raw.as_bytes());
        assert!(raw.contains(&format!("\"delivery_tag\": \"{}\"", fetched.tag)));
        let held: String = rig.test.connect().hget(rig.broker().keys().unacked(), &fetched.tag).unwrap();
        assert_eq!(held, format!("[{raw}, \"\", \"celery\"]"));
        assert_eq!(rig.broker().leave(&rig.worker).unwrap(), 1);
        assert_eq!(rig.fetch().map(|fetched| fetched.raw), Some(raw.into_bytes()));
        assert_eq!(rig.finish(&fetched, &TaskId("x".to_owned()), &success("1")), Held::Yes);
    }
}

#[test]
fn a_message_through_a_named_exchange_goes_back_to_the_queue_that_it_lay_on() {
    let rig = Rig::new();
    let queues = ["other".to_owned(), "feed".to_owned()];
    let message = NewTask::new("t", "feed.new", Arguments::default()).encode("o");
    let message = message.replacen("\"exchange\": \"\"", "\"exchange\": \"feedx\"", 1);
    rig.test.push("feed", message.as_bytes());
    let fetch = || rig.broker().fetch(&queues, &rig.worker, 1).unwrap().fetched.pop().unwrap();
    let fetched = fetch();
    let held: String = rig.test.connect().hget(rig.broker().keys().unacked(), &fetched.tag).unwrap();
    assert_eq!(held, format!("[{message}, \"\", \"feed\"]"));

    assert_eq!(rig.broker().leave(&rig.worker).unwrap(), 1);
    let fetched = fetch();
    assert_eq!(fetched.raw, message.as_bytes());
    assert_eq!(rig.broker().delay(&rig.worker, &fetched.tag, Due::In(Duration::ZERO)).unwrap(), Held::Yes);
    assert_eq!(rig.broker().promote().unwrap(), 1);
    let fetched = fetch();
    let task = TaskMessage::decode(&fetched.raw).unwrap();
    let next = task.retry(chrono::DateTime::default());
    let publish = vec![Publish::Later { tag: next.delivery_tag, message: next.message.clone(), pause: Duration::ZERO }];
    let finish = Finish { publish, ..ending(&fetched, &task.id, &success("1")) };
    assert_eq!(rig.broker().finish(&rig.worker, &[finish]).unwrap().remove(0).unwrap(), Held::Yes);
    assert_eq!(rig.broker().promote().unwrap(), 1);
    assert_eq!(fetch().raw, next.message.into_bytes());
}
