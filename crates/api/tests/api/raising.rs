//! Alerts that are raised and told by workers that are killed meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use logmon_core::tasks::{CheckErrorLogs, EvaluateRules, NoInput, Task as _};
use logmon_store::testing::process::{Process, Signal, eventually};
use logmon_store::testing::receiver::Receiver;
use serde_json::{Value, json};

use crate::channels::{ANY, Telling as _, make};
use crate::common::System;

const APPS: i64 = 500;
const RAISED: &str = "SELECT COUNT(*) FROM core_alert";

/// Gives the workers everything to do that raises alerts and tells of them.
fn hurry(system: &System) {
    system.broker.broker.enqueue(&CheckErrorLogs::call(&NoInput {}).unwrap()).unwrap();
    system.broker.broker.enqueue(&EvaluateRules::call(&NoInput {}).unwrap()).unwrap();
    // What a dead worker had claimed is free again when its claim has ended.
    system
        .database
        .execute("UPDATE core_channel SET claimed_until = NULL WHERE claimed_until < NOW(6) + INTERVAL 85 SECOND");
    system.dispatch();
}

/// Kills a worker in the middle of raising, once at least so many alerts are there.
fn kill_after(system: &System, worker: &mut Process, alerts: i64) {
    eventually("some more alerts", || (system.database.number(RAISED) >= alerts).then_some(()));
    worker.signal(Signal::Kill);
    worker.wait();
    assert!(system.database.number(RAISED) < APPS, "it was killed before all were raised");
}

#[test]
fn killed_workers_raise_one_alert_an_app_and_tell_each() {
    let receiver = Receiver::start(|_, _| (200, String::new()));
    let system = System::new();
    let api = system.serve_with(&[ANY]);
    let channel = make(
        &api,
        &json!({ "kind": "webhook", "name": "x", "rate_limit": null, "config": { "url": receiver.url("/") } }),
    );
    system.database.execute(&format!(
        "INSERT INTO core_app (id, name, owner, created_at) SELECT seq, CONCAT('app-', seq), 'o', NOW(6) FROM seq_3_to_{APPS}"
    ));
    let rule = json!({"name": "any", "threshold": 0, "resolve_after": 0, "channels": [channel["id"]]});
    assert_eq!(api.post("/api/rules/", &rule).status, 201);
    let errors: Vec<Value> =
        (1..=APPS).map(|app| json!({"app": app, "level": "ERROR", "message": format!("boom {app}")})).collect();
    assert_eq!(api.post("/api/logs/", &json!(errors)).json()["accepted"], APPS);

    let settings = [ANY, ("WORKER_TIMEOUT", "1s")];
    let mut workers = vec![system.work(&settings), system.work(&settings)];
    for kill in 1..=4 {
        hurry(&system);
        kill_after(&system, &mut workers.remove(0), kill * APPS / 8);
        workers.push(system.work(&settings));
    }
    eventually("every alert told", || {
        hurry(&system);
        let told: BTreeSet<_> =
            receiver.received().iter().map(|request| request.json()["alert"]["id"].as_i64()).collect();
        (told.len() == usize::try_from(APPS).unwrap()).then_some(())
    });

    let number = |query: &str| system.database.number(query);
    assert_eq!((number(RAISED), number("SELECT COUNT(DISTINCT app_id) FROM core_alert")), (APPS, APPS));
    assert_eq!(number("SELECT COUNT(*) FROM core_alertevent WHERE kind = 'opened'"), APPS, "each has its beginning");
    assert_eq!(number("SELECT COUNT(DISTINCT app_id) FROM core_evaluation WHERE outcome = 'breached'"), APPS);
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for request in receiver.received() {
        assert_eq!(request.json()["event"], "alert.opened");
        told.entry(request.header("x-logmon-event-id").to_owned()).or_default().insert(request.body);
    }
    let kept: BTreeSet<String> =
        system.database.lines("SELECT event_id AS line FROM core_alertevent").into_iter().collect();
    assert_eq!(told.keys().cloned().collect::<BTreeSet<_>>(), kept, "what is told twice has the same id");
    assert!(told.values().all(|bodies| bodies.len() == 1), "and says the same");
}
