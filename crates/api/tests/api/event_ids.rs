//! Records with an `event_id`: sent again they are stored once, and answered as the first time, whatever dies in between.

use logmon_store::testing::http::{Response, send};
use logmon_store::testing::process::eventually;
use serde_json::{Value, json};

use crate::common::{Api, System};
use crate::ingest::{BATCH, kill_while, post_async, rows, verify};

fn event(id: &Value, message: &str) -> Value {
    json!({"app": 1, "level": "ERROR", "message": message, "event_id": id})
}

fn replayed(answer: &Response) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

#[test]
fn a_log_that_comes_again_is_answered_with_the_first_one() {
    let system = System::new();
    let api = system.serve();
    let first = api.post("/api/logs/", &event(&json!("order-1"), "it's \\ 支付"));
    assert_eq!((first.status, replayed(&first)), (201, false));
    // Trimmed as every text; what else the repeat says is of no account.
    for id in ["order-1", " order-1\n"] {
        let again = api.post("/api/logs/", &json!({"app": 1, "level": "INFO", "message": "other", "event_id": id}));
        assert_eq!((again.status, replayed(&again)), (201, true));
        assert_eq!(again.body, first.body, "to the byte, its id and time included");
    }
    let form = api.send(
        "POST",
        "/api/logs/",
        &[("Content-Type", "application/x-www-form-urlencoded")],
        Some(b"app=1&level=WARN&message=m&event_id=order-1"),
    );
    assert_eq!((form.status, replayed(&form), form.body), (201, true, first.body.clone()));
    // Another server knows it too, and with a key of its own it is the same log.
    let other = system.serve();
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", "k")];
    let body = event(&json!("order-1"), "m").to_string();
    let keyed = other.send("POST", "/api/logs/", &headers, Some(body.as_bytes()));
    assert_eq!((keyed.status, replayed(&keyed), keyed.body), (201, true, first.body.clone()));

    let numbers = [json!(7), json!("7"), json!(" 7 ")].map(|id| api.post("/api/logs/", &event(&id, "m")));
    assert_eq!(numbers.each_ref().map(replayed), [false, true, true]);
    assert_eq!(rows(&system), 2);
    for none in [event(&Value::Null, "m"), json!({"app": 1, "level": "ERROR", "message": "m"})] {
        for _ in 0..2 {
            assert!(!replayed(&api.post("/api/logs/", &none)));
        }
    }
    let elsewhere = json!({"app": 2, "level": "ERROR", "message": "m", "event_id": "order-1"});
    assert!(!replayed(&api.post("/api/logs/", &elsewhere)), "the same id in another app is another event");
    assert_eq!(rows(&system), 7);

    for (id, message) in [
        (json!(true), "Not a valid string."),
        (json!({}), "Not a valid string."),
        (json!(" "), "This field may not be blank."),
        (json!("x".repeat(256)), "Ensure this field has no more than 255 characters."),
    ] {
        let answer = api.post("/api/logs/", &event(&id, "m"));
        assert_eq!((answer.status, answer.json()), (400, json!({"event_id": [message]})));
    }
    let wrong = json!({"app": 1, "level": "LOUD", "message": "m", "event_id": "order-9"});
    assert_eq!(api.post("/api/logs/", &wrong).status, 400);
    assert!(!replayed(&api.post("/api/logs/", &event(&json!("order-9"), "m"))), "what was refused may come again");
    verify(&system);
}

#[test]
fn what_a_batch_repeats_is_counted_as_duplicate() {
    let system = System::new();
    let api = system.serve();
    let (a, b) = (event(&json!("a"), "a"), event(&json!("b"), "b"));
    let plain = json!({"app": 1, "level": "INFO", "message": "plain"});
    let answer = api.post("/api/logs/", &json!([a, plain, b, {"app": 1}, a, plain]));
    assert_eq!(answer.status, 200);
    assert_eq!((&answer.json()["accepted"], &answer.json()["duplicate"]), (&json!(4), &json!(1)));
    assert_eq!(answer.json()["rejected"][0]["index"], 3);
    let answer = api.post("/api/logs/", &json!([b, event(&json!("c"), "c"), a]));
    assert_eq!(answer.json(), json!({"accepted": 1, "duplicate": 2, "rejected": []}));
    let answer = api.post("/api/logs/", &json!([b, {"app": 1}, a]));
    assert_eq!((answer.status, answer.json()["duplicate"].clone()), (200, json!(2)), "it is there: nothing to repeat");
    assert_eq!(rows(&system), 5);
    assert_eq!(system.database.number("SELECT SUM(count) FROM core_logcount WHERE level = 'ERROR'"), 3);
    verify(&system);
}

#[test]
fn a_queued_batch_knows_what_was_stored_at_once_and_the_other_way_round() {
    let system = System::new();
    let api = system.serve();
    let events = |ids: &[&str]| Value::from(ids.iter().map(|id| event(&json!(id), id)).collect::<Vec<_>>());
    let queued = [post_async(&api, None, &events(&["a", "b", "a"])), post_async(&api, Some("k"), &events(&["b", "c"]))];
    let all_known = post_async(&api, None, &events(&["c", "a"]));
    assert_eq!(api.post("/api/logs/", &events(&["a"])).json()["accepted"], 1);
    let _worker = system.work(&[("CONCURRENCY", "1")]);
    assert_eq!(api.run(&queued[0])["result"], json!({"accepted": 1, "duplicate": 2, "rejected": 0}));
    assert_eq!(api.run(&queued[1])["result"], json!({"accepted": 1, "duplicate": 1, "rejected": 0}));
    assert_eq!(api.run(&all_known)["result"], json!({"accepted": 0, "duplicate": 2, "rejected": 0}));
    assert!(replayed(&api.post("/api/logs/", &event(&json!("c"), "c"))));
    assert_eq!(rows(&system), 3);
    verify(&system);
}

#[test]
fn an_event_that_comes_many_times_at_once_is_one_log() {
    let system = System::new();
    let apis = [system.serve(), system.serve()];
    let one = |api: &Api, id: usize| {
        // Locked out for a moment is answered with 503, and sent again as any client would.
        eventually("an answer", || {
            let answer = api.post("/api/logs/", &event(&json!(id), "m"));
            (answer.status == 201).then(|| (id, answer.json()["id"].as_i64().unwrap()))
        })
    };
    let ids: std::collections::BTreeSet<(usize, i64)> = std::thread::scope(|scope| {
        let (apis, one) = (&apis, &one);
        let threads: Vec<_> =
            (0..24).map(|n| scope.spawn(move || (0..10).map(|id| one(&apis[n % 2], id)).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!((ids.len(), rows(&system)), (10, 10));
    verify(&system);
}

#[test]
fn event_ids_alone_make_sending_again_harmless_when_the_server_is_killed() {
    kill_while(|address, uid| {
        // Half of it as a batch, half of it one by one.
        let events: Vec<Value> = (0..BATCH).map(|n| format!("{uid}-{n}")).map(|id| event(&json!(id), &id)).collect();
        let post = |body: &Value| {
            let headers = [("Content-Type", "application/json")];
            send(address, "POST", "/api/logs/", &headers, Some(body.to_string().as_bytes())).ok()
        };
        let batch = post(&Value::from(events[..3].to_vec()))?;
        let there = batch.json()["accepted"].as_u64().unwrap_or(0) + batch.json()["duplicate"].as_u64().unwrap_or(0);
        let single = |event: &Value| post(event).is_some_and(|answer| answer.status == 201);
        (batch.status == 200 && there == 3 && events[3..].iter().all(single)).then_some(())
    });
}

#[test]
fn an_app_that_is_removed_takes_its_event_ids_along() {
    let system = System::new();
    let (api, _worker) = (system.serve(), system.work(&[]));
    api.post(
        "/api/logs/",
        &json!([event(&json!("a"), "a"), {"app": 2, "level": "INFO", "message": "m", "event_id": "a"}]),
    );
    let removed = api.run(&api.send("DELETE", "/api/apps/1/", &[], None));
    assert_eq!((&removed["status"], &removed["result"]), (&json!("SUCCESS"), &json!(1)));
    assert_eq!(system.database.number("SELECT SUM(app_id) FROM core_logevent"), 2);
}
