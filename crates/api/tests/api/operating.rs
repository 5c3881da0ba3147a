//! Looking after the task engine, by the API and by the commands.

use serde_json::{Value, json};

use logmon_store::db::migrations;
use logmon_store::testing::process::eventually;

use crate::common::System;

const NOOP: &str = "log_monitor_system.apps.core.tasks.noop";

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Pushes bytes as they are onto the queue `celery`.
fn push(system: &System, bytes: &[u8]) {
    system.broker.push("celery", bytes);
}

#[test]
fn a_dead_letter_is_found_put_back_and_dropped_over_http() {
    let system = System::new();
    let (api, _worker) = (system.serve(), system.work(&[]));
    assert_eq!(api.get("/api/dead-letters/").json(), json!([]));
    let task = |id: &str| {
        use logmon_core::celery::{Arguments, NewTask, TaskId};
        let arguments = Arguments::from_json("[1]", "{}").unwrap();
        NewTask { id: TaskId(id.to_owned()), ..NewTask::new(NOOP, "celery", arguments) }.encode("o")
    };
    push(&system, task("one").replacen("application/json", "application/x-other", 1).as_bytes());
    let letters_when = |count| {
        eventually("dead letters", || {
            let letters = api.get("/api/dead-letters/").json();
            (letters.as_array().unwrap().len() == count).then_some(letters)
        })
    };
    letters_when(1);
    push(&system, b"\xffhello");
    let letters = letters_when(2);
    let path = |letter: &Value| format!("/api/dead-letters/{}/", letter["id"].as_str().unwrap());
    let (junk, one) = (&letters[0], &letters[1]);
    assert_eq!((&one["task"], &one["task_id"], &one["queue"]), (&json!(NOOP), &json!("one"), &json!("celery")));
    assert_eq!((&junk["task"], &junk["size_bytes"]), (&Value::Null, &json!(6)));
    assert_eq!(api.get(&path(junk)).json()["raw_base64"], "/2hlbGxv");
    let raw = api.get(&path(one)).json();
    assert!(raw["raw"].as_str().unwrap().contains("application/x-other") && raw["raw_base64"].is_null());

    // The next page, and what fits.
    let first = api.get("/api/dead-letters/?limit=1");
    let next = first.header("link").unwrap().trim_start_matches('<').split('>').next().unwrap().to_owned();
    assert_eq!((first.json(), api.get(&next).json()), (json!([junk]), json!([one])));
    assert_eq!(api.get(&format!("/api/dead-letters/?task={NOOP}")).json(), json!([one]));
    assert_eq!(api.get("/api/dead-letters/?reason=content-type").json(), json!([one]));
    assert_eq!(api.get("/api/dead-letters/?limit=x").status, 400);

    let refused = api.send("POST", &(path(junk) + "requeue/"), &[], None);
    assert_eq!((refused.status, refused.json()["detail"].as_str().unwrap().contains("JSON")), (409, true));
    let requeued = api.send("POST", &(path(one) + "requeue/"), &[], None);
    assert_eq!((requeued.status, requeued.json()), (202, json!({"task_id": "one"})));
    assert_eq!(requeued.header("location"), Some("/api/tasks/one/"));
    assert_eq!(api.send("DELETE", &path(junk), &[], None).status, 204);
    for gone in [junk, one] {
        assert_eq!(api.get(&path(gone)).status, 404);
        assert_eq!(api.send("DELETE", &path(gone), &[], None).status, 404);
    }
    assert_eq!(api.get("/api/dead-letters/soon/").status, 404);
    // As unreadable as it was, it comes back under another id.
    eventually("it to die again", || (api.get("/api/dead-letters/").json()[0]["task_id"] == "one").then_some(()));
}

#[test]
fn a_queued_batch_that_cannot_be_stored_is_kept_as_a_dead_letter() {
    use logmon_core::celery::{Arguments, NewTask};
    let system = System::new();
    let (api, _worker) = (system.serve(), system.work(&[]));
    let other = Arguments::from_json("[]", r#"{"logs": "of another release"}"#).unwrap();
    let ingest = NewTask::new("log_monitor_system.apps.core.tasks.ingest_logs", "ingest", other);
    system.broker.broker.enqueue(&ingest).unwrap();
    let letters = eventually("the dead letter", || {
        let letters = api.get("/api/dead-letters/").json();
        (!letters.as_array().unwrap().is_empty()).then_some(letters)
    });
    assert_eq!(letters[0]["task_id"], ingest.id.as_str());
    assert!(letters[0]["reason"].as_str().unwrap().contains("ingest_logs failed: TypeError"), "{letters}");
    assert_eq!(api.get(&format!("/api/tasks/{}/", ingest.id)).json()["status"], "FAILURE");
}

#[test]
fn the_command_lists_requeues_and_drops_dead_letters() {
    let system = System::new();
    let worker = system.work(&[("CONCURRENCY", "1")]);
    // One slot, and its order.
    for junk in ["a", "b", "[]"] {
        push(&system, junk.as_bytes());
    }
    let letters = eventually("three dead letters", || {
        let letters = parse(&system.command(&["dead-letter", "list"]).1);
        (letters.as_array().unwrap().len() == 3).then_some(letters)
    });
    drop(worker);
    let id = |n: usize| letters[n]["id"].as_str().unwrap();
    let (code, out) = system.command(&["dead-letter", "show", id(2)]);
    assert_eq!((code, &parse(&out)[0]["raw"]), (Some(0), &json!("a")));
    let (code, out) = system.command(&["dead-letter", "requeue", id(2), "1-1"]);
    assert_eq!(code, Some(1));
    let refused = parse(&out)["refused"].clone();
    assert_eq!(
        (refused[0]["id"].as_str(), &refused[1]["reason"]),
        (Some(id(2)), &json!("there is no such dead letter"))
    );
    let (code, out) = system.command(&["dead-letter", "drop", id(2)]);
    assert_eq!((code, parse(&out)), (Some(0), json!({"dropped": [id(2)], "refused": []})));
    let (_, out) = system.command(&["dead-letter", "drop", "--all", "--reason", "no properties"]);
    assert_eq!(parse(&out)["dropped"], json!([id(0)]));
    assert_eq!(system.command(&["dead-letter", "requeue"]).0, Some(2), "neither ids nor --all");
    assert_eq!(system.command(&["dead-letter", "drop", "soon"]).0, Some(2));
    system.command(&["dead-letter", "drop", "--all"]);
    assert_eq!(system.command(&["dead-letter", "list"]).1.trim(), "[]");
}

#[test]
fn a_queue_stands_still_and_goes_on() {
    let system = System::new();
    let (api, _worker) = (system.serve(), system.work(&[]));
    let queue = |list: &Value, name: &str| {
        list.as_array().unwrap().iter().find(|queue| queue["name"] == name).cloned().unwrap_or_default()
    };
    let paused = api.send("POST", "/api/queues/celery/pause/", &[], None);
    assert_eq!((paused.status, &paused.json()["paused"]), (200, &json!(true)));
    let (code, id) = system.command(&["call", NOOP, "--args", "[1]", "--priority", "7"]);
    assert_eq!(code, Some(0), "producers go on");
    let celery = queue(&api.get("/api/queues/").json(), "celery");
    let depths = json!({"0": 0, "3": 0, "6": 1, "9": 0});
    let told = json!({"name": "celery", "paused": true, "depth": 1, "priorities": depths,
        "oldest_seconds": celery["oldest_seconds"], "in_flight": 0, "delayed": 0});
    assert_eq!(celery, told);
    assert!(celery["oldest_seconds"].as_f64().unwrap() >= 0.0, "{celery}");
    let (_, list) = system.command(&["queue", "list"]);
    assert_eq!(queue(&parse(&list), "celery")["depth"], celery["depth"]);
    let ingest = queue(&parse(&list), "ingest");
    assert_eq!((&ingest["paused"], &ingest["oldest_seconds"]), (&json!(false), &Value::Null));
    assert_eq!(system.command(&["call", NOOP, "--queue", "ingest", "--countdown", "3600"]).0, Some(0));
    eventually("it to be delayed", || {
        let ingest = queue(&api.get("/api/queues/").json(), "ingest");
        (ingest["delayed"] == 1 && ingest["depth"] == 0).then_some(())
    });
    let (code, resumed) = system.command(&["queue", "resume", "celery"]);
    assert_eq!((code, &parse(&resumed)[0]["paused"]), (Some(0), &json!(false)));
    assert_eq!(api.result_of(id.trim())["status"], "SUCCESS");
    assert_eq!(system.command(&["queue", "pause"]).0, Some(2), "no names");
}

#[test]
fn programs_wait_for_a_schema_that_is_older_than_they_are() {
    let system = System::new();
    migrations::revert_last(&mut system.database.connect()).unwrap();
    let old = "the schema is old: 1 migrations are to be run by `logmon-api migrate`";
    let (worker, beat) = (system.start("logmon-worker", &[], &[]), system.start("logmon-beat", &[], &[]));
    for process in [&worker, &beat] {
        process.wait_for_line(&format!("waiting for the database: {old}"));
    }
    let (status, task) = system.command(&["call", NOOP]);
    assert_eq!(
        (status, system.command(&["app", "list"]).0, system.command(&["verify"]).0),
        (Some(0), Some(1), Some(1))
    );
    assert_eq!(system.command(&["migrate"]).0, Some(0));
    worker.wait_for_line("serving");
    worker.wait_for_line(task.trim());
    beat.wait_for_line("watching");
}
