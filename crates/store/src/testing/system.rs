//! A database, a key prefix, and the programs that run on them as processes.

use std::process::Command;

use super::http::{Response, send};
use super::private_server::PrivateRedis;
use super::process::{Process, eventually, program};
use super::{TestBroker, TestDatabase};

/// A database, a key prefix, and the programs that run on them.
pub struct System {
    /// The database, with the current schema, and the apps 1 (`shop`) and 2 (`pay`).
    pub database: TestDatabase,
    /// The key prefix.
    pub broker: TestBroker,
}

impl System {
    /// On the servers of all tests.
    pub fn new() -> Self {
        Self::with(TestBroker::new())
    }

    /// The same with a Redis of the caller's own, which must outlive it.
    pub fn on(redis: &PrivateRedis) -> Self {
        Self::with(TestBroker::on(redis.url()))
    }

    fn with(broker: TestBroker) -> Self {
        let system = Self { database: TestDatabase::new(), broker };
        system.database.execute(
            "INSERT INTO core_app (id, name, owner, created_at) VALUES (1, 'shop', 'a', '2026-11-23 03:12:45'), (2, 'pay', 'b', '2026-11-23 03:12:45')",
        );
        system
    }

    /// Starts a program of the workspace; `more` are further settings.
    pub fn start(&self, name: &str, arguments: &[&str], more: &[(&str, &str)]) -> Process {
        let url = self.database.url();
        let mut settings = vec![
            ("DATABASE_URL", url.as_str()),
            ("REDIS_URL", self.broker.url()),
            ("REDIS_KEY_PREFIX", self.broker.prefix()),
        ];
        settings.extend_from_slice(more);
        Process::start(&program(name), arguments, &settings)
    }

    /// Runs a command of the API's program and gives its exit status and what it printed.
    pub fn command(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = Command::new(program("logmon-api"))
            .args(arguments)
            .env_clear()
            .env("DATABASE_URL", self.database.url())
            .env("REDIS_URL", self.broker.url())
            .env("REDIS_KEY_PREFIX", self.broker.prefix())
            .current_dir(std::env::temp_dir())
            .output()
            .unwrap_or_else(|e| panic!("logmon-api: {e}"));
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts the API and waits until it is ready.
    pub fn serve(&self) -> Api {
        self.serve_with(&[])
    }

    /// The same with further settings.
    pub fn serve_with(&self, more: &[(&str, &str)]) -> Api {
        let mut settings = vec![("LISTEN", "127.0.0.1:0"), ("STOP_DELAY", "0s")];
        settings.extend_from_slice(more);
        let api = Api::of(self.start("logmon-api", &["serve"], &settings));
        eventually("the API", || (api.get("/readyz").status == 200).then_some(()));
        api
    }

    /// Starts a worker with further settings and waits until it serves its queues.
    pub fn work(&self, more: &[(&str, &str)]) -> Process {
        self.work_as(&[], more)
    }

    /// The same with further arguments.
    pub fn work_as(&self, arguments: &[&str], more: &[(&str, &str)]) -> Process {
        let worker = self.start("logmon-worker", arguments, more);
        worker.wait_for_line("serving");
        worker
    }
}

impl Default for System {
    fn default() -> Self {
        Self::new()
    }
}

/// A running API.
pub struct Api {
    /// Its process.
    pub process: Process,
    /// Where it listens.
    pub address: String,
}

impl Api {
    /// Reads the address from what the process says.
    pub fn of(process: Process) -> Self {
        let line = process.wait_for_line("listening on http://");
        let address = line.split("http://").nth(1).unwrap_or_default().trim().to_owned();
        Self { process, address }
    }

    /// Sends a request and gives the answer.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Response {
        send(&self.address, method, path, headers, body).unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }

    /// GET.
    pub fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[], None)
    }

    /// POST with a JSON body.
    pub fn post(&self, path: &str, body: &serde_json::Value) -> Response {
        self.send("POST", path, &[("Content-Type", "application/json")], Some(body.to_string().as_bytes()))
    }

    /// Waits until a task has come to its end and gives its result document.
    pub fn result_of(&self, task_id: &str) -> serde_json::Value {
        eventually("a task's result", || {
            let result = self.get(&format!("/api/tasks/{task_id}/")).json();
            let status = result.get("status").and_then(serde_json::Value::as_str).unwrap_or_default();
            ["SUCCESS", "FAILURE", "REVOKED"].contains(&status).then_some(result)
        })
    }

    /// Waits for the result of a task that was queued by a call that answers 202.
    pub fn run(&self, accepted: &Response) -> serde_json::Value {
        assert_eq!(accepted.status, 202, "{}", String::from_utf8_lossy(&accepted.body));
        let body = accepted.json();
        let id = body.get("task_id").and_then(serde_json::Value::as_str).unwrap_or_default();
        assert_eq!(accepted.header("location"), Some(format!("/api/tasks/{id}/").as_str()));
        self.result_of(id)
    }
}
