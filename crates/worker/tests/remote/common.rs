//! A real worker, and a Python process with Celery's client.

use logmon_core::celery::{Arguments, NewTask, TaskId};
use logmon_store::testing::process::eventually;
use logmon_store::testing::python::Python;
use logmon_store::testing::system::System;
use serde_json::{Value, json};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");

pub(crate) const NOOP: &str = "log_monitor_system.apps.core.tasks.noop";
pub(crate) const GENERATE_DAILY_SUMMARY: &str = "log_monitor_system.apps.core.tasks.generate_daily_summary";
pub(crate) const DELETE_APP: &str = "log_monitor_system.apps.core.tasks.delete_app";

/// Python's side of a system, and what is put on its queue.
pub(crate) trait Remote {
    /// What Python's programs read.
    fn settings(&self) -> [(&'static str, &str); 4];

    /// Starts Celery's client.
    fn client(&self) -> Client;

    /// Puts a task on the queue `celery`.
    fn push(&self, task: &str, args: &Value) -> TaskId;

    /// Pushes a task as one that a worker has died with.
    fn push_again(&self, task: &str, args: &Value) -> TaskId;
}

impl Remote for System {
    fn settings(&self) -> [(&'static str, &str); 4] {
        [
            ("BROKER_URL", self.broker.url()),
            ("KEY_PREFIX", self.broker.prefix()),
            ("PYTHONPATH", SCRIPTS),
            ("PYTHONDONTWRITEBYTECODE", "1"),
        ]
    }

    fn client(&self) -> Client {
        Client(Python::start(&format!("{SCRIPTS}/driver.py"), &self.settings()))
    }

    fn push(&self, task: &str, args: &Value) -> TaskId {
        let task = NewTask::new(task, "celery", Arguments::from_json(&args.to_string(), "{}").unwrap());
        self.broker.broker.enqueue(&task).unwrap();
        task.id
    }

    fn push_again(&self, task: &str, args: &Value) -> TaskId {
        let task = NewTask::new(task, "celery", Arguments::from_json(&args.to_string(), "{}").unwrap());
        let message = task.encode("o");
        let decoded: Value = serde_json::from_str(&message).unwrap();
        self.broker.died_of(decoded["properties"]["delivery_tag"].as_str().unwrap(), 1);
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
