//! Logs that are sent again: stored once, and answered as the first time, whatever dies in between.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};

use logmon_store::testing::http::{Response, send};
use logmon_store::testing::process::{Process, Signal, eventually};
use serde_json::{Value, json};

use crate::common::{Api, System};

pub(crate) fn post(api: &Api, key: &str, body: &Value) -> Response {
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key)];
    api.send("POST", "/api/logs/", &headers, Some(body.to_string().as_bytes()))
}

pub(crate) fn rows(system: &System) -> i64 {
    system.database.number("SELECT COUNT(*) FROM core_log")
}

pub(crate) fn verify(system: &System) {
    let mut verify = system.start("logmon-api", &["verify"], &[]);
    assert_eq!(verify.wait().code(), Some(0), "the counts are not the rows: {}", verify.said());
}

#[test]
fn a_request_with_a_key_is_stored_once_and_answered_the_same() {
    let system = System::new();
    let api = system.serve();
    let log = json!({"app": 1, "level": "ERROR", "message": "it's \\ 支付"});
    let first = post(&api, "order-1", &log);
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, None));
    let again = post(&api, "order-1", &log);
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(again.body, first.body, "to the byte, its id included");
    let other = post(&api, "order-1", &json!({"app": 1, "level": "ERROR", "message": "other"}));
    assert_eq!((other.status, rows(&system)), (422, 1));
    assert_eq!(other.json(), json!({"detail": "This Idempotency-Key was used for another body."}));

    let batch = json!([log, {"app": 1, "level": "NOPE", "message": "m"}, log]);
    let first = post(&api, "order-2", &batch);
    assert_eq!((first.status, first.json()["accepted"].clone()), (200, json!(2)));
    assert_eq!(post(&api, "order-2", &batch).body, first.body);
    assert_eq!(rows(&system), 3);

    // What was not stored may be sent again under the same key once it is right.
    assert_eq!(post(&api, "order-3", &json!({"app": 1})).status, 400);
    assert_eq!(post(&api, "order-3", &log).status, 201);
    for key in ["", "with space", "支付", &"x".repeat(256)] {
        let answer = post(&api, key, &log);
        assert_eq!(answer.status, 400, "{key}");
        assert_eq!(answer.json(), json!({"Idempotency-Key": ["Expected 1 to 255 visible ASCII characters."]}));
    }
    let several = [("Content-Type", "application/json"), ("Idempotency-Key", "a"), ("Idempotency-Key", "a")];
    let answer = api.send("POST", "/api/logs/", &several, Some(log.to_string().as_bytes()));
    assert_eq!((answer.status, answer.json()), (400, json!({"Idempotency-Key": ["Expected one such header."]})));
    assert_eq!(post(&api, &"x".repeat(255), &log).status, 201);
    assert_eq!(rows(&system), 5);
    verify(&system);
}

#[test]
fn a_key_holds_its_batch_together_when_some_of_it_is_refused() {
    let system = System::new();
    let api = system.serve();
    let log = |app: i64, message: &str| json!({"app": app, "level": "INFO", "message": message});
    // Known to the server by now, and gone when the batch comes.
    assert_eq!(api.post("/api/logs/", &log(2, "first")).status, 201);
    system.database.execute("DELETE FROM core_log; DELETE FROM core_logcount; DELETE FROM core_loghourcount; DELETE FROM core_app WHERE id = 2");
    system.database.execute("ALTER TABLE core_log ADD CONSTRAINT short CHECK (CHAR_LENGTH(message) < 100)");
    let batch = json!([log(1, "a"), log(2, "gone"), log(1, &"x".repeat(100)), log(1, "b")]);
    let first = post(&api, "k", &batch);
    let rejected: Vec<_> = first.json()["rejected"].as_array().unwrap().iter().map(|r| r["index"].clone()).collect();
    assert_eq!((first.status, first.json()["accepted"].clone(), rejected), (200, json!(2), vec![json!(1), json!(2)]));
    assert_eq!(post(&api, "k", &batch).body, first.body);
    assert_eq!(rows(&system), 2);
    verify(&system);
}

#[test]
fn the_same_request_many_times_at_once_is_stored_once() {
    let system = System::new();
    let apis = [system.serve(), system.serve()];
    let log = json!({"app": 1, "level": "ERROR", "message": "m"});
    let bodies: BTreeSet<Vec<u8>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..24)
            .map(|n| {
                let (api, log) = (&apis[n % 2], &log);
                // Locked out for a moment is answered with 503, and sent again as any client would.
                scope.spawn(move || eventually("an answer", || Some(post(api, "k", log)).filter(|a| a.status == 201)))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap().body).collect()
    });
    assert_eq!((bodies.len(), rows(&system)), (1, 1));
    verify(&system);
}

#[test]
fn killed_again_and_again_the_server_loses_nothing_and_doubles_nothing() {
    kill_while(|address, uid| {
        let records: Vec<_> =
            (0..BATCH).map(|n| json!({"app": 1, "level": "ERROR", "message": format!("{uid}-{n}")})).collect();
        let headers = [("Content-Type", "application/json"), ("Idempotency-Key", uid)];
        let body = Value::from(records).to_string();
        let answer = send(address, "POST", "/api/logs/", &headers, Some(body.as_bytes())).ok()?;
        (answer.status == 200 && answer.json()["accepted"] == BATCH).then_some(())
    });
}

/// How many logs a request of [`kill_while`] has.
pub(crate) const BATCH: usize = 5;

/// Kills the API again and again while clients send requests, each until `request` says that it was answered: `request`
/// gets the address and what makes the messages of its [`BATCH`] logs its own. None may be missing in the end, or there
/// twice.
pub(crate) fn kill_while(request: impl Fn(&str, &str) -> Option<()> + Sync) {
    const CLIENTS: usize = 6;
    const REQUESTS: usize = 60;
    let system = System::new();
    // A port that stays the same through all its lives.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let start = || system.start("logmon-api", &["serve"], &[("LISTEN", &address)]);
    let sending = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (address, request) = (&address, &request);
                scope.spawn(move || {
                    for number in 0..REQUESTS {
                        eventually("an answer", || request(address, &format!("{client}-{number}")));
                    }
                })
            })
            .collect();
        let killing = scope.spawn(|| {
            let (mut server, mut lives): (Process, u32) = (start(), 1);
            while sending.load(Ordering::Acquire) {
                server.wait_for_line("listening");
                let before = rows(&system);
                eventually("some logs, or the end", || {
                    (rows(&system) > before + 100 || !sending.load(Ordering::Acquire)).then_some(())
                });
                server.signal(Signal::Kill);
                server.wait();
                (server, lives) = (start(), lives + 1);
            }
            lives
        });
        for client in clients {
            client.join().unwrap();
        }
        sending.store(false, Ordering::Release);
        assert!(killing.join().unwrap() > 5, "it was hardly killed");
    });
    let expected = i64::try_from(CLIENTS * REQUESTS * BATCH).unwrap();
    assert_eq!(system.database.number("SELECT COUNT(DISTINCT message) FROM core_log"), expected, "lost");
    assert_eq!(rows(&system), expected, "doubled");
    verify(&system);
}

pub(crate) fn post_async(api: &Api, key: Option<&str>, body: &Value) -> Response {
    let mut headers = vec![("Content-Type", "application/json"), ("Prefer", "wait=10, respond-async; x=\"1\"")];
    headers.extend(key.map(|key| ("Idempotency-Key", key)));
    api.send("POST", "/api/logs/", &headers, Some(body.to_string().as_bytes()))
}

#[test]
fn a_batch_that_is_queued_is_stored_by_the_worker_once() {
    let system = System::new();
    let api = system.serve();
    let log = json!({"app": 1, "level": "ERROR", "message": "支付"});
    let batch = json!([log, {"app": 1}, log]);
    let queued = post_async(&api, None, &batch);
    assert_eq!((queued.status, queued.header("preference-applied")), (202, Some("respond-async")));
    assert_eq!((&queued.json()["accepted"], &queued.json()["rejected"][0]["index"]), (&json!(2), &json!(1)));
    let single = post_async(&api, None, &log);
    assert_eq!(post_async(&api, None, &json!({"app": 1, "level": "ERROR"})).status, 400);
    assert_eq!(post_async(&api, None, &json!([1])).status, 422);
    assert_eq!(rows(&system), 0, "nobody has stored them yet");

    let _worker = system.work(&[("CONCURRENCY", "1")]);
    assert_eq!(api.run(&queued)["result"], json!({"accepted": 2, "duplicate": 0, "rejected": 0}));
    assert_eq!(api.run(&single)["result"], json!({"accepted": 1, "duplicate": 0, "rejected": 0}));
    assert_eq!(rows(&system), 3);
    verify(&system);
}

#[test]
fn the_queue_of_batches_is_bounded() {
    let system = System::new();
    let log = json!({"app": 1, "level": "INFO", "message": "x".repeat(10_000)});
    let api = system.serve_with(&[("INGEST_QUEUE_BYTES", "200000")]);
    let statuses: Vec<u16> = (0..20).map(|_| post_async(&api, None, &log).status).collect();
    let taken = statuses.iter().filter(|status| **status == 202).count();
    assert!((5..15).contains(&taken) && statuses[19] == 503, "{statuses:?}");
    // One whose oldest message stands still takes no more either.
    let patient = system.serve_with(&[("INGEST_QUEUE_AGE", "1s")]);
    eventually("the oldest message to be too old", || (post_async(&patient, None, &log).status == 503).then_some(()));
    assert_eq!(api.post("/api/logs/", &log).status, 201, "what is stored at once is not concerned");
    let _worker = system.work(&[]);
    eventually("room", || (post_async(&api, None, &log).status == 202).then_some(()));
}
