//! The workers as the API and the command tell them.

use logmon_core::celery::{Arguments, NewTask};
use logmon_store::testing::process::{Signal, eventually};
use serde_json::{Value, json};

use crate::common::System;

const DELETE_APP: &str = "log_monitor_system.apps.core.tasks.delete_app";

#[test]
fn a_worker_is_busy_drains_or_is_lost() {
    let system = System::new();
    let api = system.serve();
    let mut lock = system.database.session();
    assert_eq!(api.get("/api/workers/").json(), json!([]));
    lock.execute("LOCK TABLES core_app WRITE");
    let start = |name, timeout| {
        let worker = system.start("logmon-worker", &["-n", name, "-Q", name], &[("WORKER_TIMEOUT", timeout)]);
        worker.wait_for_line("serving");
        worker
    };
    let (busy, idle) = (start("busy@h", "3s"), start("idle@h", "3s"));
    let task = NewTask::new(DELETE_APP, "busy@h", Arguments::from_json("[1]", "{}").unwrap());
    system.broker.broker.enqueue(&task).unwrap();
    let when = |what: &str, fits: &dyn Fn(&[Value]) -> bool| {
        eventually(what, || {
            let workers = api.get("/api/workers/").json().as_array().unwrap().clone();
            fits(&workers).then_some(workers)
        })
    };
    let workers = when("the task", &|workers| workers.len() == 2 && workers[0]["busy"] == 1);
    let told = &workers[0];
    assert_eq!((&told["name"], &told["state"]), (&json!("busy@h"), &json!("ok")));
    assert_eq!((&told["pid"], &told["queues"]), (&json!(busy.id()), &json!(["busy@h"])));
    assert_eq!((&told["concurrency"], &told["processed"]), (&json!(2), &json!(1)));
    let running = &told["tasks"][0];
    assert_eq!((&running["id"], &running["name"]), (&json!(task.id), &json!(DELETE_APP)));
    assert!(running["since"].as_str().unwrap() <= told["last_heartbeat"].as_str().unwrap(), "{told}");
    let queues = api.get("/api/queues/").json();
    let held: Vec<_> = queues.as_array().unwrap().iter().filter(|queue| queue["in_flight"] == 1).collect();
    assert_eq!((held.len(), &held[0]["name"]), (1, &json!("busy@h")), "{queues}");
    let (code, printed) = system.command(&["worker", "list"]);
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((code, &printed[0]["name"], &printed[1]["tasks"]), (Some(0), &json!("busy@h"), &json!([])));

    busy.signal(Signal::Term);
    when("a worker that drains", &|workers| workers[0]["state"] == "draining");
    idle.signal(Signal::Kill);
    when("a worker that is lost", &|workers| workers[1]["state"] == "lost");
    lock.execute("UNLOCK TABLES");
    when("one that has left", &|workers| workers.len() == 1 && workers[0]["name"] == "idle@h");
}
