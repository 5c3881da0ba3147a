//! A Python producer with our worker, and our producers with a Python worker.

use logmon_store::testing::process::eventually;
use logmon_store::testing::system::System;
use serde_json::json;

use crate::common::Celery as _;

const CHECK: &str = "log_monitor_system.apps.core.tasks.check_error_logs";
const NOOP: &str = "log_monitor_system.apps.core.tasks.noop";

#[test]
fn a_python_producer_gets_its_results() {
    let system = System::new();
    let _worker = system.work(&[]);
    let mut shop = system.shop();
    let mut value = |args: &serde_json::Value, options: serde_json::Value| {
        let id = shop.ask("send", &json!([args, options]));
        shop.ask("get", &json!([id]))
    };
    let big = json!({"n": [1, -1.5, "支付 🚨", null, true], "k": {"__type__": "bytes", "__value__": "ab"}});
    assert_eq!(value(&json!([1]), json!({})), json!({"value": 1}));
    assert_eq!(value(&json!([big["n"]]), json!({"compression": "zlib"})), json!({"value": big["n"]}));
    assert_eq!(value(&json!([3]), json!({"priority": 9, "countdown": 0.2, "expires": 60})), json!({"value": 3}));
    assert_eq!(value(&json!([]), json!({"kwargs": {"value": 4}, "headers": {"x-tenant": "t"}})), json!({"value": 4}));
    let expired = value(&json!([5]), json!({"expires": -1}));
    assert_eq!(expired["error"], "TaskRevokedError: expired");
    let wrong = value(&json!([1, 2]), json!({}));
    assert!(wrong["error"].as_str().unwrap().starts_with("TypeError: "), "{wrong}");

    // Its result is not kept; one that is sent behind it is there when it has run.
    let ignored = shop.ask("send", &json!([[6], {"ignore_result": true}]));
    let id = shop.ask("send", &json!([[7], {}]));
    assert_eq!(shop.ask("get", &json!([id])), json!({"value": 7}));
    assert_eq!(shop.ask("state", &json!([ignored])), "PENDING");
}

#[test]
fn values_come_back_as_python_sent_them() {
    let system = System::new();
    let _worker = system.work(&[]);
    let mut shop = system.shop();
    for value in ["inf", "big", "float", "extended", "text"] {
        assert_eq!(shop.ask("echo", &json!([value])), true, "{value}");
    }
    // What JSON cannot say is kept as a dead letter, and whoever waits is told.
    let nan = shop.ask("echo", &json!(["nan"]));
    assert!(nan.as_str().unwrap().starts_with("TaskError: the body is not [args, kwargs, embed] as JSON"), "{nan}");
    assert_eq!(system.broker.dead_letters().len(), 1);
}

#[test]
fn a_task_that_fails_for_now_is_seen_to_be_tried_again() {
    let system = System::new();
    let _worker = system.work(&[]);
    let mut shop = system.shop();
    system.database.execute("RENAME TABLE core_logcount TO away");
    let id = shop.ask("send_named", &json!([CHECK, {}]));
    eventually("a retry", || (shop.ask("state", &json!([id])) == "RETRY").then_some(()));
    let meta = shop.ask("meta", &json!([id]));
    assert_eq!((&meta["traceback"], &meta["children"]), (&json!(null), &json!([[[id, null], null]])));
    system.database.execute("RENAME TABLE away TO core_logcount");
    assert_eq!(shop.ask("get", &json!([id])), json!({"value": 0}));
}

#[test]
fn our_commands_and_schedule_reach_a_python_worker() {
    let system = System::new();
    let worker = system.celery_works("celery");
    let call = |arguments: &[&str]| system.command(arguments).0;
    assert_eq!(call(&["call", NOOP, "--args", "[\"hi\"]", "--wait", "60"]), Some(0));
    assert_eq!(call(&["call", NOOP, "--kwargs", "{\"value\": [1, \"支付\"]}", "--wait", "60"]), Some(0));
    assert_eq!(call(&["call", NOOP, "--wait", "60"]), Some(1), "Python's own TypeError");
    let _beat = system.start("logmon-beat", &[], &[("CHECK_INTERVAL", "1s")]);
    let mut shop = system.shop();
    eventually("the schedule's task", || (shop.ask("checks", &json!([])) != 0).then_some(()));
    assert!(worker.said().contains("succeeded"), "{}", worker.said());
}

#[test]
fn what_we_withdraw_is_withdrawn_for_python() {
    let system = System::new();
    let theirs = system.celery_works("celery");
    let mut shop = system.shop();
    let id = shop.ask("send", &json!([[1], {"countdown": 3_600}]));
    let revoke = ["revoke", id.as_str().unwrap()];
    assert_eq!(system.command(&revoke).0, Some(0));
    assert_eq!(shop.ask("get", &json!([id]))["error"], "TaskRevokedError: revoked");
    theirs.wait_for_line("flagged as revoked");
}

#[test]
fn a_key_prefix_is_set_off_from_results_as_python_does() {
    let system = System::new();
    let prefix = format!("{}lm", system.broker.prefix());
    let _worker = system.work(&[("REDIS_KEY_PREFIX", &prefix)]);
    let mut shop = system.shop_behind(&prefix);
    assert_eq!(shop.run("group_of_ours"), json!({"value": [1, 2]}));
    assert_eq!(shop.run("chord_of_ours"), json!({"value": [1, 2]}));
}

#[test]
fn a_result_says_as_much_as_it_is_asked_to() {
    let system = System::new();
    let worker = system.work(&[("TRACK_STARTED", "true"), ("RESULT_EXTENDED", "true"), ("NODE_NAME", "w@h")]);
    let mut shop = system.shop();
    // It cannot go on before the lock is given back.
    let mut lock = system.database.session();
    lock.execute("LOCK TABLES core_logcount WRITE");
    let id = shop.ask("send_named", &json!([CHECK, {}]));
    eventually("the task's begin", || (shop.ask("state", &json!([id])) == "STARTED").then_some(()));
    let begun = shop.ask("meta", &json!([id]));
    assert_eq!(begun["result"], json!({"pid": worker.id(), "hostname": "w@h"}));
    lock.execute("UNLOCK TABLES");
    assert_eq!(shop.ask("get", &json!([id])), json!({"value": 0}));

    let id = shop.ask("send", &json!([[1], {"queue": "ingest"}]));
    shop.ask("get", &json!([id]));
    let meta = shop.ask("meta", &json!([id]));
    let said = ["name", "args", "kwargs", "worker", "retries", "queue"].map(|field| meta[field].clone());
    assert_eq!(said, [json!(NOOP), json!([1]), json!({}), json!("w@h"), json!(0), json!("ingest")]);
}

#[test]
fn a_result_that_is_too_large_is_a_failure_that_says_so() {
    let system = System::new();
    let _worker = system.work(&[]);
    let mut shop = system.shop();
    let mut returned = |length: usize| {
        let id = shop.ask("send", &json!([["x".repeat(length)], {}]));
        shop.ask("get", &json!([id]))
    };
    // With its quotes.
    assert_eq!(returned(1_048_574)["value"].as_str().map(str::len), Some(1_048_574));
    let failed = returned(1_048_575);
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("the result has 1048577 bytes as JSON, and at most 1048576 are kept"), "{error}");
}
