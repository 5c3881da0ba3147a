//! What `celery events` and Celery's `State` see of a worker and its tasks.

use std::net::TcpListener;
use std::sync::Arc;

use logmon_core::celery::{Arguments, NewTask, NodeName, TaskMessage};
use logmon_core::clock::SystemClock;
use logmon_core::config::BrokerSettings;
use logmon_store::broker::Broker;
use logmon_store::testing::process::{PATIENCE, eventually};
use logmon_store::testing::system::System;
use logmon_worker::events::{Event, Events as _, Origin, Publisher, TaskEvents};
use serde_json::{Value, json};

use crate::common::{NOOP, Remote as _};

const NODE: &str = "w1@host";

/// The types of a task's events, in the order of the logical clock.
fn types(events: &Value, id: &Value) -> Vec<String> {
    let mut own: Vec<&Value> = events.as_array().unwrap().iter().filter(|event| event["uuid"] == *id).collect();
    own.sort_by_key(|event| event["clock"].as_u64().unwrap());
    own.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_listener_sees_the_worker_and_every_step_of_its_tasks() {
    let system = System::new();
    let mut client = system.client();
    assert_eq!(client.ask("listen", &json!([])), json!(true));
    let mut worker = system.work_as(&["-n", NODE, "-E"], &[]);
    client.until("worker", &json!([NODE]), |worker| worker["alive"] == true && worker["ident"] == "logmon");

    let sent = |client: &mut crate::common::Client, name: &str, args: Value, options: Value| {
        client.ask("send", &json!([name, args, options]))
    };
    let good = sent(&mut client, NOOP, json!(["x"]), json!({}));
    let bad = sent(&mut client, NOOP, json!([1, 2, 3]), json!({}));
    let unknown = sent(&mut client, "nope", json!([]), json!({}));
    let expired = sent(&mut client, NOOP, json!([1]), json!({"expires": -1}));
    let done = |client: &mut crate::common::Client, id: &Value, state: &str| {
        client.until("task", &json!([id]), |task| task["state"] == state)
    };
    let task = done(&mut client, &good, "SUCCESS");
    assert_eq!((&task["name"], &task["worker"]), (&json!(NOOP), &json!(NODE)));
    assert_eq!((&task["args"], &task["kwargs"], &task["result"]), (&json!("['x']"), &json!("{}"), &json!("'x'")));
    assert_eq!((&task["root_id"], &task["retries"]), (&good, &json!(0)));
    assert!(task["runtime"].as_f64().unwrap() >= 0.0);
    assert!(task["received"].as_f64().unwrap() <= task["started"].as_f64().unwrap());
    let exception = done(&mut client, &bad, "FAILURE")["exception"].clone();
    assert!(exception.as_str().unwrap().starts_with("TypeError("), "{exception}");
    assert_eq!(done(&mut client, &unknown, "FAILURE")["exception"], "NotRegistered('nope')");
    done(&mut client, &expired, "REVOKED");

    // The number of what was begun comes with the next heartbeat.
    let begun = client.until("worker", &json!([NODE]), |worker| worker["processed"] == 2);
    assert_eq!((&begun["active"], &begun["freq"]), (&json!(0), &json!(2.0)));
    assert!(begun["loadavg"].as_array().unwrap().iter().all(Value::is_f64));

    assert!(worker.stop().success());
    client.until("worker", &json!([NODE]), |worker| worker["alive"] == false);
    let events = client.ask("events", &json!([]));
    assert_eq!(types(&events, &good), ["task-received", "task-started", "task-succeeded"]);
    assert_eq!(types(&events, &bad), ["task-received", "task-started", "task-failed"]);
    assert_eq!(types(&events, &unknown), ["task-received", "task-failed"]);
    assert_eq!(types(&events, &expired), ["task-received", "task-revoked"]);
    let of_worker = |kind: &str| events.as_array().unwrap().iter().filter(|event| event["type"] == kind).count();
    assert_eq!((of_worker("worker-online"), of_worker("worker-offline")), (1, 1));
    let last = events.as_array().unwrap().last().unwrap();
    assert_eq!(last["type"], "worker-offline");
    let mut clocks: Vec<u64> =
        events.as_array().unwrap().iter().map(|event| event["clock"].as_u64().unwrap()).collect();
    assert!(events.as_array().unwrap().iter().all(|event| event.get("utcoffset").is_none()));
    let count = clocks.len();
    clocks.dedup();
    assert!(clocks.is_sorted() && clocks.len() == count, "{clocks:?}");
}

#[test]
fn a_listener_sees_what_a_worker_sends_where_that_is_asked_for() {
    let system = System::new();
    let mut client = system.client();
    assert_eq!(client.ask("listen", &json!([])), json!(true));
    let _worker = system.work_as(&["-n", NODE, "-E", "--task-sent-events"], &[]);
    let callback = json!({
        "task": NOOP, "args": [], "kwargs": {}, "options": {"task_id": "the-callback"}, "subtask_type": null,
        "immutable": false,
    });
    let first = client.ask("send", &json!([NOOP, ["x"], {"link": [callback]}]));
    let then = client.until("task", &json!(["the-callback"]), |task| task["state"] == "SUCCESS");
    // Said after the task is on its queue, as Celery does, so that another slot may have received it already.
    assert!(then["sent"].is_f64() && then["received"].is_f64(), "{then}");
    assert_eq!((&then["name"], &then["args"]), (&json!(NOOP), &json!("('x',)")));
    assert_eq!((&then["root_id"], &then["parent_id"]), (&first, &first));
    // Its own producer said nothing.
    let done = client.until("task", &json!([first]), |task| task["state"] == "SUCCESS");
    assert_eq!(done["sent"], Value::Null);
    let events = client.ask("events", &json!([]));
    let sent: Vec<&Value> = events.as_array().unwrap().iter().filter(|event| event["type"] == "task-sent").collect();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(
        (&sent[0]["queue"], &sent[0]["routing_key"], &sent[0]["exchange"]),
        (&json!("celery"), &json!("celery"), &json!(""))
    );
}

#[test]
fn events_of_tasks_are_published_while_somebody_asks_for_them() {
    let system = System::new();
    let mut client = system.client();
    let _worker = system.work_as(&["-n", NODE], &[]);
    assert_eq!(client.ask("listen", &json!([])), json!(true));
    let run = |client: &mut crate::common::Client| {
        let id = client.ask("send", &json!([NOOP, ["x"], {}]));
        assert_eq!(client.ask("get", &json!([id])), json!({"value": "x"}));
        id
    };
    let switch =
        |client: &mut crate::common::Client, method: &str| client.control(NODE, method, &json!({}))["ok"].clone();
    let unseen = run(&mut client);
    assert_eq!(switch(&mut client, "enable_events"), "task events enabled");
    assert_eq!(switch(&mut client, "enable_events"), "task events already enabled");
    let seen = run(&mut client);
    client.until("task", &json!([seen]), |task| task["state"] == "SUCCESS");
    assert_eq!(switch(&mut client, "disable_events"), "task events disabled");
    assert_eq!(switch(&mut client, "disable_events"), "task events already disabled");
    let unseen_too = run(&mut client);
    // A heartbeat that is asked for comes after whatever was published before.
    let beats = |events: &Value| events.as_array().unwrap().iter().filter(|e| e["type"] == "worker-heartbeat").count();
    let before = beats(&client.ask("events", &json!([])));
    assert_eq!(client.control(NODE, "heartbeat", &json!({})), Value::Null);
    let events =
        eventually("a heartbeat", || Some(client.ask("events", &json!([]))).filter(|events| beats(events) > before));
    assert_eq!(types(&events, &unseen), Vec::<String>::new());
    assert_eq!(types(&events, &unseen_too), Vec::<String>::new());
    assert_eq!(types(&events, &seen).len(), 3);
}

#[test]
fn events_that_find_no_redis_are_dropped_and_counted_and_hold_nobody_up() {
    let message = NewTask::new(NOOP, "celery", Arguments::default()).encode("o");
    let message = TaskMessage::decode(message.as_bytes()).unwrap();
    // A port that nobody listens on.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = BrokerSettings {
        redis_url: format!("redis://127.0.0.1:{port}/0").into(),
        redis_key_prefix: String::new(),
        result_expires: PATIENCE,
        task_sent_events: false,
    };
    let origin = Origin {
        broker: Broker::new(&settings, 1).unwrap(),
        node: NodeName::from_format(NODE, "host"),
        lamport: Arc::default(),
        clock: Arc::new(SystemClock),
        counts: Box::new(|| (0, 0)),
    };
    let publisher = Publisher::start(origin, TaskEvents::On);
    for _ in 0..30_000 {
        publisher.tell(&message, Event::Started);
    }
    // So many do not even wait.
    assert!(publisher.dropped() >= 19_000, "{}", publisher.dropped());
    publisher.end();
    assert_eq!(publisher.switch(TaskEvents::Off), TaskEvents::On);
    let dropped = publisher.dropped();
    publisher.tell(&message, Event::Started);
    assert_eq!(publisher.dropped(), dropped);
}
