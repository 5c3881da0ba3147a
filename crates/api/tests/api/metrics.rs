//! What the three processes tell of themselves.

use std::collections::{BTreeMap, BTreeSet};

use logmon_core::celery::{Arguments, NewTask};
use logmon_core::tasks::{Noop, Task as _};
use logmon_store::testing::http::send;
use logmon_store::testing::process::{Process, eventually};
use logmon_store::testing::proxy::{Proxy, Weather};
use serde_json::json;

use crate::common::System;

const ANY: (&str, &str) = ("METRICS_LISTEN", "127.0.0.1:0");

/// A figure of a process, by its name and labels as they are written; `None` while there is none.
pub(crate) fn figure(address: &str, name: &str) -> Option<f64> {
    let page = send(address, "GET", "/metrics", &[], None).unwrap();
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let text = String::from_utf8(page.body).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let value = text.lines().find_map(|line| line.strip_prefix(&format!("logmon_{name} ")))?;
    Some(value.parse().unwrap())
}

fn address(process: &Process) -> String {
    process.wait_for_line("metrics on http://").split("http://").nth(1).unwrap().trim().to_owned()
}

fn ready(address: &str) -> (u16, serde_json::Value) {
    let answer = send(address, "GET", "/readyz", &[], None).unwrap();
    (answer.status, answer.json())
}

#[test]
fn the_figures_of_all_three_move() {
    let system = System::new();
    let api = system.serve();
    let shown = |name: &str| figure(&api.address, name);
    api.post("/api/logs/", &json!({"app": 1, "level": "INFO", "message": "one"}));
    api.post("/api/logs/", &json!({"app": 1, "level": "LOUD", "message": "one"}));
    api.post("/api/logs/", &json!([{"app": 1, "level": "INFO", "message": "two"}, {"app": 1}]));
    for (name, value) in [
        ("http_requests_total{route=\"logs\",method=\"POST\",status=\"2xx\"}", 2.0),
        ("http_requests_total{route=\"logs\",method=\"POST\",status=\"4xx\"}", 1.0),
        ("http_request_seconds_count{route=\"logs\",method=\"POST\"}", 3.0),
        ("ingest_logs_total{outcome=\"accepted\"}", 2.0),
        ("ingest_logs_total{outcome=\"rejected\"}", 2.0),
        ("ingest_group_records_total", 2.0),
        ("ingest_waiting_bytes", 0.0),
        ("database_up", 1.0),
        ("redis_up", 1.0),
        ("workers", 0.0),
        ("dead_letters", 0.0),
        ("queue_depth{queue=\"celery\",priority=\"0\"}", 0.0),
    ] {
        assert_eq!(shown(name), Some(value), "{name}");
    }
    let task = NewTask::new(Noop::NAME, "celery", Arguments::from_json("[1]", "{}").unwrap());
    system.broker.broker.enqueue(&task).unwrap();
    system.broker.push("celery", b"junk");
    assert_eq!(shown("queue_depth{queue=\"celery\",priority=\"0\"}"), Some(2.0));
    let oldest = "queue_oldest_seconds{queue=\"celery\"}";
    eventually("the task to have waited", || shown(oldest).filter(|age| *age > 0.0));
    for name in ["queue_in_flight", "queue_delayed"] {
        assert_eq!(shown(&format!("{name}{{queue=\"celery\"}}")), Some(0.0), "{name}");
    }
    system.broker.broker.pause("celery").unwrap();
    assert_eq!(shown("queue_paused{queue=\"celery\"}"), Some(1.0));
    system.broker.broker.resume("celery").unwrap();

    let worker = system.work(&[ANY]);
    let (at, noop) = (address(&worker), Noop::NAME);
    let runs = format!("task_runs_total{{task=\"{noop}\",outcome=\"success\"}}");
    eventually("the run to be counted", || (figure(&at, &runs) == Some(1.0)).then_some(()));
    assert_eq!(figure(&at, &format!("task_runtime_seconds_count{{task=\"{noop}\"}}")), Some(1.0));
    assert_eq!((figure(&at, "slots"), figure(&at, "tasks_running")), (Some(2.0), Some(0.0)));
    eventually("the dead letter", || (shown("dead_letters") == Some(1.0)).then_some(()));
    assert_eq!((shown("workers"), shown("queue_depth{queue=\"celery\",priority=\"0\"}")), (Some(1.0), Some(0.0)));
    eventually("a ready worker", || (ready(&at).0 == 200).then_some(()));
    let parts = ["status", "database", "fetching", "heartbeat", "process", "reaping", "reporting"];
    assert_eq!(ready(&at).1, json!(parts.map(|part| (part, "ok")).into_iter().collect::<BTreeMap<_, _>>()));

    let beat = system.start("logmon-beat", &[], &[ANY, ("CHECK_INTERVAL", "1s")]);
    let at = address(&beat);
    let pushed = "schedule_pushed_total{entry=\"check-error-logs-every-10-minutes\"}";
    eventually("a slot to be counted", || figure(&at, pushed).filter(|count| *count >= 1.0));
    assert!(figure(&at, "schedule_lag_seconds{entry=\"check-error-logs-every-10-minutes\"}").unwrap() >= 0.0);
    eventually("a ready beat", || (ready(&at).0 == 200).then_some(()));
    for path in ["/healthz", "/nothing"] {
        let expected = if path == "/healthz" { 200 } else { 404 };
        assert_eq!(send(&at, "GET", path, &[], None).unwrap().status, expected);
    }
}

#[test]
fn a_worker_whose_loops_do_not_turn_is_not_ready() {
    let system = System::new();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}/0", silent.local_addr().unwrap());
    let worker = system.start("logmon-worker", &[], &[ANY, ("REDIS_URL", &url)]);
    let (status, report) = ready(&address(&worker));
    assert_eq!((status, &report["status"]), (503, &json!("unavailable")));
    assert_eq!((&report["heartbeat"], &report["process"]), (&json!("no sign of life yet"), &json!("ok")));
}

#[test]
fn a_worker_whose_database_does_not_answer_is_not_ready() {
    let system = System::new();
    let (proxy, url) = Proxy::before(&system.database.url());
    let worker = system.work(&[ANY, ("DATABASE_URL", &url), ("WORKER_TIMEOUT", "5s")]);
    let at = address(&worker);
    eventually("a ready worker", || (ready(&at).0 == 200).then_some(()));
    for weather in [Weather::Silent, Weather::Cut] {
        proxy.set(weather);
        let report = eventually("it to notice", || Some(ready(&at)).filter(|(status, _)| *status == 503)).1;
        assert!(report["database"].as_str().unwrap().starts_with("no sign of life for "), "{report}");
        proxy.set(Weather::Fair);
        eventually("it to be ready again", || (ready(&at).0 == 200).then_some(()));
    }
}

/// Of a figure: its name as Prometheus asks for it, its kind, and its labels.
type Figure = (String, String, String);

/// What the table of a README says of the program that has this column.
fn told(readme: &str, column: usize) -> BTreeSet<Figure> {
    let rows = readme.lines().map(|line| line.split('|').map(|cell| cell.trim().replace('`', "")).collect::<Vec<_>>());
    let figures =
        rows.filter(|row| row.get(2).is_some_and(|kind| ["counter", "gauge", "histogram"].contains(&&**kind)));
    let of_program = figures.filter(|row| row[5 + column] == "✓");
    of_program.map(|row| (row[1].clone(), row[2].clone(), row[3].replace(' ', ""))).collect()
}

/// What a process shows.
fn shown(address: &str) -> BTreeSet<Figure> {
    let page = String::from_utf8(send(address, "GET", "/metrics", &[], None).unwrap().body).unwrap();
    let kinds = page.lines().filter_map(|line| line.strip_prefix("# TYPE logmon_")?.split_once(' '));
    let figure = |(name, kind): (&str, &str)| {
        let name = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
        let sample = if kind == "histogram" { format!("logmon_{name}_count") } else { format!("logmon_{name}") };
        let labels = page.lines().find_map(|line| line.strip_prefix(&sample)?.strip_prefix('{')?.split_once("} "));
        let labels = labels.map_or_else(Vec::new, |(labels, _)| labels.split("\",").collect());
        let labels: Vec<&str> = labels.iter().filter_map(|label| Some(label.split_once('=')?.0)).collect();
        (name, kind.to_owned(), labels.join(","))
    };
    kinds.map(figure).collect()
}

#[test]
fn every_figure_is_in_the_readme_and_no_other() {
    let system = System::new();
    let (api, worker) = (system.serve(), system.work(&[ANY]));
    let beat = system.start("logmon-beat", &[], &[ANY, ("CHECK_INTERVAL", "1s")]);
    let (worker, beat) = (address(&worker), address(&beat));
    let has = |address: &str, name: &str| shown(address).iter().any(|figure| figure.0 == name).then_some(());
    eventually("a run", || has(&worker, "task_runs_total"));
    eventually("a push", || has(&beat, "schedule_pushed_total"));
    eventually("the schedule", || has(&api.address, "schedule_overdue_seconds"));
    let readmes = [include_str!("../../../../README.md"), include_str!("../../../../README.zh-CN.md")];
    for (column, address) in [&api.address, &worker, &beat].into_iter().enumerate() {
        let shown = shown(address);
        assert!(shown.len() > 1, "{shown:?}");
        for readme in readmes {
            assert_eq!(told(readme, column), shown);
        }
    }
}
