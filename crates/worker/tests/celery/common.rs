//! Both kinds of worker, and a Python process that calls their tasks.

use logmon_store::testing::process::Process;
use logmon_store::testing::python::{Python, interpreter};
use logmon_store::testing::system::System;
use serde_json::{Value, json};

pub(crate) const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");

/// Python's side of a system.
pub(crate) trait Celery {
    /// Starts Celery's worker on these queues and waits until it serves them.
    fn celery_works(&self, queues: &str) -> Process;

    /// Starts a Python process with Celery's client.
    fn shop(&self) -> Shop;

    /// The same with another `global_keyprefix`.
    fn shop_behind(&self, prefix: &str) -> Shop;
}

impl Celery for System {
    fn celery_works(&self, queues: &str) -> Process {
        let arguments =
            ["-m", "celery", "-A", "shop", "worker", "-P", "threads", "-c", "2", "-l", "INFO", "-Q", queues];
        let worker = Process::start(&interpreter(), &arguments, &settings(self, self.broker.prefix()));
        worker.wait_for_line("ready.");
        worker
    }

    fn shop(&self) -> Shop {
        self.shop_behind(self.broker.prefix())
    }

    fn shop_behind(&self, prefix: &str) -> Shop {
        Shop(Python::start(&format!("{SCRIPTS}/shop.py"), &settings(self, prefix)))
    }
}

fn settings<'a>(system: &'a System, prefix: &'a str) -> [(&'static str, &'a str); 3] {
    [("BROKER_URL", system.broker.url()), ("KEY_PREFIX", prefix), ("PYTHONPATH", SCRIPTS)]
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
