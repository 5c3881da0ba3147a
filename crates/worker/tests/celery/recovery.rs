//! Each kind of worker brings back what a dead one of the other kind held.

use logmon_store::broker::WorkerId;
use logmon_store::testing::process::{Process, Signal, eventually};
use logmon_store::testing::python::interpreter;
use logmon_store::testing::system::System;
use serde_json::json;

use crate::common::{Celery as _, SCRIPTS};

/// A Python worker that holds what it runs until the end, and takes for dead who has held a message for two seconds.
fn python_works(system: &System) -> Process {
    let arguments = ["-m", "celery", "-A", "forgetful", "worker", "-P", "solo", "-l", "INFO"];
    let settings =
        [("BROKER_URL", system.broker.url()), ("KEY_PREFIX", system.broker.prefix()), ("PYTHONPATH", SCRIPTS)];
    Process::start(&interpreter(), &arguments, &settings)
}

#[test]
fn what_a_killed_python_worker_held_is_run_by_ours() {
    let system = System::new();
    let mut shop = system.shop();
    let python = python_works(&system);
    let id = shop.ask("send", &json!([[7], {}]));
    // There it takes for ever.
    python.wait_for_line("noop begins");
    python.signal(Signal::Kill);
    assert_eq!(system.broker.in_flight(), 1);
    let worker = system.work(&[("VISIBILITY_TIMEOUT", "2s"), ("WORKER_TIMEOUT", "2s")]);
    worker.wait_for_line("put back what a dead worker held");
    assert_eq!(shop.ask("get", &json!([id])), json!({"value": 7}));
    eventually("an empty flight", || (system.broker.in_flight() == 0).then_some(()));
}

#[test]
fn what_a_dead_worker_of_ours_held_is_run_by_pythons() {
    let system = System::new();
    let mut shop = system.shop();
    let id = shop.ask("send", &json!([[8], {"task_id": "quick"}]));
    // A worker of ours that dies with the message in its hands, and no other is there.
    let queues = ["celery".to_owned()];
    let fetched = system.broker.broker.fetch(&queues, &WorkerId("dead".to_owned()), 1).unwrap().fetched;
    assert_eq!((fetched.len(), system.broker.in_flight()), (1, 1));
    let python = python_works(&system);
    python.wait_for_line("noop begins");
    assert_eq!(shop.ask("get", &json!([id])), json!({"value": 8}));
    eventually("an empty flight", || (system.broker.in_flight() == 0).then_some(()));
    // What is noted of it on our side goes with the dead worker.
    assert_eq!(system.broker.broker.reap().unwrap(), 0);
}
