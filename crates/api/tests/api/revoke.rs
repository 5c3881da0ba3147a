//! Tasks that are withdrawn, over HTTP and from the command line.

use logmon_core::celery::{Arguments, NewTask, Revoked};
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_store::testing::process::eventually;
use serde_json::{Value, json};

use crate::common::System;

const NOOP: &str = "log_monitor_system.apps.core.tasks.noop";

fn noop(system: &System, change: impl FnOnce(&mut NewTask)) -> String {
    let mut task = NewTask::new(NOOP, "celery", Arguments::from_json("[1]", "{}").unwrap());
    change(&mut task);
    system.broker.broker.enqueue(&task).unwrap();
    task.id.0
}

fn status(result: &Value) -> &str {
    result["status"].as_str().unwrap()
}

#[test]
fn a_task_that_was_withdrawn_is_not_run_by_a_worker_that_starts_later() {
    let system = System::new();
    let api = system.serve();
    let (first, second) = (noop(&system, |_| ()), noop(&system, |_| ()));
    let answer = api.send("DELETE", &format!("/api/tasks/{first}/"), &[], None);
    assert_eq!((answer.status, status(&answer.json())), (202, "REVOKED"));
    assert_eq!(api.get(&format!("/api/tasks/{first}/")).json()["result"]["exc_message"], json!(["revoked"]));

    let worker = system.work(&[]);
    worker.wait_for_line("not run: TaskRevokedError: revoked");
    assert_eq!(status(&api.result_of(&second)), "SUCCESS");
    assert_eq!(status(&api.get(&format!("/api/tasks/{first}/")).json()), "REVOKED");
    // What has come to its end stays as it is.
    for _ in 0..2 {
        let answer = api.send("DELETE", &format!("/api/tasks/{second}/"), &[], None);
        assert_eq!((answer.status, status(&answer.json())), (200, "SUCCESS"));
    }
    let wrong = api.send("DELETE", &format!("/api/tasks/{second}/?terminate=maybe"), &[], None);
    assert_eq!((wrong.status, wrong.json()), (400, json!({"terminate": ["\"true\" or \"false\" is expected."]})));
}

#[test]
fn a_task_for_later_is_withdrawn_by_a_command_and_by_its_stamp() {
    let system = System::new();
    let (api, worker) = (system.serve(), system.work(&[]));
    let in_a_moment = SystemClock.now() + std::time::Duration::from_secs(2);
    let by_id = noop(&system, |task| task.eta = Some(in_a_moment));
    let by_stamp = noop(&system, |task| {
        task.eta = Some(in_a_moment);
        task.headers.insert("stamped_headers".to_owned(), json!(["tenant"]));
        task.headers.insert("stamps".to_owned(), json!({"tenant": ["t8", "t9"]}));
    });
    let other = noop(&system, |task| task.eta = Some(in_a_moment));
    assert_eq!(system.start("logmon-api", &["revoke", &by_id], &[]).wait().code(), Some(0));
    let stamp = Revoked::stamp("tenant", &json!("t9"));
    system.broker.broker.revoke(&[stamp], SystemClock.now()).unwrap();
    for id in [&by_id, &by_stamp] {
        assert_eq!(status(&api.result_of(id)), "REVOKED");
    }
    assert_eq!(status(&api.result_of(&other)), "SUCCESS");
    let refusals = || worker.said().lines().filter(|line| line.contains("not run: TaskRevokedError: revoked")).count();
    eventually("both to be refused", || (refusals() == 2).then_some(()));
    assert_eq!(system.broker.broker.revoked().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>(), [by_id]);
}

#[test]
fn a_task_expires_and_waits_as_its_call_says() {
    let system = System::new();
    let _worker = system.work(&[]);
    let call = |more: &[&str]| {
        let arguments = [&["call", NOOP, "--args", "[1]", "--wait", "60"], more].concat();
        system.start("logmon-api", &arguments, &[]).wait().code()
    };
    assert_eq!(call(&["--countdown", "0.2", "--priority", "9", "--expires", "60"]), Some(0));
    assert_eq!(call(&["--eta", "2026-11-23T00:00:00Z"]), Some(0));
    assert_eq!(call(&["--expires", "2026-11-23T00:00:00Z"]), Some(1), "it expired long ago");
    assert_eq!(call(&["--countdown", "soon"]), Some(2));
    assert_eq!(call(&["--priority", "10"]), Some(2));
}
