//! Real producers and the real Django: Python programs against the real server.

use logmon_store::testing::process::eventually;
use serde_json::json;

use crate::common::{System, python};

#[test]
fn pythons_logging_handler_and_requests_are_understood() {
    let system = System::new();
    let api = system.serve();
    python("producers.py", &[&api.address]);
    let logs = api.get("/api/logs/").json();
    let messages: Vec<_> =
        logs.as_array().unwrap().iter().map(|log| (log["level"].clone(), log["message"].clone())).collect();
    assert_eq!(
        messages,
        [
            (json!("INFO"), json!("from a requests form & more")),
            (json!("WARN"), json!("来自 requests 🚨")),
            (json!("ERROR"), json!("charge 42 failed: 支付超时")),
        ]
    );
}

#[test]
fn a_database_that_django_made_is_adopted_while_django_writes() {
    let mut system = System::new();
    system.database = logmon_store::testing::TestDatabase::empty();
    let url = system.database.url();
    python("django_app.py", &[&url, "create", "300"]);
    assert_eq!(system.database.number("SELECT COUNT(*) FROM core_log"), 300);

    // Django goes on writing while the tables are adopted and the API begins to serve.
    let writing = std::thread::spawn({
        let url = url.clone();
        move || python("django_app.py", &[&url, "write", "300"])
    });
    let mut migrate = system.start("logmon-api", &["migrate"], &[]);
    assert!(migrate.wait().success(), "{}", migrate.said());
    let api = system.serve();
    for n in 0..50 {
        let answer = api.post("/api/logs/", &json!({"app": 1, "level": "ERROR", "message": format!("ours {n}")}));
        assert_eq!(answer.status, 201);
    }
    writing.join().unwrap();
    assert_eq!(system.database.number("SELECT COUNT(*) FROM core_log"), 300 + 300 + 50);
    assert_eq!(system.database.number("SELECT COUNT(DISTINCT message) FROM core_log"), 300 + 300 + 50);

    // What Django wrote counts for the check and the summary as well.
    let _worker = system.work(&[]);
    let noted = |name: &str| {
        use logmon_core::celery::{Arguments, NewTask, Status};
        let task = NewTask::new(format!("log_monitor_system.apps.core.tasks.{name}"), "celery", Arguments::default());
        system.broker.broker.enqueue(&task).unwrap();
        eventually(name, || (system.broker.broker.result(&task.id).unwrap().status == Status::Success).then_some(()));
    };
    system.database.execute("UPDATE core_alert SET is_resolved = 1 WHERE content NOT LIKE '650 %'");
    noted("check_error_logs");
    let alerts = api.get("/api/alerts/").json();
    assert_eq!(alerts[0]["content"], "650 error logs in the past 10 minutes");
    system.database.execute("UPDATE core_alert SET is_resolved = is_resolved XOR 1");

    // Django sees ours, and its alert is resolved by either.
    assert_eq!(python("django_app.py", &[&url, "count"]).trim(), "650");
    let alerts = api.get("/api/alerts/").json();
    assert_eq!(alerts.as_array().unwrap().len(), 1);
    let resolved = api.send("PATCH", &format!("/api/alerts/{}/resolve/", alerts[0]["id"]), &[], None);
    assert_eq!(resolved.json()["is_resolved"], true);
}
