//! `celery inspect` and `celery control`.

use std::process::Command;

use logmon_core::celery::TaskId;
use logmon_store::testing::process::eventually;
use logmon_store::testing::python::interpreter;
use logmon_store::testing::system::System;
use serde_json::{Value, json};

use crate::common::{DELETE_APP, NOOP, Remote as _};

const NODE: &str = "w1@host";

fn is_text(value: &Value) -> bool {
    value.is_string()
}

#[test]
fn a_worker_whose_slots_are_all_busy_answers_everything() {
    let system = System::new();
    let mut lock = system.database.session();
    lock.execute("LOCK TABLES core_app WRITE");
    let worker = system.work_as(&["-n", NODE, "--concurrency=2", "--loglevel=debug"], &[]);
    let mut client = system.client();
    let later = json!([NOOP, ["x"], {"countdown": 3_600, "priority": 3}]);
    let later = client.ask("send", &later).as_str().unwrap().to_owned();
    client.until("inspect", &json!([NODE, "scheduled", {}]), |all| all != &json!([]));
    let tasks = [system.push(DELETE_APP, &json!([1])), system.push_again(DELETE_APP, &json!([2]))];
    client.until("inspect", &json!([NODE, "active", {}]), |active| active.as_array().unwrap().len() == 2);

    assert_eq!(client.inspect(NODE, "ping", &json!({})), json!({"ok": "pong"}));
    let active = client.inspect(NODE, "active", &json!({}));
    let mut ids: Vec<&str> = active.as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap()).collect();
    let mut expected: Vec<&str> = tasks.iter().map(TaskId::as_str).collect();
    ids.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ids, expected);
    let of_app = |app: u32| active.as_array().unwrap().iter().find(|task| task["args"] == json!([app])).unwrap();
    let redelivered = [1, 2].map(|app| of_app(app)["delivery_info"]["redelivered"].clone());
    assert_eq!(redelivered, [false, true]);
    let task = of_app(1);
    let mut keys: Vec<&String> = task.as_object().unwrap().keys().collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "acknowledged",
            "args",
            "delivery_info",
            "hostname",
            "id",
            "kwargs",
            "name",
            "time_start",
            "type",
            "worker_pid"
        ]
    );
    assert_eq!((&task["name"], &task["hostname"]), (&json!(DELETE_APP), &json!(NODE)));
    assert!(task["time_start"].as_f64().unwrap() > 1.7e9);
    let delivery = json!({"exchange": "", "routing_key": "celery", "priority": 0, "redelivered": false});
    assert_eq!(task["delivery_info"], delivery);
    let safe = client.inspect(NODE, "active", &json!({"safe": true}));
    assert!(safe.as_array().unwrap().iter().all(|task| is_text(&task["args"]) && task["kwargs"] == "{}"));

    let scheduled = client.inspect(NODE, "scheduled", &json!({}));
    assert_eq!(scheduled[0]["request"]["id"], json!(later));
    assert!(is_text(&scheduled[0]["eta"]) && scheduled[0]["priority"] == 6);
    assert_eq!(client.inspect(NODE, "reserved", &json!({})), json!([]));
    let asked = json!({"ids": [tasks[0].as_str(), later, "nobody"]});
    let found = client.inspect(NODE, "query_task", &asked);
    assert_eq!((&found[tasks[0].as_str()][0], &found[&later][0]), (&json!("active"), &json!("scheduled")));
    assert_eq!(found.as_object().unwrap().len(), 2);

    let stats = client.inspect(NODE, "stats", &json!({}));
    assert_eq!((&stats["total"][DELETE_APP], &stats["pool"]["max-concurrency"]), (&json!(2), &json!(2)));
    assert!(stats["rusage"]["maxrss"].as_u64().unwrap() > 1_000, "{stats}");
    assert!(is_text(&stats["clock"]) && stats["broker"]["hostname"] == "127.0.0.1", "{stats}");
    let conf = client.inspect(NODE, "conf", &json!({}));
    assert_eq!((&conf["NODE_NAME"], &conf["GRACE"]), (&json!(NODE), &Value::Null));
    assert!(conf["DATABASE_URL"].as_str().unwrap().starts_with("mysql://test:********@"), "{conf}");
    assert_eq!(client.inspect(NODE, "conf", &json!({"with_defaults": true}))["GRACE"], "25s");
    let report = client.inspect(NODE, "report", &json!({}))["ok"].clone();
    assert!(report.as_str().unwrap().contains("logmon-worker") && !report.as_str().unwrap().contains("test:test"));
    let registered = client.inspect(NODE, "registered", &json!({"taskinfoitems": []}));
    assert!(registered.as_array().unwrap().contains(&json!(NOOP)), "{registered}");
    let registered = client.inspect(NODE, "registered", &json!({"taskinfoitems": ["max_retries", "queue", "x"]}));
    assert!(registered.as_array().unwrap().contains(&json!(format!("{NOOP} [max_retries=5 queue=celery]"))));
    let queues = client.inspect(NODE, "active_queues", &json!({}));
    let names: Vec<_> =
        queues.as_array().unwrap().iter().map(|queue| (&queue["name"], &queue["routing_key"])).collect();
    let expected = ["check", "celery", "ingest"].map(|name| json!(name));
    assert_eq!(names, expected.each_ref().map(|name| (name, name)));
    assert!(client.inspect(NODE, "clock", &json!({}))["clock"].as_u64().unwrap() > 10);
    assert!(is_text(&client.inspect(NODE, "memsample", &json!({}))));
    assert_eq!(client.inspect(NODE, "foo_bar", &json!({})), json!({"error": "KeyError('foo_bar')"}));

    // One that is told to stop can be asked as well, while what runs comes to its end.
    assert_eq!(client.control(NODE, "shutdown", &json!({})), json!({"ok": "shutting down"}));
    worker.wait_for_line("stopping");
    assert_eq!(client.inspect(NODE, "ping", &json!({})), json!({"ok": "pong"}));
    lock.execute("UNLOCK TABLES");
    let mut worker = worker;
    assert!(worker.wait().success(), "{}", worker.said());
    assert_eq!(system.broker.in_flight(), 0);
    assert_eq!(system.database.number("SELECT COUNT(*) FROM core_app"), 0);
}

#[test]
fn what_remote_control_changes_is_changed() {
    let system = System::new();
    let _worker = system.work_as(&["-n", NODE, "--queues=celery"], &[]);
    let mut client = system.client();
    // Nothing that Celery's own worker knows is unknown.
    let known = client.ask("commands", &json!([]));
    let (never, unknown) = (["shutdown"], "KeyError");
    for method in known.as_array().unwrap().iter().map(|name| name.as_str().unwrap()) {
        if !never.contains(&method) {
            let answer = client.control(NODE, method, &json!({"n": 0, "task_name": NOOP, "queue": "celery"}));
            assert!(!answer.to_string().contains(unknown), "{method}: {answer}");
        }
    }
    client.control(NODE, "add_consumer", &json!({"queue": "celery"}));

    let add = json!({"queue": "emails", "exchange": null, "exchange_type": "direct", "routing_key": null});
    assert_eq!(client.control(NODE, "add_consumer", &add), json!({"ok": "add consumer emails"}));
    let sent = client.ask("send", &json!([NOOP, ["x"], {"queue": "emails"}]));
    assert_eq!(client.ask("get", &json!([sent])), json!({"value": "x"}));
    let gone = json!({"ok": "no longer consuming from emails"});
    assert_eq!(client.control(NODE, "cancel_consumer", &json!({"queue": "emails"})), gone);
    assert_eq!(client.inspect(NODE, "active_queues", &json!({})).as_array().unwrap().len(), 1);
    let kept = client.ask("send", &json!([NOOP, ["x"], {"queue": "emails"}]));
    let next = client.ask("send", &json!([NOOP, ["y"], {}]));
    assert_eq!(client.ask("get", &json!([next])), json!({"value": "y"}));
    assert_eq!(system.broker.broker.depth("emails").unwrap(), 1, "{kept}");

    let limit = |rate: &str| json!({"task_name": NOOP, "rate_limit": rate});
    assert_eq!(client.control(NODE, "rate_limit", &limit("1/h")), json!({"ok": "new rate limit set successfully"}));
    assert!(client.inspect(NODE, "registered", &json!({})).to_string().contains("rate_limit=1/h"));
    let first = client.ask("send", &json!([NOOP, [1], {}]));
    assert_eq!(client.ask("get", &json!([first])), json!({"value": 1}));
    client.ask("send", &json!([NOOP, [2], {}]));
    client.until("inspect", &json!([NODE, "scheduled", {}]), |all| all.as_array().unwrap().len() == 1);
    assert_eq!(client.control(NODE, "rate_limit", &limit("0")), json!({"ok": "rate limit disabled successfully"}));
    assert!(client.control(NODE, "rate_limit", &limit("often"))["error"].as_str().unwrap().contains("Invalid rate"));
    let unknown = json!({"task_name": "nope", "rate_limit": "1/s"});
    assert_eq!(client.control(NODE, "rate_limit", &unknown), json!({"error": "unknown task"}));
    let refused = client.control(NODE, "autoscale", &json!({"max": 5, "min": 2}));
    assert_eq!(refused, json!({"error": "ValueError('Autoscale not enabled')"}));
}

#[test]
fn requests_reach_those_they_name_and_two_workers_have_two_names() {
    let system = System::new();
    let _first = system.work_as(&["-n", "a@h"], &[]);
    let second = system.work_as(&["-n", "a@h"], &[]);
    second.wait_for_line("another worker is called a@h, so this one is a-2@h");
    let mut client = system.client();
    let nodes = |answer: Value| -> Vec<String> {
        let mut nodes: Vec<String> =
            answer.as_array().unwrap().iter().flat_map(|reply| reply.as_object().unwrap().keys().cloned()).collect();
        nodes.sort_unstable();
        nodes
    };
    for (expected, options) in [
        (vec!["a-2@h", "a@h"], json!({"limit": 2})),
        (vec!["a-2@h"], json!({"limit": 1, "pattern": "a-*", "matcher": "glob"})),
        (vec!["a@h"], json!({"limit": 1, "pattern": "a@", "matcher": "pcre"})),
        (vec!["a@h"], json!({"destination": ["a@h"]})),
    ] {
        assert_eq!(nodes(client.ask("broadcast", &json!(["ping", options]))), expected);
    }
    // The command line itself, and its own way to end a worker.
    let celery = |arguments: &[&str]| {
        let output = Command::new(interpreter())
            .args(["-m", "celery", "-A", "celery_app"])
            .args(arguments)
            .envs(system.settings())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    };
    let status = celery(&["inspect", "ping", "-d", "a@h,a-2@h", "-t", "30"]);
    assert!(status.contains("a@h: OK") && status.contains("2 nodes online"), "{status}");
    client.ask("cast", &json!(["shutdown", {"destination": ["a-2@h"]}]));
    let mut second = second;
    assert!(second.wait().success());
    assert_eq!(nodes(client.ask("broadcast", &json!(["ping", {"limit": 1}]))), ["a@h"]);
    eventually("a name that is free again", || {
        let third = system.work_as(&["-n", "a@h"], &[]);
        third.said().contains("this one is a-2@h").then_some(())
    });
}
