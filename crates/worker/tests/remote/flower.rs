//! Flower 2.2 shows the worker, its queues and its tasks.

use std::net::TcpListener;

use logmon_store::testing::http::{Response, send};
use logmon_store::testing::process::{Process, eventually};
use logmon_store::testing::python::interpreter;
use logmon_store::testing::system::System;
use serde_json::{Value, json};

use crate::common::{NOOP, Remote as _};

const NODE: &str = "w1@host";

#[test]
fn flower_shows_workers_queues_and_tasks_and_steers_them() {
    let system = System::new();
    let mut worker = system.work_as(&["-n", NODE], &[]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut settings = system.settings().to_vec();
    settings.push(("FLOWER_UNAUTHENTICATED_API", "true"));
    let arguments = ["-m", "celery", "-A", "celery_app", "flower", "--address=127.0.0.1", &format!("--port={port}")];
    let _flower = Process::start(&interpreter(), &arguments, &settings);
    let address = format!("127.0.0.1:{port}");
    let ask = |method: &str, path: &str| -> Option<Response> {
        send(&address, method, path, &[], (method == "POST").then_some(b"".as_slice())).ok()
    };
    let get = |path: &str| ask("GET", path).filter(|answer| answer.status == 200);
    eventually("Flower", || get("/healthcheck"));
    let until = |path: &str, fits: &dyn Fn(&Value) -> bool| {
        eventually(path, || get(path).map(|answer| answer.json()).filter(|answer| fits(answer)))
    };

    // It asks for events of tasks by itself.
    until("/api/workers?status=true", &|workers| workers[NODE] == true);
    eventually("events of tasks", || {
        let id = system.push(NOOP, &json!(["it's"]));
        let shown = eventually("a result", || {
            let result = system.broker.broker.result(&id).unwrap();
            (result.result.get() == "\"it's\"").then(|| get(&format!("/api/task/info/{id}")))
        });
        shown.map(|shown| assert_eq!(shown.json()["name"], NOOP))
    });
    let tasks = until("/api/tasks?state=SUCCESS", &|tasks| tasks.as_object().is_some_and(|tasks| !tasks.is_empty()));
    let task = tasks.as_object().unwrap().values().next().unwrap();
    assert_eq!(
        (&task["worker"], &task["args"], &task["result"]),
        (&json!(NODE), &json!("(\"it's\",)"), &json!("\"it's\""))
    );

    let shown = until("/api/workers?refresh=true", &|workers| workers[NODE]["stats"].is_object());
    let queues = shown[NODE]["active_queues"].as_array().unwrap();
    assert!(queues.iter().any(|queue| queue["name"] == "celery"), "{queues:?}");
    assert_eq!(shown[NODE]["stats"]["pool"]["max-concurrency"], 2);
    assert!(shown[NODE]["registered"].as_array().unwrap().contains(&json!(NOOP)));
    assert!(shown[NODE]["conf"]["DATABASE_URL"].as_str().unwrap().contains("********"));
    let page = eventually("the worker's page", || get(&format!("/worker/{NODE}")));
    let page = String::from_utf8_lossy(&page.body).into_owned();
    assert!(page.contains(NOOP) && page.contains("ogmon:threads"), "{page}");
    let lengths = until("/api/queues/length", &|queues| !queues["active_queues"][0].is_null());
    assert!(lengths["active_queues"].as_array().unwrap().iter().any(|queue| queue["name"] == "celery"), "{lengths}");

    let stopped = eventually("an answer", || ask("POST", &format!("/api/worker/shutdown/{NODE}")));
    assert_eq!(stopped.status, 200, "{}", String::from_utf8_lossy(&stopped.body));
    assert!(worker.wait().success());
    until("/api/workers?status=true", &|workers| workers[NODE] == false);
}
