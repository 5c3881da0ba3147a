//! Whether the API keeps to its `OpenAPI` document, whatever it is sent: schemathesis makes the requests from the document.

use std::path::Path;
use std::process::Command;

use logmon_store::testing::python::interpreter;
use serde_json::json;

use crate::common::System;

/// What is not looked at. Tails never end; `tail.rs` reads them.
const EXCLUDED: &str = "/api/logs/tail/";
/// What is not asked. A document cannot say which cursors, names and moments there are, nor what a form's text stands for;
/// an app is there until the task that removes it is done; nobody logs in.
const UNASKED: &str =
    "positive_data_acceptance,negative_data_rejection,use_after_free,ignored_auth,object_level_authorization";

#[test]
fn no_answer_is_outside_the_document() {
    let system = System::new();
    let api = system.serve();
    let (_worker, _beat) = (system.work(&[]), system.start("logmon-beat", &[], &[]));
    // Something to find at each place, so that more than 404 is answered.
    system.database.execute(
        "INSERT INTO core_alert (id, app_id, content, is_resolved, created_at) VALUES (1, 1, 'calm', FALSE, '2026-11-23 04:00:00')",
    );
    system.database.execute(
        "INSERT INTO core_logsummary (app_id, date, info_count, warn_count, error_count) VALUES (1, '2026-11-22', 3, 2, 1)",
    );
    system.broker.push("celery", b"{");
    let log = json!({"app": 1, "level": "ERROR", "message": "disk full", "attributes": {"disk": "sda1"}, "trace_id": "t", "timestamp": 1});
    assert_eq!(api.post("/api/logs/", &log).status, 201);
    assert_eq!(api.post("/api/rules/", &json!({"name": "pay", "app": 1, "threshold": 20})).status, 201);

    // A folder of its own, for what it remembers of an earlier run would make this one another.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis");
    let _there_is_none = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let python = interpreter();
    let mut run = Command::new("timeout");
    run.args(["--kill-after=5", "300", &python, "-m", "schemathesis.cli", "run"]);
    run.arg(format!("http://{}/api/openapi.json", api.address));
    run.args(["--checks", "all", "--exclude-checks", UNASKED, "--exclude-path", EXCLUDED, "--max-examples", "12"]);
    run.args([
        "--generation-deterministic",
        "--continue-on-failure",
        "--request-timeout",
        "30",
        "--warnings",
        "off",
        "--no-color",
    ]);
    run.env("SCHEMATHESIS_HOOKS", "ndjson").current_dir(&folder);
    run.env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python")).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = run.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    // All operations but the excluded one were tested, and not a handful of requests sent.
    let generated = said.split(" generated").next().and_then(|text| text.split_whitespace().last()).unwrap();
    assert!(generated.parse::<u32>().unwrap() > 1_000, "{said}");
}
