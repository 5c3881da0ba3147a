//! Tasks that are withdrawn, and what workers tell each other of them.

use logmon_store::testing::process::Process;
use logmon_store::testing::python::interpreter;
use logmon_store::testing::system::System;
use serde_json::{Value, json};

use crate::common::{NOOP, Remote as _};

const NODE: &str = "w1@host";

#[test]
fn withdrawn_tasks_and_stamps_are_not_run() {
    let system = System::new();
    let _worker = system.work_as(&["-n", NODE], &[]);
    let mut client = system.client();
    let later = client.ask("send", &json!([NOOP, ["x"], {"countdown": 3_600}]));
    client.until("inspect", &json!([NODE, "scheduled", {}]), |all| all != &json!([]));
    let revoke = json!({"task_id": [later], "terminate": false, "signal": "SIGTERM"});
    let flagged = json!({"ok": format!("tasks {{'{}'}} flagged as revoked", later.as_str().unwrap())});
    assert_eq!(client.control(NODE, "revoke", &revoke), flagged);
    // Whoever waits is told at once, an hour before its time.
    let result = client.ask("get", &json!([later]));
    assert_eq!((&result["state"], &result["error"]), (&json!("REVOKED"), &json!("TaskRevokedError('revoked')")));
    assert_eq!(client.inspect(NODE, "revoked", &json!({})), json!([later]));

    let stamps = json!({"headers": {"tenant": ["t9"]}, "terminate": false, "signal": "SIGTERM"});
    let flagged = json!({"ok": "headers {'tenant': ['t9']} flagged as revoked, but not terminated"});
    assert_eq!(client.control(NODE, "revoke_by_stamped_headers", &stamps), flagged);
    let stamped = |value: &str| json!([NOOP, ["x"], {"stamped_headers": ["tenant"], "tenant": value}]);
    let withdrawn = client.ask("send", &stamped("t9"));
    assert_eq!(client.ask("get", &json!([withdrawn]))["state"], "REVOKED");
    let other = client.ask("send", &stamped("t8"));
    assert_eq!(client.ask("get", &json!([other])), json!({"value": "x"}));
}

#[test]
fn what_one_kind_of_worker_knows_to_be_withdrawn_the_other_learns_when_it_starts() {
    let system = System::new();
    let python = |name: &str| {
        let arguments =
            ["-m", "celery", "-A", "celery_app", "worker", "-P", "solo", "-Q", "other", "-l", "info", "-n", name];
        let worker = Process::start(&interpreter(), &arguments, &system.settings());
        worker.wait_for_line("ready.");
        worker
    };
    let mut client = system.client();
    let first = python("p1@h");
    assert_eq!(client.ask("heard", &json!(["p1@h"])), json!(true));
    client.ask("cast", &json!(["revoke", {"arguments": {"task_id": "aaaa-1"}}]));
    client.until("inspect", &json!(["p1@h", "revoked", {}]), |ids| ids == &json!(["aaaa-1"]));
    let _worker = system.work_as(&["-n", NODE], &[]);
    assert_eq!(client.inspect(NODE, "revoked", &json!({})), json!(["aaaa-1"]));
    drop(first);

    let told = json!({"from_node": "p0@h", "revoked": {"aaaa-2": 1.5}});
    assert_eq!(client.inspect(NODE, "hello", &told)["revoked"], json!(["aaaa-1", "aaaa-2"]));
    assert_eq!(client.inspect(NODE, "hello", &json!({"from_node": NODE})), Value::Null);
    let _second = python("p2@h");
    assert_eq!(client.ask("heard", &json!(["p2@h"])), json!(true));
    assert_eq!(client.inspect("p2@h", "revoked", &json!({})), json!(["aaaa-1", "aaaa-2"]));
}
