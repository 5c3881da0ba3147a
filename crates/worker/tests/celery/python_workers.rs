//! Celery's workers beside ours, as the API and the command tell them.

use logmon_store::testing::process::{Signal, eventually};
use logmon_store::testing::system::System;
use serde_json::{Value, json};

use crate::common::Celery as _;

#[test]
fn celerys_workers_are_listed_beside_ours_with_what_is_known_of_them() {
    let system = System::new();
    // Nobody but the API listens at first, as while one moves over.
    let api = system.serve();
    let celerys = |what: &str, fits: &dyn Fn(&Value) -> bool| {
        eventually(what, || {
            let workers = api.get("/api/workers/").json();
            let found = workers.as_array().unwrap().iter().find(|worker| worker["program"] == "py-celery").cloned();
            fits(found.as_ref().unwrap_or(&Value::Null)).then_some(found.unwrap_or_default())
        })
    };
    let mut python = system.celery_works("celery,slow");
    let told = celerys("Celery's worker", &|worker| worker["queues"] != Value::Null);
    assert!(told["name"].as_str().unwrap().starts_with("celery@"), "{told}");
    assert_eq!((&told["state"], &told["pid"]), (&json!("ok"), &json!(python.id())));
    assert_eq!(told["queues"], json!(["celery", "slow"]));
    assert_eq!((&told["concurrency"], &told["tasks"]), (&json!(2), &Value::Null));
    assert!(told["version"].as_str().unwrap().starts_with("5."), "{told}");
    let mut shop = system.shop();
    let id = shop.ask("send", &json!([[7], {}]));
    assert_eq!(shop.ask("get", &json!([id])), json!({"value": 7}));
    celerys("what it has begun", &|worker| worker["processed"] == 1);

    let _ours = system.work_as(&["-Q", "other"], &[]);
    let (code, printed) = system.command(&["worker", "list"]);
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        (code, &printed[0]["program"], &printed[1]["program"]),
        (Some(0), &json!("py-celery"), &json!("logmon"))
    );

    python.signal(Signal::Stop);
    celerys("one that is lost", &|worker| worker["state"] == "lost");
    python.signal(Signal::Cont);
    celerys("its return", &|worker| worker["state"] == "ok");
    assert_eq!(python.stop().code(), Some(0));
    celerys("its leave", &Value::is_null);
}

#[test]
fn while_there_is_only_celerys_worker_it_checks_at_once_what_the_api_asks_for() {
    let system = System::new();
    let api = system.serve();
    let _theirs = system.celery_works("celery");
    let mut shop = system.shop();
    let mut checks = || shop.ask("checks", &json!([]));
    let errors = |app: i64| {
        let log = json!({"app": app, "level": "ERROR", "message": "boom"});
        assert_eq!(api.post("/api/logs/", &json!(vec![log; 101])).json()["accepted"], 101);
    };
    errors(1);
    eventually("the seed's check", || (checks() == json!(1)).then_some(()));
    let _ours = system.work(&[]);
    let is_known =
        || api.get("/api/workers/").json().as_array().unwrap().iter().any(|worker| worker["program"] == "logmon");
    eventually("our worker", || is_known().then_some(()));
    errors(2);
    let alerts = eventually("an alert", || {
        let alerts = api.get("/api/alerts/").json();
        (alerts != json!([])).then_some(alerts)
    });
    // Celery's is one that does nothing; ours looks at the one app.
    assert_eq!((alerts.as_array().unwrap().len(), &alerts[0]["app"]), (1, &json!(2)));
    assert_eq!(checks(), json!(1));
}
