//! Checks at once: of the app and the rule whose threshold is passed, ahead of whatever else waits.

use std::time::Instant;

use logmon_core::app::AppId;
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_core::log::{Level, Record};
use logmon_core::tasks::{CHECK_QUEUE, INGEST_QUEUE, Noop, NoopInput, Task as _};
use logmon_store::testing::process::{PATIENCE, Process, eventually};
use serde_json::{Value, json};

use crate::common::{Api, System};
use crate::story::blocked_summary;

/// A worker that an API knows of.
pub(crate) fn work(system: &System, api: &Api) -> Process {
    let worker = system.work(&[("CONCURRENCY", "1"), ("PREFETCH", "0")]);
    eventually("the worker", || (api.get("/api/workers/").json() != json!([])).then_some(()));
    worker
}

/// How many checks of one app a worker has done.
pub(crate) fn checks(worker: &Process) -> usize {
    worker.said().lines().filter(|line| line.contains("succeeded") && line.contains("tasks.check_app")).count()
}

fn alerts(api: &Api) -> Vec<(Value, Value)> {
    let alerts = api.get("/api/alerts/").json();
    alerts.as_array().unwrap().iter().map(|alert| (alert["app"].clone(), alert["rule_name"].clone())).collect()
}

fn logs(api: &Api, app: i64, level: &str, count: usize) {
    let log = json!({"app": app, "level": level, "message": "boom"});
    assert_eq!(api.post("/api/logs/", &json!(vec![log; count])).json()["accepted"], count);
}

#[test]
fn only_the_app_that_passes_is_checked() {
    let system = System::new();
    let api = system.serve();
    let worker = work(&system, &api);
    // As many of another app, stored by who tells nobody.
    let created_at = SystemClock.now();
    let record = Record {
        app: AppId(2),
        level: Level::Error,
        message: "boom".to_owned(),
        created_at,
        event_id: None,
        extra: None,
    };
    let (told, heard) = std::sync::mpsc::channel();
    let end = Instant::now() + PATIENCE;
    system.database.writer().submit(vec![record; 101], end, move |stored| told.send(stored).unwrap());
    heard.recv().unwrap().unwrap();
    logs(&api, 1, "ERROR", 101);
    eventually("an alert", || (!alerts(&api).is_empty()).then_some(()));
    assert_eq!(alerts(&api), [(json!(1), json!("error-logs"))]);
    assert_eq!(system.database.number("SELECT COUNT(*) FROM core_evaluation"), 1, "of the other app nothing");
    eventually("its end", || (checks(&worker) == 1).then_some(()));
}

#[test]
fn a_rule_of_ones_own_is_checked_at_once_as_it_is_and_as_it_was_changed() {
    let system = System::new();
    let api = system.serve();
    let _worker = work(&system, &api);
    let rule = json!({"name": "slow", "app": 1, "level": "WARN", "threshold": 5, "window": "1h", "every": "1d"});
    let rule = api.post("/api/rules/", &rule).json();
    logs(&api, 2, "WARN", 6);
    logs(&api, 1, "WARN", 6);
    eventually("an alert", || (!alerts(&api).is_empty()).then_some(()));
    assert_eq!(alerts(&api), [(json!(1), json!("slow"))]);
    let path = format!("/api/rules/{}/", rule["id"]);
    let everywhere = json!({"app": null, "level": null, "threshold": 10}).to_string();
    let headers = [("Content-Type", "application/json")];
    assert_eq!(api.send("PATCH", &path, &headers, Some(everywhere.as_bytes())).status, 200);
    logs(&api, 2, "INFO", 4);
    logs(&api, 2, "INFO", 1);
    eventually("another one", || (alerts(&api).len() == 2).then_some(()));
    assert_eq!(alerts(&api), [(json!(2), json!("slow")), (json!(1), json!("slow"))]);
}

#[test]
fn a_check_overtakes_what_waits() {
    let system = System::new();
    let api = system.serve();
    let worker = work(&system, &api);
    // The one slot is taken, and more waits for it.
    let (mut lock, summary) = blocked_summary(&system, &api, &worker);
    for _ in 0..20 {
        let log = json!({"app": 2, "level": "INFO", "message": "later"});
        assert_eq!(crate::ingest::post_async(&api, None, &json!([log])).status, 202);
        let value = serde_json::value::to_raw_value("later").unwrap();
        system.broker.broker.enqueue(&Noop::call(&NoopInput { value }).unwrap()).unwrap();
    }
    logs(&api, 2, "ERROR", 101);
    eventually("a check", || (system.broker.broker.depth(CHECK_QUEUE).unwrap() == 1).then_some(()));
    lock.execute("ROLLBACK");
    assert_eq!(api.result_of(&summary)["status"], "SUCCESS");
    eventually("all of it", || (system.broker.broker.depth(INGEST_QUEUE).unwrap() == 0).then_some(()));
    assert_eq!(alerts(&api), [(json!(2), json!("error-logs"))]);
    let said = worker.said();
    let first = |task: &str| {
        let mut ended = said.lines().filter(|line| line.contains("succeeded"));
        ended.position(|line| line.contains(task)).unwrap_or(usize::MAX)
    };
    assert!(first("check_app") < first("noop") && first("noop") < first("ingest_logs"), "{said}");
}
