//! Workers that are killed, and a Redis that is killed, full, or takes no writes, all under load: nothing accepted is lost,
//! nothing is twice in effect, and no program has to be started again because of another.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use logmon_core::celery::{Status, TaskId};
use logmon_core::tasks::{DEFAULT_QUEUE, INGEST_QUEUE, Noop, NoopInput, Task as _};
use logmon_store::testing::http::send;
use logmon_store::testing::private_server::PrivateRedis;
use logmon_store::testing::process::{Process, Signal, eventually};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::common::{Api, System};
use crate::ingest::{BATCH, rows, verify};
use crate::story::blocked_summary;

/// Clients that send batches to be stored later and queue tasks, and note what was accepted.
struct Load<'a> {
    system: &'a System,
    api: &'a Api,
    /// The ids of accepted tasks: those that store a batch, and those that return their argument.
    tasks: Mutex<Vec<TaskId>>,
    batches: AtomicUsize,
    ended: AtomicBool,
}

impl<'a> Load<'a> {
    fn new(system: &'a System, api: &'a Api) -> Self {
        let (tasks, batches, ended) = (Mutex::default(), AtomicUsize::new(0), AtomicBool::new(false));
        Self { system, api, tasks, batches, ended }
    }

    /// Sends a batch under a key of its own again and again until it is accepted, as any client would.
    fn batch(&self, key: &str) {
        let records: Vec<_> =
            (0..BATCH).map(|n| json!({"app": 1, "level": "INFO", "message": format!("{key}-{n}")})).collect();
        let (body, headers) =
            (Value::from(records).to_string(), [("Prefer", "respond-async"), ("Idempotency-Key", key)]);
        let headers = [headers.as_slice(), &[("Content-Type", "application/json")]].concat();
        let id = eventually("a batch to be accepted", || {
            let answer = send(&self.api.address, "POST", "/api/logs/", &headers, Some(body.as_bytes())).unwrap();
            assert!(
                [202, 503].contains(&answer.status),
                "{}: {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
            (answer.status == 202).then(|| TaskId(answer.json()["task_id"].as_str().unwrap().to_owned()))
        });
        self.batches.fetch_add(1, Ordering::AcqRel);
        self.tasks.lock().unwrap().push(id);
    }

    /// Queues a task; one that was perhaps not accepted is queued anew.
    fn task(&self) {
        let id = eventually("a task to be accepted", || {
            let task = Noop::call(&NoopInput { value: to_raw_value(&1).unwrap() }).unwrap();
            self.system.broker.broker.enqueue(&task).is_ok().then_some(task.id)
        });
        self.tasks.lock().unwrap().push(id);
    }

    /// Keeps `clients` of each kind going while `fault` does its work.
    fn during(&self, clients: usize, fault: impl FnOnce()) {
        std::thread::scope(|scope| {
            for client in 0..clients {
                scope.spawn(move || {
                    for number in 0.. {
                        if self.ended.load(Ordering::Acquire) {
                            break;
                        }
                        self.batch(&format!("{client}-{number}"));
                    }
                });
                scope.spawn(|| {
                    while !self.ended.load(Ordering::Acquire) {
                        self.task();
                    }
                });
            }
            let _end = EndAtDrop(&self.ended);
            fault();
        });
    }

    /// Waits until so many more batches and tasks have been accepted.
    fn wait_for_more(&self, count: usize) {
        let accepted = || self.tasks.lock().unwrap().len();
        let (tasks, batches) = (accepted(), self.batches.load(Ordering::Acquire));
        eventually("the load to go on", || {
            (accepted() >= tasks + count && self.batches.load(Ordering::Acquire) > batches).then_some(())
        });
    }

    /// Everything accepted has come to its end and is in effect once.
    fn assert_done(&self) {
        let broker = &self.system.broker;
        for task in self.tasks.lock().unwrap().iter() {
            let status = || broker.broker.result(task).ok().map(|result| result.status);
            let ended = |status: &Status| matches!(status, Status::Success | Status::Failure | Status::Revoked);
            assert_eq!(eventually("a task's result", || status().filter(ended)), Status::Success, "{task}");
        }
        assert_stored(self.system, self.batches.load(Ordering::Acquire));
    }
}

/// Lets clients end also when the test fails.
struct EndAtDrop<'a>(&'a AtomicBool);

impl Drop for EndAtDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// How many messages wait or are in flight.
fn left(system: &System) -> u64 {
    let depth = |queue| system.broker.broker.depth(queue).unwrap();
    system.broker.in_flight() + depth(INGEST_QUEUE) + depth(DEFAULT_QUEUE)
}

/// So many batches are in the table, each once, and nothing is left on Redis.
fn assert_stored(system: &System, batches: usize) {
    eventually("empty queues", || (left(system) == 0).then_some(()));
    assert_eq!(system.broker.dead_letters(), []);
    let expected = i64::try_from(batches * BATCH).unwrap();
    assert_eq!(system.database.number("SELECT COUNT(DISTINCT message) FROM core_log"), expected, "lost");
    assert_eq!(rows(system), expected, "doubled");
    verify(system);
}

#[test]
fn two_workers_killed_again_and_again_store_each_queued_batch_once() {
    const CLIENTS: usize = 4;
    const BATCHES: usize = 3_000;
    let system = System::new();
    let api = system.serve();
    let load = Load::new(&system, &api);
    let settings = [("WORKER_TIMEOUT", "2s"), ("CONCURRENCY", "4")];
    let start = || system.start("logmon-worker", &[], &settings);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let load = &load;
            scope.spawn(move || (0..BATCHES / CLIENTS).for_each(|number| load.batch(&format!("{client}-{number}"))));
        }
        let (mut workers, mut kills) = ([start(), start()], 0);
        let all = i64::try_from(BATCHES * BATCH).unwrap();
        let mut stored = 0;
        while stored < all {
            // Between two deaths something is done: a batch that its workers die of too often is a dead letter.
            let enough = (stored + 250 + kills * 37 % 300).min(all);
            stored = eventually("more batches to be stored", || Some(rows(&system)).filter(|rows| *rows >= enough));
            let victim = &mut workers[usize::from(kills % 2 == 1)];
            victim.signal(Signal::Kill);
            victim.wait();
            (*victim, kills) = (start(), kills + 1);
        }
        assert!(kills > 20, "they were hardly killed: {kills}");
        for task in load.tasks.lock().unwrap().iter() {
            let result = api.result_of(task.as_str());
            assert_eq!(result["status"], "SUCCESS", "{result}");
        }
    });
    let _worker = system.work(&settings);
    assert_stored(&system, BATCHES);
}

/// Leaves only what the load stored.
fn take_away_app_2(system: &System) {
    for table in ["core_log", "core_logcount", "core_loghourcount"] {
        system.database.execute(&format!("DELETE FROM {table} WHERE app_id = 2"));
    }
}

/// The programs have lived through everything.
fn assert_alive(processes: impl IntoIterator<Item = Process>) {
    for mut process in processes {
        assert_eq!(process.stop().code(), Some(0), "{}", process.said());
    }
}

#[test]
fn a_redis_that_is_killed_again_and_again_loses_nothing() {
    let mut redis = PrivateRedis::start();
    let system = System::on(&redis);
    let (api, workers) = (system.serve(), [system.work(&[]), system.work(&[])]);
    let beat = system.start("logmon-beat", &[], &[("CHECK_INTERVAL", "1s")]);
    let load = Load::new(&system, &api);
    load.during(2, || {
        for _ in 0..20 {
            load.wait_for_more(10);
            redis.crash();
        }
        load.wait_for_more(10);
    });
    assert_alive([beat]);
    load.assert_done();
    assert_alive(workers.into_iter().chain([api.process]));
}

#[test]
fn a_redis_that_takes_no_writes_for_a_while_loses_nothing() {
    const WHILE: Duration = Duration::from_secs(10);
    let redis = PrivateRedis::start();
    let system = System::on(&redis);
    let (api, workers) = (system.serve(), [system.work(&[]), system.work(&[])]);
    let beat = system.start("logmon-beat", &[], &[("CHECK_INTERVAL", "1s")]);
    let load = Load::new(&system, &api);
    load.during(1, || {
        load.wait_for_more(50);
        let (mut lock, summary) = blocked_summary(&system, &api, &workers[0]);
        redis.refuse_writes();
        let (start, mut stored) = (Instant::now(), 0);
        while start.elapsed() < WHILE {
            let answer = api.post("/api/logs/", &json!({"app": 2, "level": "WARN", "message": "at once"}));
            assert_eq!(answer.status, 201, "what is stored at once is not concerned");
            stored += 1;
            if stored == 10 {
                // A task that ends while its end cannot be told.
                lock.execute("ROLLBACK");
            }
        }
        redis.take_writes();
        assert_eq!(api.result_of(&summary)["status"], "SUCCESS");
        load.wait_for_more(50);
    });
    assert_alive([beat]);
    take_away_app_2(&system);
    load.assert_done();
    assert_alive(workers.into_iter().chain([api.process]));
}

#[test]
fn a_worker_that_stops_tells_what_it_has_done_once_redis_takes_it() {
    let redis = PrivateRedis::start();
    let system = System::on(&redis);
    let (api, mut worker) = (system.serve(), system.work(&[("GRACE", "60s")]));
    let (mut lock, summary) = blocked_summary(&system, &api, &worker);
    worker.signal(Signal::Term);
    worker.wait_for_line("stopping");
    redis.refuse_writes();
    lock.execute("ROLLBACK");
    worker.wait_for_line("waiting for Redis");
    redis.take_writes();
    assert_eq!(worker.wait().code(), Some(0));
    assert!(worker.said().contains("stopped count=0"), "{}", worker.said());
    assert_eq!(api.result_of(&summary)["status"], "SUCCESS");
    assert_eq!(system.broker.in_flight(), 0);
}

#[test]
fn a_redis_that_is_full_takes_nothing_new_and_what_it_has_comes_to_its_end() {
    const WHILE: Duration = Duration::from_secs(5);
    let redis = PrivateRedis::start();
    let system = System::on(&redis);
    // Signs of life are due several times while it is full.
    let settings = [("WORKER_TIMEOUT", "2s")];
    let (api, workers) = (system.serve(), [system.work(&settings), system.work(&settings)]);
    let beat = system.start("logmon-beat", &[], &[("CHECK_INTERVAL", "1s")]);
    let load = Load::new(&system, &api);
    let headers = [("Prefer", "respond-async"), ("Content-Type", "application/json")];
    let batch = json!([{"app": 2, "level": "WARN", "message": "later"}]).to_string();
    load.during(2, || {
        load.wait_for_more(50);
        let (mut lock, summary) = blocked_summary(&system, &api, &workers[0]);
        redis.fill();
        let start = Instant::now();
        while start.elapsed() < WHILE {
            let answer = api.post("/api/logs/", &json!({"app": 2, "level": "WARN", "message": "at once"}));
            assert_eq!(answer.status, 201, "what is stored at once is not concerned");
            let answer = api.send("POST", "/api/logs/", &headers, Some(batch.as_bytes()));
            assert_eq!((answer.status, answer.header("retry-after").is_some()), (503, true));
        }
        beat.wait_for_line("waiting for Redis");
        // It ends, and says so, while Redis is as full as before; what had been accepted, too.
        lock.execute("ROLLBACK");
        assert_eq!(api.result_of(&summary)["status"], "SUCCESS");
        eventually("empty queues", || (left(&system) == 0).then_some(()));
        redis.make_room();
        load.wait_for_more(50);
        beat.wait_for_line("ticking again");
    });
    assert_alive([beat]);
    take_away_app_2(&system);
    load.assert_done();
    for worker in &workers {
        let said = worker.said();
        assert!(!said.contains("taken over") && !said.contains("waiting for Redis"), "{said}");
    }
    assert_alive(workers.into_iter().chain([api.process]));
}

#[test]
fn a_database_that_takes_no_writes_is_tried_once_a_second_and_not_for_each_task() {
    let system = System::new();
    let (api, worker) = (system.serve(), system.work(&[("CONCURRENCY", "1"), ("LOG_LEVEL", "debug")]));
    // As one that has lost its role in a failover: it answers, and refuses.
    system.database.execute(
        "CREATE TRIGGER read_only BEFORE INSERT ON core_log FOR EACH ROW
         SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1290, MESSAGE_TEXT = 'running with the --read-only option'",
    );
    let start = Instant::now();
    for _ in 0..50 {
        let log = json!({"app": 1, "level": "INFO", "message": "later"}).to_string();
        let headers = [("Prefer", "respond-async"), ("Content-Type", "application/json")];
        assert_eq!(api.send("POST", "/api/logs/", &headers, Some(log.as_bytes())).status, 202);
    }
    let tries = || worker.said().matches("put back").count();
    eventually("four tries", || (tries() >= 4).then_some(()));
    assert!(start.elapsed() >= Duration::from_secs(3), "{}", worker.said());
    system.database.execute("DROP TRIGGER read_only");
    eventually("all logs", || (rows(&system) == 50).then_some(()));
    worker.wait_for_line("run again, not put back");
    let said = worker.said();
    let warned = said.lines().filter(|line| line.contains("WARN") && line.contains("put back")).count();
    assert_eq!(warned, 1, "{said}");
    assert_alive([worker, api.process]);
}
