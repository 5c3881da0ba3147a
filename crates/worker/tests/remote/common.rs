//! A real worker, and a Python process with Celery's client.

use logmon_core::celery::{Arguments, NewTask, TaskId};
use logmon_store::testing::process::{Process, eventually};
use logmon_store::testing::python::Python;
use logmon_store::testing::{TestBroker, TestDatabase};
use serde_json::{Value, json};

pub(crate) const WORKER: &str = env!("CARGO_BIN_EXE_logmon-worker");
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");

pub(crate) const NOOP: &str = "log_monitor_system.apps.core.tasks.noop";
pub(crate) const GENERATE_DAILY_SUMMARY: &str = "log_monitor_system.apps.core.tasks.generate_daily_summary";
pub(crate) const DELETE_APP: &str = "log_monitor_system.apps.core.tasks.delete_app";

/// A database with the apps 1 and 2, and a key prefix.
pub(crate) struct System {
    pub(crate) database: TestDatabase,
    pub(crate) broker: TestBroker,
}

impl System {
    pub(crate) fn new() -> Self {
        let system = Self { database: TestDatabase::new(), broker: TestBroker::new() };
        system.database.execute(
            "INSERT INTO core_app (id, name, owner, created_at) VALUES (1, 'a', 'x', '2026-11-23'), (2, 'b', 'x', '2026-11-23')",
        );
        system
    }

    /// Starts a worker and waits until it serves; `more` are further arguments.
    pub(crate) fn work(&self, more: &[&str]) -> Process {
        let url = self.database.url();
        let settings = [
            ("DATABASE_URL", url.as_str()),
            ("REDIS_URL", self.broker.url()),
            ("REDIS_KEY_PREFIX", self.broker.prefix()),
        ];
        let worker = Process::start(WORKER, more, &settings);
        worker.wait_for_line("serving");
        worker
    }

    /// What Python's programs read.
    pub(crate) fn settings(&self) -> [(&'static str, &str); 4] {
        [
            ("BROKER_URL", self.broker.url()),
            ("KEY_PREFIX", self.broker.prefix()),
            ("PYTHONPATH", SCRIPTS),
            ("PYTHONDONTWRITEBYTECODE", "1"),
        ]
    }

    pub(crate) fn client(&self) -> Client {
        Client(Python::start(&format!("{SCRIPTS}/driver.py"), &self.settings()))
    }

    pub(crate) fn push(&self, task: &str, args: &Value) -> TaskId {
        let task = NewTask::new(task, "celery", Arguments::from_json(&args.to_string(), "{}").unwrap());
        self.broker.broker.enqueue(&task).unwrap();
        task.id
    }

    /// Pushes a task as one that a worker has died with.
    pub(crate) fn push_again(&self, task: &str, args: &Value) -> TaskId {
        let task = NewTask::new(task, "celery", Arguments::from_json(&args.to_string(), "{}").unwrap());
        let message = task.encode("o");
        let decoded: Value = serde_json::from_str(&message).unwrap();
        self.broker.fetched_before(decoded["properties"]["delivery_tag"].as_str().unwrap(), 1);
        self.broker.push("celery", message.as_bytes());
        task.id
    }
}

/// Celery's client in Python.
pub(crate) struct Client(Python);

impl Client {
    pub(crate) fn ask(&mut self, what: &str, arguments: &Value) -> Value {
        let mut question = vec![json!(what)];
        question.extend(arguments.as_array().unwrap().iter().cloned());
        self.0.ask(&question.into())
    }

    pub(crate) fn inspect(&mut self, node: &str, method: &str, arguments: &Value) -> Value {
        self.ask("inspect", &json!([node, method, arguments]))
    }

    pub(crate) fn control(&mut self, node: &str, method: &str, arguments: &Value) -> Value {
        self.ask("control", &json!([node, method, arguments]))
    }

    /// Asks until the answer fits.
    pub(crate) fn until(&mut self, what: &str, arguments: &Value, fits: impl Fn(&Value) -> bool) -> Value {
        eventually(what, || Some(self.ask(what, arguments)).filter(|answer| fits(answer)))
    }
}
