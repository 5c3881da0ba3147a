//! The whole system: from a hundred and one errors to an alert, its resolution and a day's summary, through the death
//! of a worker and the absence of the database.

use logmon_store::broker::MAX_DELIVERIES;
use logmon_store::testing::Session;
use logmon_store::testing::process::{Process, Signal, eventually};
use logmon_store::testing::proxy::{Proxy, Weather};
use serde_json::{Value, json};

use crate::at_once::{checks, work};
use crate::common::{Api, System};

const CHECK: &str = "log_monitor_system.apps.core.tasks.check_error_logs";
pub(crate) const ROTATE: &str = "log_monitor_system.apps.core.tasks.rotate_partitions";

fn errors(api: &Api, app: i64, count: usize) {
    let log = json!({"app": app, "level": "ERROR", "message": "boom"});
    let answer = api.post("/api/logs/", &json!(vec![log; count]));
    assert_eq!(answer.json()["accepted"], count);
}

/// Queues a task by hand and gives its result.
pub(crate) fn run_task(system: &System, name: &str) -> Value {
    use logmon_core::celery::{Arguments, NewTask, Status};
    let task = NewTask::new(name, "celery", Arguments::default());
    system.broker.broker.enqueue(&task).unwrap();
    eventually(name, || {
        let result = system.broker.broker.result(&task.id).unwrap();
        (result.status == Status::Success).then(|| serde_json::from_str(result.result.get()).unwrap())
    })
}

/// How many alerts a check raises.
fn check(system: &System) -> Value {
    run_task(system, CHECK)
}

fn today() -> String {
    use logmon_core::clock::{Clock as _, SystemClock};
    SystemClock.now().date_naive().to_string()
}

#[test]
fn from_errors_to_an_alert_to_a_summary() {
    let system = System::new();
    let (api, _worker) = (system.serve(), system.work(&[]));
    errors(&api, 1, 101);
    errors(&api, 2, 100);

    let mut beat = system.start("logmon-beat", &[], &[("CHECK_INTERVAL", "1s")]);
    beat.wait_for_line("pushed entry=check-error-logs-every-10-minutes");
    let alerts = eventually("an alert", || {
        let alerts = api.get("/api/alerts/").json();
        (alerts != json!([])).then_some(alerts)
    });
    assert_eq!(beat.stop().code(), Some(0));
    assert_eq!(alerts.as_array().unwrap().len(), 1, "exactly 100 raise none");
    assert_eq!((&alerts[0]["app"], &alerts[0]["is_resolved"]), (&json!(1), &json!(false)));
    assert_eq!(alerts[0]["content"], "101 error logs in the past 10 minutes");
    assert_eq!(check(&system), 0, "no second one while it is open");

    let path = format!("/api/alerts/{}/resolve/", alerts[0]["id"]);
    for _ in 0..2 {
        let resolved = api.send("PATCH", &path, &[], None);
        assert_eq!((resolved.status, resolved.json()["is_resolved"].clone()), (200, json!(true)));
    }
    assert_eq!(api.get("/api/alerts/").json(), json!([]));
    assert_eq!(check(&system), 1, "a resolved one does not hold the next back");

    api.post("/api/logs/", &json!({"app": 2, "level": "WARN", "message": "w"}));
    // A day that begins while this runs has a summary of its own: the rows are counted by their day.
    let date = today();
    for _ in 0..2 {
        let result = api.run(&api.post("/api/summaries/", &json!({"date": date})));
        assert_eq!((&result["status"], &result["result"]), (&json!("SUCCESS"), &Value::Null));
    }
    let summaries = api.get(&format!("/api/summaries/?since={date}&until={date}")).json();
    assert_eq!(summaries.as_array().unwrap().len(), 2, "run again it replaces");
    for summary in summaries.as_array().unwrap() {
        for (field, level) in [("info_count", "INFO"), ("warn_count", "WARN"), ("error_count", "ERROR")] {
            let rows = system.database.number(&format!(
                "SELECT COUNT(*) FROM core_log WHERE app_id = {} AND level = '{level}' AND DATE(created_at) = '{date}'",
                summary["app"]
            ));
            assert_eq!(summary[field], rows, "{summary}");
        }
    }
}

#[test]
fn a_passed_threshold_is_checked_at_once_and_once() {
    let system = System::new();
    let apis = [system.serve(), system.serve()];
    let worker = work(&system, &apis[0]);
    // No beat runs: nobody would check for ten minutes. Neither server sees more than half of it.
    for (n, api) in [(0, 50), (1, 50)] {
        errors(&apis[n], 1, api);
        errors(&apis[n], 2, 20);
    }
    errors(&apis[0], 1, 1);
    let alerts = eventually("an alert", || {
        let alerts = apis[0].get("/api/alerts/").json();
        (alerts != json!([])).then_some(alerts)
    });
    assert_eq!(alerts.as_array().unwrap().len(), 1);
    assert_eq!(alerts[0]["app"], 1);
    for _ in 0..20 {
        errors(&apis[0], 1, 10);
    }
    // Of a worker's queues that of the checks comes first.
    assert_eq!(check(&system), 0);
    assert_eq!(checks(&worker), 1, "both servers together");
}

#[test]
fn a_threshold_that_a_queued_batch_passes_is_checked_at_once_and_once() {
    let system = System::new();
    let api = system.serve();
    let worker = work(&system, &api);
    // No beat runs. App 1 passes the threshold by what both programs store, app 2 by what the worker does.
    errors(&api, 1, 50);
    for (app, count) in [(1, 51), (2, 100), (2, 1)] {
        let log = json!({"app": app, "level": "ERROR", "message": "boom"});
        let queued = crate::ingest::post_async(&api, None, &json!(vec![log; count]));
        assert_eq!(api.run(&queued)["result"]["accepted"], count);
        let passed = app == 1 || count == 1;
        let alerts = || api.get("/api/alerts/").json().as_array().unwrap().iter().filter(|a| a["app"] == app).count();
        if passed {
            eventually("an alert", || (alerts() == 1).then_some(()));
        } else {
            assert_eq!(alerts(), 0);
        }
    }
    assert_eq!(check(&system), 0);
    assert_eq!(checks(&worker), 2, "one for each app, whichever program asked for it");
}

/// A summary that cannot go on: the app's row is locked by somebody else.
pub(crate) fn blocked_summary(system: &System, api: &Api, worker: &Process) -> (Session, String) {
    let mut lock = system.database.session();
    lock.execute("BEGIN; UPDATE core_app SET owner = owner WHERE id = 1");
    worker.wait_for_line("serving");
    let accepted = api.post("/api/summaries/", &json!({"date": today()})).json();
    eventually("the task to be in its middle", || (waiting(system) > 0).then_some(()));
    (lock, accepted["task_id"].as_str().unwrap().to_owned())
}

/// How many statements wait for the app's row, also those of workers that are dead.
fn waiting(system: &System) -> i64 {
    system.database.number(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE '%core_app%for update%' AND id <> CONNECTION_ID()",
    )
}

fn assert_done_once(system: &System, api: &Api, task_id: &str) {
    assert_eq!(api.result_of(task_id)["status"], "SUCCESS");
    assert_eq!(system.database.number("SELECT COUNT(*) FROM core_logsummary"), 2, "one for each app");
    assert_eq!(system.broker.in_flight(), 0);
}

#[test]
fn a_worker_killed_in_the_middle_of_a_task_loses_nothing() {
    let system = System::new();
    let api = system.serve();
    let settings = [("WORKER_TIMEOUT", "1s")];
    let mut worker = system.work(&settings);
    let (mut lock, task_id) = blocked_summary(&system, &api, &worker);
    worker.signal(Signal::Kill);
    worker.wait();
    assert_eq!(api.get(&format!("/api/tasks/{task_id}/")).json()["status"], "PENDING");
    let second = system.work(&settings);
    second.wait_for_line("put back what a dead worker held");
    lock.execute("ROLLBACK");
    assert_done_once(&system, &api, &task_id);
}

#[test]
fn a_task_that_ends_one_worker_after_another_is_a_dead_letter() {
    let system = System::new();
    let api = system.serve();
    let settings = [("WORKER_TIMEOUT", "1s")];
    let mut worker = system.work(&settings);
    let (_lock, task_id) = blocked_summary(&system, &api, &worker);
    for tag in system.broker.held() {
        system.broker.died_of(&tag, MAX_DELIVERIES - 1);
    }
    worker.signal(Signal::Kill);
    worker.wait();
    // The run that is begun then counts.
    let before = waiting(&system);
    let mut second = system.work(&settings);
    eventually("the task to be in its middle again", || (waiting(&system) > before).then_some(()));
    second.signal(Signal::Kill);
    second.wait();
    let _third = system.work(&settings);
    let result = api.result_of(&task_id);
    assert_eq!(result["status"], "FAILURE", "{result}");
    let reasons: Vec<String> = system.broker.dead_letters().into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons, ["ended its worker 5 times"]);
}

#[test]
fn a_worker_told_to_stop_puts_back_what_it_cannot_end_in_time() {
    let system = System::new();
    let api = system.serve();
    let mut worker = system.work(&[("GRACE", "1s")]);
    let (mut lock, task_id) = blocked_summary(&system, &api, &worker);
    assert_eq!(worker.stop().code(), Some(0));
    assert!(worker.said().contains("stopped count=1"), "{}", worker.said());
    lock.execute("ROLLBACK");
    let _second = system.work(&[]);
    assert_done_once(&system, &api, &task_id);
}

#[test]
fn a_worker_told_to_stop_twice_puts_back_what_it_runs_at_once() {
    let system = System::new();
    let api = system.serve();
    let mut worker = system.work(&[("GRACE", "1h")]);
    let (mut lock, task_id) = blocked_summary(&system, &api, &worker);
    worker.signal(Signal::Term);
    worker.wait_for_line("stopping");
    assert_eq!(worker.stop().code(), Some(0));
    assert!(worker.said().contains("stopped count=1"), "{}", worker.said());
    lock.execute("ROLLBACK");
    let _second = system.work(&[]);
    assert_done_once(&system, &api, &task_id);
}

#[test]
fn a_task_waits_for_the_database_without_using_up_its_attempts() {
    let system = System::new();
    let (proxy, through) = Proxy::before(&system.database.url());
    let (api, worker) = (system.serve_with(&[("DATABASE_URL", &through)]), system.work(&[("DATABASE_URL", &through)]));
    proxy.set(Weather::Cut);
    let accepted = api.post("/api/summaries/", &json!({"date": today()})).json();
    worker.wait_for_line("put back");
    worker.wait_for_line("waiting for the database");
    let log = json!({"app": 1, "level": "INFO", "message": "m"});
    assert_eq!(api.post("/api/logs/", &log).status, 503);
    proxy.set(Weather::Fair);
    assert_done_once(&system, &api, accepted["task_id"].as_str().unwrap());
    eventually("the API to recover by itself", || (api.post("/api/logs/", &log).status == 201).then_some(()));
}

#[test]
fn without_redis_logs_are_taken_all_the_same() {
    let system = System::new();
    let (proxy, url) = Proxy::before(system.broker.url());
    let api = system.serve_with(&[("REDIS_URL", &url)]);
    for weather in [Weather::Cut, Weather::Silent] {
        proxy.set(weather);
        // Enough to pass the threshold, which cannot be told to anybody now.
        for _ in 0..3 {
            errors(&api, 1, 50);
        }
        assert_eq!(api.get("/api/logs/?limit=1").status, 200);
        assert_eq!(api.post("/api/summaries/", &json!({"date": today()})).status, 503);
        eventually("readyz to notice", || (api.get("/readyz").json()["redis"] != "ok").then_some(()));
    }
    proxy.set(Weather::Cut);
    proxy.set(Weather::Fair);
    eventually("Redis to be found again", || (api.get("/readyz").status == 200).then_some(()));
    assert_eq!(api.post("/api/summaries/", &json!({"date": today()})).status, 202);
}

#[test]
fn a_silent_database_makes_nobody_wait_long() {
    let system = System::new();
    let (proxy, url) = Proxy::before(&system.database.url());
    let api = system.serve_with(&[("DATABASE_URL", &url)]);
    proxy.set(Weather::Silent);
    let log = json!({"app": 1, "level": "INFO", "message": "m"});
    // More than there are connections: those that are stuck must not keep the rest from an answer.
    std::thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| assert_eq!(api.post("/api/logs/", &log).status, 503));
        }
    });
    assert_eq!(api.get("/healthz").status, 200);
    eventually("readyz to notice", || (api.get("/readyz").status == 503).then_some(()));
    // What was asked meanwhile is never answered, and is given up.
    proxy.set(Weather::Fair);
    eventually("the API to recover by itself", || (api.post("/api/logs/", &log).status == 201).then_some(()));
    assert!(!api.process.said().contains("has no bound"), "{}", api.process.said());
}

#[test]
fn a_task_whose_database_is_silent_gives_its_connection_up_and_is_done_by_another() {
    let system = System::new();
    let (proxy, url) = Proxy::before(&system.database.url());
    let api = system.serve();
    let worker = system.work(&[("DATABASE_URL", &url), ("STATEMENT_TIMEOUT", "3s")]);
    let (mut lock, task_id) = blocked_summary(&system, &api, &worker);
    proxy.set(Weather::Silent);
    lock.execute("COMMIT");
    eventually("the lost answer", || (proxy.lost() > 0).then_some(()));
    // Its connection stays open, and the answer does not come a second time.
    proxy.set(Weather::Fair);
    assert_done_once(&system, &api, &task_id);
}

#[test]
fn several_beats_and_workers_do_each_slot_once() {
    let system = System::new();
    let _workers = [system.work(&[]), system.work(&[])];
    let mut beats: Vec<Process> =
        (0..3).map(|_| system.start("logmon-beat", &[], &[("CHECK_INTERVAL", "1s")])).collect();
    let pushed = |beats: &[Process]| -> Vec<String> {
        let said: String = beats.iter().map(|beat| beat.said() + "\n").collect();
        let of_slot = |line: &str| Some(line.split("slot=").nth(1)?.split(' ').next()?.to_owned());
        // Entries may be due at the same moment.
        let check = "pushed entry=check-error-logs-every-10-minutes";
        said.lines().filter(|line| line.contains(check)).filter_map(of_slot).collect()
    };
    eventually("four slots", || (pushed(&beats).len() >= 4).then_some(()));
    for beat in &mut beats {
        beat.stop();
    }
    let mut slots = pushed(&beats);
    let count = slots.len();
    slots.sort();
    slots.dedup();
    assert_eq!(slots.len(), count, "a slot was pushed twice");
}

#[test]
fn days_past_retention_are_dropped_and_the_rest_stays() {
    let system = System::new();
    let _worker = system.work(&[("RETENTION", "5d")]);
    for days in [0, 4, 6, 10, 100] {
        system.database.execute(&format!(
            "INSERT INTO core_log (app_id, level, message, created_at) VALUES (1, 'INFO', 'm', NOW(6) - INTERVAL {days} DAY)"
        ));
    }
    for _ in 0..2 {
        run_task(&system, ROTATE);
        assert_eq!(system.database.number("SELECT COUNT(*) FROM core_log"), 2);
    }
}

#[test]
fn the_keys_of_queued_batches_are_forgotten_soon_and_those_of_clients_are_not() {
    let system = System::new();
    let (api, _worker) = (system.serve(), system.work(&[]));
    let log = json!({"app": 1, "level": "INFO", "message": "m"});
    for (key, hours) in [(None, 3), (Some("k"), 3), (None, 1)] {
        assert_eq!(api.run(&crate::ingest::post_async(&api, key, &log))["status"], "SUCCESS");
        system.database.execute(&format!(
            "UPDATE core_ingestkey SET created_at = created_at - INTERVAL {hours} HOUR WHERE created_at > NOW() - INTERVAL 30 MINUTE"
        ));
    }
    run_task(&system, ROTATE);
    let keys =
        |origin| system.database.number(&format!("SELECT COUNT(*) FROM core_ingestkey WHERE origin = '{origin}'"));
    assert_eq!((keys("client"), keys("batch")), (1, 1));
}
