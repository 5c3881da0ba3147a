//! Both kinds of worker, and a Python process that calls their tasks.

use logmon_store::testing::process::Process;
use logmon_store::testing::python::{Python, interpreter};
use logmon_store::testing::{TestBroker, TestDatabase};
use serde_json::{Value, json};

pub(crate) const WORKER: &str = env!("CARGO_BIN_EXE_logmon-worker");
pub(crate) const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");

/// A database and a key prefix.
pub(crate) struct System {
    pub(crate) database: TestDatabase,
    pub(crate) broker: TestBroker,
}

impl System {
    pub(crate) fn new() -> Self {
        Self { database: TestDatabase::new(), broker: TestBroker::new() }
    }

    /// Starts a program of ours; `more` are further settings.
    pub(crate) fn start(&self, program: &str, arguments: &[&str], more: &[(&str, &str)]) -> Process {
        let url = self.database.url();
        let mut settings = vec![
            ("DATABASE_URL", url.as_str()),
            ("REDIS_URL", self.broker.url()),
            ("REDIS_KEY_PREFIX", self.broker.prefix()),
        ];
        settings.extend_from_slice(more);
        Process::start(program, arguments, &settings)
    }

    /// Starts a worker of ours and waits until it serves.
    pub(crate) fn work(&self, more: &[(&str, &str)]) -> Process {
        let worker = self.start(WORKER, &[], more);
        worker.wait_for_line("serving");
        worker
    }

    fn settings<'a>(&'a self, prefix: &'a str) -> [(&'static str, &'a str); 3] {
        [("BROKER_URL", self.broker.url()), ("KEY_PREFIX", prefix), ("PYTHONPATH", SCRIPTS)]
    }

    /// Starts Celery's worker on these queues and waits until it serves them.
    pub(crate) fn celery_works(&self, queues: &str) -> Process {
        let arguments =
            ["-m", "celery", "-A", "shop", "worker", "-P", "threads", "-c", "2", "-l", "INFO", "-Q", queues];
        let worker = Process::start(&interpreter(), &arguments, &self.settings(self.broker.prefix()));
        worker.wait_for_line("ready.");
        worker
    }

    /// Starts a Python process with Celery's client.
    pub(crate) fn shop(&self) -> Shop {
        self.shop_behind(self.broker.prefix())
    }

    /// The same with another `global_keyprefix`.
    pub(crate) fn shop_behind(&self, prefix: &str) -> Shop {
        Shop(Python::start(&format!("{SCRIPTS}/shop.py"), &self.settings(prefix)))
    }
}

/// The shop's Python.
pub(crate) struct Shop(Python);

impl Shop {
    pub(crate) fn ask(&mut self, what: &str, arguments: &Value) -> Value {
        let mut question = vec![json!(what)];
        question.extend(arguments.as_array().unwrap().iter().cloned());
        self.0.ask(&question.into())
    }

    /// What a workflow comes to, in Python's eyes.
    pub(crate) fn run(&mut self, canvas: &str) -> Value {
        self.ask("run", &json!([canvas]))
    }
}
