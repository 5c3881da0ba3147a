//! Every task that may take long ends between two of its steps once it is over its soft time limit.

#![allow(clippy::unwrap_used, reason = "a test fails where this does")]

mod common;

use std::sync::Arc;

use logmon_core::celery::Arguments;
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_core::tasks::{
    CheckApp, CheckErrorLogs, DeleteApp, DispatchNotifications, EvaluateRules, GenerateDailySummary, IngestLogs,
    MakeReports, Noop, RecountSummaries, RenewSummaries, RotatePartitions, SendNotifications, Task as _, TestChannel,
};
use logmon_store::testing::{TestBroker, TestDatabase};
use logmon_worker::context::SoftLimit;
use logmon_worker::registry::{Failure, HANDLERS};
use serde_json::json;

use common::context;

#[test]
fn every_handler_but_that_of_the_empty_task_looks_at_the_limit() {
    let (database, broker) = (TestDatabase::new(), TestBroker::new());
    database.execute("INSERT INTO core_app (id, name, owner, created_at) VALUES (1, 'a', 'x', '2026-11-23')");
    let mut context = context(&database, &broker, Arc::new(SystemClock), chrono_tz::UTC);
    let now = SystemClock.now();
    for handler in HANDLERS.iter().filter(|handler| handler.name != Noop::NAME) {
        let arguments = match handler.name {
            CheckErrorLogs::NAME
            | EvaluateRules::NAME
            | RenewSummaries::NAME
            | MakeReports::NAME
            | RotatePartitions::NAME
            | DispatchNotifications::NAME => {
                json!({})
            }
            SendNotifications::NAME | TestChannel::NAME => json!({"channel": 1}),
            GenerateDailySummary::NAME => json!({"date": now.date_naive()}),
            RecountSummaries::NAME => json!({"since": now.date_naive(), "until": now.date_naive()}),
            CheckApp::NAME => json!({"app": 1, "rule": 1}),
            DeleteApp::NAME => json!({"app": 2}),
            IngestLogs::NAME => {
                let record = json!({"app": 1, "level": "INFO", "message": "x", "created_at": now});
                json!({"key": "k", "body_hash": vec![0; 32], "records": [record]})
            }
            other => panic!("say what {other} is called with"),
        };
        let arguments = Arguments::from_json("[]", &arguments.to_string()).unwrap();
        assert!(context.soft_limit.exceed());
        let ended = (handler.run)(&context, &arguments);
        assert!(matches!(ended, Err(Failure::SoftTimeLimit)), "{} goes on: {ended:?}", handler.name);
        context.soft_limit = SoftLimit::default();
        (handler.run)(&context, &arguments).unwrap();
    }
}
