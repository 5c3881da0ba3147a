//! A real server for the tests: the program as a process, on a database and a key prefix of its own.

use std::process::Command;

use logmon_store::testing::http::{Response, send};
use logmon_store::testing::private_server::PrivateRedis;
use logmon_store::testing::process::{Process, eventually, program};
use logmon_store::testing::python::interpreter;
use logmon_store::testing::{TestBroker, TestDatabase};

/// The program under test.
pub(crate) const API: &str = env!("CARGO_BIN_EXE_logmon-api");

/// Runs a program of `tests/python` to its end, for at most three minutes, and gives what it printed; fails when it does.
pub(crate) fn python(script: &str, arguments: &[&str]) -> String {
    let path = format!("{}/tests/python/{script}", env!("CARGO_MANIFEST_DIR"));
    let output =
        Command::new("timeout").args(["--kill-after=5", "180", &interpreter(), &path]).args(arguments).output();
    let output = output.unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

/// A database, a key prefix, and the programs that run on them.
pub(crate) struct System {
    pub(crate) database: TestDatabase,
    pub(crate) broker: TestBroker,
}

impl System {
    /// With the current schema, and the apps 1 and 2.
    pub(crate) fn new() -> Self {
        Self::with(TestBroker::new())
    }

    /// The same with a Redis of the caller's own, which must outlive it.
    pub(crate) fn on(redis: &PrivateRedis) -> Self {
        Self::with(TestBroker::on(redis.url()))
    }

    fn with(broker: TestBroker) -> Self {
        let system = Self { database: TestDatabase::new(), broker };
        system.database.execute(
            "INSERT INTO core_app (id, name, owner, created_at) VALUES (1, 'shop', 'a', '2026-11-23 03:12:45'), (2, 'pay', 'b', '2026-11-23 03:12:45')",
        );
        system
    }

    /// Starts a program of the workspace on this system; `more` are further settings.
    pub(crate) fn start(&self, name: &str, arguments: &[&str], more: &[(&str, &str)]) -> Process {
        let url = self.database.url();
        let mut settings = vec![
            ("DATABASE_URL", url.as_str()),
            ("REDIS_URL", self.broker.url()),
            ("REDIS_KEY_PREFIX", self.broker.prefix()),
        ];
        settings.extend_from_slice(more);
        Process::start(&program(API, name), arguments, &settings)
    }

    /// Runs a command of the API's program and gives its exit status and what it printed.
    pub(crate) fn command(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = Command::new(API)
            .args(arguments)
            .env_clear()
            .env("DATABASE_URL", self.database.url())
            .env("REDIS_URL", self.broker.url())
            .env("REDIS_KEY_PREFIX", self.broker.prefix())
            .current_dir(std::env::temp_dir())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    /// Starts the API and waits until it is ready.
    pub(crate) fn serve(&self) -> Api {
        self.serve_with(&[])
    }

    /// The same with further settings.
    pub(crate) fn serve_with(&self, more: &[(&str, &str)]) -> Api {
        let mut settings = vec![("LISTEN", "127.0.0.1:0"), ("STOP_DELAY", "0s")];
        settings.extend_from_slice(more);
        let api = Api::of(self.start("logmon-api", &["serve"], &settings));
        eventually("the API", || (api.get("/readyz").status == 200).then_some(()));
        api
    }

    /// Starts a worker and waits until it serves its queues.
    pub(crate) fn work(&self, more: &[(&str, &str)]) -> Process {
        let worker = self.start("logmon-worker", &[], more);
        worker.wait_for_line("serving");
        worker
    }
}

/// A running API.
pub(crate) struct Api {
    pub(crate) process: Process,
    pub(crate) address: String,
}

impl Api {
    /// Reads the address from what the process says.
    pub(crate) fn of(process: Process) -> Self {
        let line = process.wait_for_line("listening on http://");
        let address = line.split("http://").nth(1).unwrap_or_default().trim().to_owned();
        Self { process, address }
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Response {
        send(&self.address, method, path, headers, body).unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[], None)
    }

    pub(crate) fn post(&self, path: &str, body: &serde_json::Value) -> Response {
        self.send("POST", path, &[("Content-Type", "application/json")], Some(body.to_string().as_bytes()))
    }

    /// Waits until a task has come to its end and gives its result document.
    pub(crate) fn result_of(&self, task_id: &str) -> serde_json::Value {
        eventually("a task's result", || {
            let result = self.get(&format!("/api/tasks/{task_id}/")).json();
            let status = result["status"].as_str().unwrap_or_default();
            ["SUCCESS", "FAILURE", "REVOKED"].contains(&status).then_some(result)
        })
    }

    /// Queues a task by a call that answers 202, and waits for its result.
    pub(crate) fn run(&self, accepted: &Response) -> serde_json::Value {
        assert_eq!(accepted.status, 202, "{}", String::from_utf8_lossy(&accepted.body));
        let id = accepted.json()["task_id"].as_str().unwrap_or_default().to_owned();
        assert_eq!(accepted.header("location"), Some(format!("/api/tasks/{id}/").as_str()));
        self.result_of(&id)
    }
}
