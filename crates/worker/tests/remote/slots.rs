//! Slots that come and go, and runs that are ended.

use logmon_core::clock::{Clock as _, SystemClock};
use logmon_store::testing::system::System;
use serde_json::{Value, json};

use crate::common::{DELETE_APP, GENERATE_DAILY_SUMMARY, NOOP, Remote as _};

const NODE: &str = "w1@host";

#[test]
fn slots_are_added_and_taken_away_while_the_worker_runs() {
    let system = System::new();
    let mut lock = system.database.session();
    lock.execute("LOCK TABLES core_app WRITE");
    let _worker = system.work_as(&["-n", NODE, "--concurrency=1", "--database-connections=5"], &[]);
    let mut client = system.client();
    let blocked = system.push(DELETE_APP, &json!([1]));
    client.until("inspect", &json!([NODE, "active", {}]), |active| active.as_array().unwrap().len() == 1);
    let waiting = client.ask("send", &json!([NOOP, ["x"], {}]));
    assert_eq!(client.control(NODE, "pool_grow", &json!({"n": 2})), json!({"ok": "pool will grow"}));
    assert_eq!(client.ask("get", &json!([waiting])), json!({"value": "x"}));
    let slots = |client: &mut crate::common::Client| {
        client.inspect(NODE, "stats", &json!({}))["pool"]["max-concurrency"].clone()
    };
    assert_eq!(slots(&mut client), 3);
    let refused = client.control(NODE, "pool_grow", &json!({}));
    assert_eq!(refused, json!({"error": "there are 3 slots, and there can be 1 to 3"}));
    assert_eq!(client.control(NODE, "pool_shrink", &json!({"n": 2})), json!({"ok": "pool will shrink"}));
    assert!(client.control(NODE, "pool_shrink", &json!({}))["error"].is_string());
    assert_eq!(slots(&mut client), 1);
    lock.execute("UNLOCK TABLES");
    // The slots that have nothing to run go; what runs comes to its end in the one that stays, or before that goes.
    assert_eq!(client.ask("get", &json!([blocked.as_str()])), json!({"value": 0}));
    let next = client.ask("send", &json!([NOOP, ["y"], {}]));
    assert_eq!(client.ask("get", &json!([next])), json!({"value": "y"}));
}

#[test]
fn a_run_that_is_ended_leaves_its_slot_to_the_next() {
    let system = System::new();
    let mut lock = system.database.session();
    lock.execute("LOCK TABLES core_app WRITE");
    let mut client = system.client();
    assert_eq!(client.ask("listen", &json!([])), json!(true));
    let mut worker = system.work_as(&["-n", NODE, "--concurrency=1", "-E"], &[]);
    let stuck = system.push(DELETE_APP, &json!([1]));
    client.until("inspect", &json!([NODE, "active", {}]), |active| active.as_array().unwrap().len() == 1);
    let unknown = json!({"task_id": "aaaa-1", "terminate": true, "signal": "SIGKILL"});
    assert_eq!(client.control(NODE, "revoke", &unknown), json!({"ok": "terminate: tasks unknown"}));
    let terminate = json!({"task_id": [stuck.as_str()], "signal": "SIGTERM"});
    let ended = json!({"ok": format!("terminate: {stuck}")});
    assert_eq!(client.control(NODE, "terminate", &terminate), ended);

    let task = client.until("task", &json!([stuck.as_str()]), |task| task["state"] == "REVOKED");
    assert_eq!(task["name"], DELETE_APP);
    let events = client.ask("events", &json!([]));
    let revoked = events.as_array().unwrap().iter().find(|event| event["type"] == "task-revoked").unwrap();
    assert_eq!((&revoked["terminated"], &revoked["signum"]), (&json!(true), &json!(15)));
    let result = client.ask("get", &json!([stuck.as_str()]));
    assert_eq!((&result["state"], &result["error"]), (&json!("REVOKED"), &json!("TaskRevokedError('terminated')")));
    let next = client.ask("send", &json!([NOOP, ["x"], {}]));
    assert_eq!(client.ask("get", &json!([next])), json!({"value": "x"}));
    assert_eq!(client.inspect(NODE, "active", &json!({})), json!([]));
    assert_eq!(system.broker.in_flight(), 0);

    // What the thread comes to later is not heard, and does not end another's run.
    let blocked = system.push(DELETE_APP, &json!([2]));
    client.until("inspect", &json!([NODE, "active", {}]), |active| active.as_array().unwrap().len() == 1);
    lock.execute("UNLOCK TABLES");
    worker.wait_for_line("an abandoned run is over");
    assert_eq!(client.ask("get", &json!([blocked.as_str()])), json!({"value": 0}));
    assert_eq!(client.ask("get", &json!([stuck.as_str()]))["state"], Value::from("REVOKED"));
    assert!(worker.stop().success());
}

#[test]
fn a_run_over_its_soft_limit_ends_between_two_of_its_steps() {
    let system = System::new();
    let mut lock = system.database.session();
    lock.execute("BEGIN; UPDATE core_app SET owner = owner WHERE id = 1");
    let worker = system.work_as(&["-n", NODE, "--concurrency=1"], &[]);
    let mut client = system.client();
    let today = SystemClock.now().date_naive();
    let summary = client.ask("send", &json!([GENERATE_DAILY_SUMMARY, [today], {"soft_time_limit": 0.1}]));
    worker.wait_for_line("soft time limit of 0.1 s exceeded");
    // It has come to the first app, whose step ends, and the second one's does not begin.
    lock.execute("ROLLBACK");
    let result = client.ask("get", &json!([summary]));
    assert_eq!(
        (&result["state"], &result["error"]),
        (&json!("FAILURE"), &json!("SoftTimeLimitExceeded()")),
        "{result}"
    );
    assert_eq!(system.database.number("SELECT COUNT(*) FROM core_logsummary WHERE app_id = 2"), 0);
    let next = client.ask("send", &json!([NOOP, ["x"], {}]));
    assert_eq!(client.ask("get", &json!([next])), json!({"value": "x"}));
    assert_eq!(system.broker.in_flight(), 0);
}

#[test]
fn a_run_over_its_hard_limit_fails_and_leaves_its_slot() {
    let system = System::new();
    let mut lock = system.database.session();
    lock.execute("LOCK TABLES core_app WRITE");
    let worker = system.work_as(&["-n", NODE, "--concurrency=1"], &[]);
    let mut client = system.client();
    let own = client.ask("send", &json!([DELETE_APP, [1], {"time_limit": 0.5, "soft_time_limit": 0.1}]));
    let failed = |client: &mut crate::common::Client, id: &Value| {
        let result = client.ask("get", &json!([id]));
        assert_eq!(result["state"], "FAILURE", "{result}");
        assert!(result["error"].as_str().unwrap().starts_with("TimeLimitExceeded("), "{result}");
    };
    failed(&mut client, &own);
    worker.wait_for_line("soft time limit of 0.1 s exceeded");

    let limits = json!({"task_name": DELETE_APP, "soft": null, "hard": 0.5});
    assert_eq!(client.control(NODE, "time_limit", &limits), json!({"ok": "time limits set successfully"}));
    let unknown = client.control(NODE, "time_limit", &json!({"task_name": "nope", "hard": 1}));
    assert_eq!(unknown, json!({"error": "unknown task"}));
    let set = client.ask("send", &json!([DELETE_APP, [1], {}]));
    failed(&mut client, &set);
    let next = client.ask("send", &json!([NOOP, ["x"], {}]));
    assert_eq!(client.ask("get", &json!([next])), json!({"value": "x"}));
    assert_eq!(system.broker.in_flight(), 0);

    let _limited = system.work_as(&["-n", "w2@host", "-Q", "limited", "--concurrency=1", "--task-time-limit=1s"], &[]);
    let by_setting = client.ask("send", &json!([DELETE_APP, [1], {"queue": "limited"}]));
    failed(&mut client, &by_setting);
    lock.execute("UNLOCK TABLES");
}
