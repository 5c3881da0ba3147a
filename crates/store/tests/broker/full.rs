//! A Redis that is full: nothing new goes in, and what is there comes to its end, which makes room.

use std::time::Duration;

use logmon_core::celery::{Arguments, NewTask, NodeName};
use logmon_core::page::Page;
use logmon_store::broker::{BrokerError, Due, Held, Requeue};
use logmon_store::testing::TestBroker;
use logmon_store::testing::private_server::PrivateRedis;

use crate::rig::{QUEUE, Rig, burial, success};
use crate::workers::heartbeat;

const LONG: Duration = Duration::from_secs(3_600);

fn assert_away<T>(answer: Result<T, BrokerError>) {
    assert!(matches!(answer.map(drop), Err(BrokerError::Unavailable(_))));
}

#[test]
fn flights_come_to_their_ends_on_a_full_server_and_nothing_new_goes_in() {
    let redis = PrivateRedis::start();
    let rig = Rig::on(TestBroker::on(redis.url()));
    let (broker, worker) = (rig.broker(), &rig.worker);
    let ids: Vec<_> = (0..5).map(|_| rig.push()).collect();
    assert_eq!(broker.bury(worker, &burial(&rig.fetch().unwrap())).unwrap(), Held::Yes);
    rig.test.push("other", NewTask::new("t", "other", Arguments::default()).encode("o").as_bytes());
    redis.fill();

    let task = NewTask::new("t", QUEUE, Arguments::default());
    assert_away(broker.enqueue(&task));
    assert_away(broker.enqueue_once("x", LONG, &task));
    assert_away(broker.takes_writes());
    broker.ping().unwrap();

    // Since when the message of Python's has been the next cannot be noted, and is left out.
    assert_eq!(broker.figures(&["other"]).unwrap().queues.len(), 2);
    broker.note_heads().unwrap();

    // A worker starts, says that it is alive, and works.
    broker.declare(&[QUEUE.to_owned(), "other".to_owned()]).unwrap();
    assert_eq!(broker.renew(worker, LONG).unwrap(), 0);
    broker.show(worker, &heartbeat("w@h", LONG)).unwrap();
    assert_eq!(broker.workers().unwrap().len(), 1);
    let name = NodeName::from_format("w@h", "h");
    assert_eq!(broker.claim(worker, &name).unwrap(), name);
    let [done, later, buried, left] = [(); 4].map(|()| rig.fetch().unwrap());
    assert_eq!(broker.renew(worker, LONG).unwrap(), 4);
    broker.store_result(&ids[1], "{\"status\": \"STARTED\", \"result\": null}").unwrap();
    assert_eq!(rig.finish(&done, &ids[1], &success("1")), Held::Yes);
    assert_eq!(broker.delay(worker, &later.tag, Due::In(Duration::ZERO)).unwrap(), Held::Yes);
    assert_eq!(broker.bury(worker, &burial(&buried)).unwrap(), Held::Yes);
    assert_eq!(broker.put_back(worker, &[left.tag]).unwrap(), 1);
    assert_eq!(broker.promote().unwrap(), 1);
    assert_eq!(broker.depth(QUEUE).unwrap(), 2);

    // People make room, or put back what they know to be short-lived.
    let letters = broker.dead_letters(&Default::default(), Page { limit: 9, after: None }).unwrap();
    broker.drop_dead_letter(letters[0].id).unwrap();
    assert_eq!(broker.requeue_dead_letter(letters[1].id).unwrap(), Requeue::Done);
    assert_eq!(rig.fetch().unwrap().deliveries, 1);
    assert_eq!(broker.leave(worker).unwrap(), 1);

    redis.make_room();
    broker.enqueue(&task).unwrap();
    assert_eq!(broker.depth(QUEUE).unwrap(), 4);
}
