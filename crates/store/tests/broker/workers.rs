//! What workers say of themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use logmon_core::celery::NodeName;
use logmon_core::worker::{Heartbeat, PROGRAM, Phase, WorkerState};
use logmon_store::broker::WorkerId;
use logmon_store::testing::process::eventually;

use crate::rig::Rig;

pub(crate) fn heartbeat(name: &str, interval: Duration) -> Heartbeat {
    Heartbeat {
        name: NodeName::from_format(name, "h"),
        host: "h".to_owned(),
        pid: 1,
        program: PROGRAM.to_owned(),
        version: "0".to_owned(),
        queues: Some(vec!["celery".to_owned()]),
        concurrency: Some(2),
        busy: 1,
        processed: 3,
        in_flight: BTreeMap::new(),
        tasks: Some(Vec::new()),
        phase: Phase::Serving,
        interval_ms: u64::try_from(interval.as_millis()).unwrap(),
    }
}

#[test]
fn a_worker_is_told_until_it_leaves_and_lost_when_it_does_not() {
    let rig = Rig::new();
    let [first, again, other] = ["1", "2", "3"].map(|id| WorkerId(id.to_owned()));
    let found = || {
        let workers = rig.broker().workers().unwrap();
        workers.into_iter().map(|worker| (worker.heartbeat.name.to_string(), worker.state)).collect::<Vec<_>>()
    };
    assert_eq!(found(), []);
    let long = Duration::from_secs(3_600);
    rig.broker().show(&first, &heartbeat("b@h", Duration::from_millis(1))).unwrap();
    rig.broker().show(&other, &heartbeat("a@h", long)).unwrap();
    eventually("the lost one", || {
        (found() == [("a@h".to_owned(), WorkerState::Ok), ("b@h".to_owned(), WorkerState::Lost)]).then_some(())
    });
    // Its successor takes its name and its place.
    let draining = Heartbeat { phase: Phase::Draining, ..heartbeat("b@h", long) };
    rig.broker().show(&again, &draining).unwrap();
    let workers = rig.broker().workers().unwrap();
    assert_eq!((workers.len(), workers[1].state), (2, WorkerState::Draining));
    assert_eq!(workers[1].heartbeat, draining);
    rig.broker().leave(&other).unwrap();
    assert_eq!(found(), [("b@h".to_owned(), WorkerState::Draining)]);
    rig.broker().leave(&again).unwrap();
    assert_eq!(found(), [("b@h".to_owned(), WorkerState::Lost)], "the first one did not take its leave");
}
