//! What people do with alerts over HTTP.

use logmon_store::testing::process::{Process, eventually};
use serde_json::{Value, json};

use crate::at_once::{checks, work};
use crate::common::{Api, System};
use crate::story::run_task;

const CHECK: &str = "log_monitor_system.apps.core.tasks.check_error_logs";

/// An alert of app 1 that a rule has raised.
fn raised(api: &Api, worker: &Process) -> Value {
    let rule =
        json!({"name": "slow", "app": 1, "level": "WARN", "threshold": 1, "severity": "info", "resolve_after": 0});
    assert_eq!(api.post("/api/rules/", &rule).status, 201);
    let log = |n: i64| json!({"app": 1, "level": "WARN", "message": format!("took {n} ms")});
    assert_eq!(api.post("/api/logs/", &json!([log(17), log(2_000)])).status, 200);
    eventually("its check", || (checks(worker) == 1).then_some(()));
    api.get("/api/alerts/").json()[0].clone()
}

fn ids(answer: &Value) -> Vec<i64> {
    answer.as_array().unwrap().iter().map(|alert| alert["id"].as_i64().unwrap()).collect()
}

#[test]
fn an_alert_is_acknowledged_assigned_resolved_and_reopened_and_its_timeline_says_by_whom() {
    let system = System::new();
    let api = system.serve();
    let worker = work(&system, &api);
    let alert = raised(&api, &worker);
    assert_eq!(
        (&alert["state"], &alert["severity"], &alert["rule_name"]),
        (&json!("open"), &json!("info"), &json!("slow"))
    );
    let finding = &alert["finding"];
    assert_eq!((&finding["count"], &finding["threshold"], &finding["is_late"]), (&json!(2), &json!(1), &json!(false)));
    assert_eq!(finding["patterns"][0]["pattern"], "took <n> ms");
    let query = finding["query"].as_str().unwrap();
    assert_eq!(api.get(query).json().as_array().unwrap().len(), 2, "{query} shows its logs");

    let path = format!("/api/alerts/{}/", alert["id"]);
    let act = |action: &str, body: &Value| {
        let answer = api.post(&format!("{path}{action}/"), body);
        (answer.status, answer.json())
    };
    for _ in 0..2 {
        let (status, now) = act("acknowledge", &json!({"by": "li", "note": "looking"}));
        assert_eq!((status, &now["state"], &now["acknowledged_by"]), (200, &json!("acknowledged"), &json!("li")));
    }
    assert_eq!(act("assign", &json!({"to": "wang", "by": "li"})).1["assigned_to"], "wang");
    assert_eq!(act("assign", &json!({})), (400, json!({"to": ["This field is required."]})));
    assert_eq!(act("assign", &json!({"to": null})).1["assigned_to"], Value::Null);
    assert_eq!(api.send("PATCH", &format!("{path}resolve/"), &[], None).json()["state"], "resolved");
    assert_eq!(act("acknowledge", &json!({})).0, 409, "it is over");
    for _ in 0..2 {
        assert_eq!(act("reopen", &json!({"by": "wang", "note": "not over"})).1["state"], "open");
    }
    let whole = api.get(&path).json();
    let timeline = whole["timeline"].as_array().unwrap();
    let said: Vec<_> = timeline.iter().map(|event| (&event["kind"], &event["actor"], &event["note"])).collect();
    let none = &Value::Null;
    assert_eq!(
        said,
        [
            (&json!("opened"), none, none),
            (&json!("acknowledged"), &json!("li"), &json!("looking")),
            (&json!("assigned"), &json!("li"), none),
            (&json!("assigned"), none, none),
            (&json!("resolved"), none, none),
            (&json!("reopened"), &json!("wang"), &json!("not over")),
        ]
    );
    assert_eq!(whole["note"], "not over");

    // Another one of the same rule and app is raised once this is resolved; then this cannot be reopened.
    api.send("PATCH", &format!("{path}resolve/"), &[], None);
    assert_eq!(run_task(&system, CHECK), 1);
    assert_eq!(act("reopen", &json!({})).0, 409);
    assert_eq!(act("acknowledge", &json!({"by": "x".repeat(101)})).0, 400);
    assert_eq!(api.get("/api/alerts/999/").json(), json!({"detail": "No Alert matches the given query."}));
    assert_eq!(api.post("/api/alerts/999/acknowledge/", &json!({})).status, 404);
}

#[test]
fn alerts_are_filtered_by_what_is_known_of_them() {
    let system = System::new();
    system.database.execute(
        "INSERT INTO core_alert (id, app_id, content, is_resolved, created_at, rule_id, severity, acknowledged_at, assigned_to, silenced_by, patterns, note) VALUES
         (1, 1, 'a', 0, '2026-11-23 01:00:00', 5, 'info', NULL, 'li', NULL, '[{\"pattern\":\"支付超时\"}]', NULL),
         (2, 1, 'b', 0, '2026-11-23 02:00:00', 5, 'critical', '2026-11-23 02:30:00', NULL, 9, NULL, '95% done'),
         (3, 2, 'c', 1, '2026-11-23 03:00:00', 6, 'info', NULL, NULL, NULL, NULL, NULL)",
    );
    let api = system.serve();
    for (query, expected) in [
        ("", vec![2, 1]),
        ("?state=open", vec![1]),
        ("?state=acknowledged", vec![2]),
        ("?state=resolved", vec![3]),
        ("?state=resolved&state=open", vec![3, 1]),
        ("?state=resolved&state=acknowledged", vec![3, 2]),
        ("?state=open&state=acknowledged&state=resolved&app=1", vec![2, 1]),
        ("?severity=info", vec![1]),
        ("?rule=5&assigned_to=li", vec![1]),
        ("?since=2026-11-23T01:30:00Z", vec![2]),
        ("?until=2026-11-23T02:00:00Z", vec![1]),
        ("?silenced=true", vec![2]),
        ("?silenced=false&state=resolved&state=open", vec![3, 1]),
        ("?q=B", vec![2]),
        ("?q=%E8%B6%85%E6%97%B6", vec![1]),
        ("?q=95%25", vec![2]),
        ("?q=%25", vec![2]),
        ("?q=_", vec![]),
    ] {
        assert_eq!(ids(&api.get(&format!("/api/alerts/{query}")).json()), expected, "{query}");
    }
    let wrong = api.get("/api/alerts/?state=x&rule=y&severity=z&app=q&since=soon&silenced=perhaps");
    assert_eq!(wrong.status, 400);
    for parameter in ["state", "rule", "severity", "app", "since", "silenced"] {
        assert!(wrong.json()[parameter].is_array(), "{parameter}");
    }
    // Django says no more than that it is resolved.
    let shown = api.get("/api/alerts/3/").json();
    assert_eq!(
        (&shown["state"], &shown["resolved_at"], &shown["finding"]),
        (&json!("resolved"), &Value::Null, &Value::Null)
    );
}

#[test]
fn many_are_resolved_together_and_taken_back() {
    let system = System::new();
    system.database.execute(
        "INSERT INTO core_alert (app_id, content, is_resolved, created_at, rule_id)
         SELECT 1 + seq % 2, 'x', 0, '2026-11-23', seq FROM seq_1_to_200",
    );
    let api = system.serve();
    let resolve = |body: &Value| {
        let answer = api.post("/api/alerts/resolve/", body);
        (answer.status, answer.json())
    };
    let open = || system.database.number("SELECT COUNT(*) FROM core_alert WHERE NOT is_resolved");
    assert_eq!(resolve(&json!({"filter": {"app": 1}, "expected": 120})).0, 409, "there are only 100");
    assert_eq!(open(), 200);
    let (status, done) = resolve(&json!({"filter": {"app": [1]}, "expected": 110, "by": "li", "note": "deploy"}));
    assert_eq!((status, &done["resolved"], &done["skipped"]), (200, &json!(100), &json!([])));
    assert_eq!(open(), 100);
    let by = "SELECT COUNT(*) FROM core_alert WHERE is_resolved AND resolved_by = 'li' AND note = 'deploy'";
    assert_eq!(system.database.number(by), 100);
    let (_, two) = resolve(&json!({"ids": [1, 2, 999]}));
    assert_eq!((two["resolved"].clone(), two["skipped"].as_array().unwrap().len()), (json!(1), 2));

    // One of them has another since, and stays resolved.
    system.database.execute(
        "INSERT INTO core_alert (app_id, content, is_resolved, created_at, rule_id) SELECT app_id, 'y', 0, NOW(6), rule_id
         FROM core_alert WHERE resolved_by = 'li' LIMIT 1",
    );
    let undo = |token: &Value| {
        let answer = api.post("/api/alerts/undo/", &json!({"undo_token": token, "by": "li"}));
        (answer.status, answer.json())
    };
    let (status, undone) = undo(&done["undo_token"]);
    assert_eq!((status, &undone["reopened"], undone["skipped"].as_array().unwrap().len()), (200, &json!(99), 1));
    assert_eq!(open(), 200 - 1 - 1 + 1);
    for nothing in [json!("x"), json!("00000000-0000-0000-0000-000000000000")] {
        assert_eq!(undo(&nothing).0, 404);
    }
    system.database.execute("UPDATE core_alertevent SET at = at - INTERVAL 11 MINUTE");
    assert_eq!(undo(&two["undo_token"]).0, 404, "it is too late");
    let (status, errors) = resolve(&json!({"ids": "x"}));
    assert_eq!((status, errors["ids"].is_array()), (400, true));
}
