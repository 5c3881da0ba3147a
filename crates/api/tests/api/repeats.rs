//! Alerts that go on unheeded, told again by workers that are killed meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use logmon_store::testing::process::{Signal, eventually};
use logmon_store::testing::receiver::Receiver;
use serde_json::json;

use crate::channels::{ANY, Telling as _, make};
use crate::common::System;

#[test]
fn killed_workers_repeat_each_alert_once() {
    const ALERTS: i64 = 200;
    let receiver = Receiver::start(|_, _| (200, String::new()));
    let system = System::new();
    let api = system.serve_with(&[ANY]);
    let channel =
        json!({ "kind": "webhook", "name": "x", "repeat_after": "1h", "config": { "url": receiver.url("/") } });
    let channel = make(&api, &channel);
    system.database.execute(&format!("INSERT INTO core_rulechannel VALUES (1, {})", channel["id"]));
    system.database.execute(&format!(
        "INSERT INTO core_alert (app_id, content, is_resolved, created_at, rule_id, window_start, window_end, count, threshold)
         SELECT 1, CONCAT('alert ', seq), 0, NOW(6) - INTERVAL 1 DAY, 1, NOW(6) - INTERVAL 2 DAY, NOW(6) - INTERVAL 1 DAY, 101, 100
         FROM seq_1_to_{ALERTS}"
    ));
    let settings = [ANY, ("WORKER_TIMEOUT", "1s")];
    let repeats = "SELECT COUNT(*) FROM core_alertevent WHERE kind = 'repeated'";
    let mut workers = vec![system.work(&settings), system.work(&settings)];
    for kill in 1..=4 {
        eventually("some more repeats", || {
            system.dispatch();
            (system.database.number(repeats) >= kill * ALERTS / 5).then_some(())
        });
        let mut worker = workers.remove(0);
        worker.signal(Signal::Kill);
        worker.wait();
        workers.push(system.work(&settings));
    }
    eventually("every alert told", || {
        // What a dead worker had claimed is free again when its claim has ended.
        system
            .database
            .execute("UPDATE core_channel SET claimed_until = NULL WHERE claimed_until < NOW(6) + INTERVAL 85 SECOND");
        system.dispatch();
        let told: BTreeSet<_> =
            receiver.received().iter().map(|request| request.json()["alert"]["id"].as_i64()).collect();
        (told.len() == usize::try_from(ALERTS).unwrap()).then_some(())
    });
    assert_eq!(system.database.number(repeats), ALERTS);
    let mut ids: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    for request in receiver.received() {
        assert_eq!(request.json()["event"], "alert.repeated");
        let alert = request.json()["alert"]["id"].as_i64().unwrap();
        ids.entry(alert).or_default().insert(request.header("x-logmon-event-id").to_owned());
    }
    assert!(ids.values().all(|ids| ids.len() == 1), "what is told twice has the same id");
    let kept: BTreeSet<String> = system
        .database
        .lines("SELECT event_id AS line FROM core_alertevent WHERE kind = 'repeated'")
        .into_iter()
        .collect();
    assert_eq!(ids.into_values().flatten().collect::<BTreeSet<_>>(), kept);
}
