//! Tasks that are sent are told of where that is asked for, once each, and only when they were.

use std::time::Duration;

use logmon_core::celery::event::{self, Event};
use logmon_core::celery::{Arguments, NewTask, TaskId, TaskMessage};
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_store::broker::{Admission, BatchKey, Bounds, Finish, Held, Publish, Push};
use logmon_store::testing::process::PATIENCE;

use crate::rig::{QUEUE, Rig};

const ROOM: Bounds = Bounds { bytes: 1 << 30, age: Duration::from_secs(3_600) };

fn task() -> NewTask {
    NewTask::new("t", QUEUE, Arguments::default())
}

#[test]
fn each_task_that_is_sent_is_told_of_once_where_that_is_asked_for() {
    let rig = Rig::new();
    let (silent, telling) = (rig.broker(), rig.test.telling());
    let mut conn = rig.test.connect();
    conn.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut listener = conn.as_pubsub();
    listener.psubscribe(silent.keys().events("*")).unwrap();

    let (first, once, batch, refused) = (task(), task(), task(), task());
    let key = BatchKey { key: "k".to_owned(), body_hash: [7; 32] };
    for (name, broker) in [("silent", silent), ("telling", &telling)] {
        broker.enqueue(&first).unwrap();
        assert_eq!(broker.enqueue_once(name, PATIENCE, &once).unwrap(), Push::Now);
    }
    assert_eq!(telling.enqueue_once("telling", PATIENCE, &refused).unwrap(), Push::Before);
    let now = SystemClock.now();
    assert_eq!(telling.enqueue_batch(&batch, Some(&key), ROOM, now).unwrap(), Admission::Queued);
    assert!(matches!(telling.enqueue_batch(&refused, Some(&key), ROOM, now).unwrap(), Admission::Before(_)));
    let full = Bounds { bytes: 0, ..ROOM };
    assert_eq!(telling.enqueue_batch(&refused, None, full, now).unwrap(), Admission::Full);

    // What follows from a task, and its next attempt, are sent with its end.
    let fetched = rig.fetch().unwrap();
    let message = TaskMessage::decode(&fetched.raw).unwrap();
    let (next, follows) = (message.retry(now), task());
    let finish = |tag: &str| Finish {
        tag: tag.to_owned(),
        task: message.id.clone(),
        document: None,
        publish: vec![
            Publish::Task(follows.clone()),
            Publish::Later {
                tag: next.delivery_tag.clone(),
                message: next.message.clone(),
                pause: Duration::from_secs(60),
            },
        ],
        keep: Vec::new(),
    };
    let ended = telling.finish(&rig.worker, &[finish("none such"), finish(&fetched.tag)]).unwrap();
    assert!(matches!(ended.as_slice(), [Ok(Held::Lost), Ok(Held::Yes)]), "{ended:?}");
    telling.enqueue(&refused).unwrap();

    let mut sent = Vec::new();
    while sent.last().is_none_or(|(id, _): &(TaskId, u32)| *id != refused.id) {
        let published = listener.get_message().unwrap();
        assert_eq!(published.get_channel_name(), silent.keys().events("task.sent"));
        let stamped = event::decode(published.get_payload_bytes()).unwrap().remove(0);
        assert!(stamped.hostname.as_str().starts_with(&format!("gen{}@", std::process::id())), "{stamped:?}");
        assert_eq!(usize::try_from(stamped.clock).unwrap(), sent.len() + 1);
        let Event::TaskSent { task, queue, .. } = stamped.event else { panic!("{stamped:?}") };
        assert_eq!((task.name.as_str(), queue.as_str()), ("t", QUEUE));
        sent.push((task.uuid, task.retries));
    }
    let each = [&first, &once, &batch].map(|task| (task.id.clone(), 0));
    let expected = [each.as_slice(), &[(follows.id.clone(), 0), (message.id.clone(), 1), (refused.id.clone(), 0)]];
    assert_eq!(sent, expected.concat());
}
