//! Queued batches that are sent again under their Idempotency-Key: one task each, and the first answer again, before and after
//! it has run, whichever of the database and Redis remembers.

use std::collections::BTreeSet;

use logmon_core::tasks::INGEST_QUEUE;
use logmon_store::testing::http::Response;
use logmon_store::testing::process::eventually;
use logmon_store::testing::proxy::{Proxy, Weather};
use serde_json::{Value, json};

use crate::common::{Api, System};
use crate::ingest::{post, post_async, rows, verify};

fn log(message: &str) -> Value {
    json!({"app": 1, "level": "ERROR", "message": message})
}

fn waiting(system: &System) -> u64 {
    system.broker.broker.depth(INGEST_QUEUE).unwrap()
}

/// The first answer again, to the byte, its headers included.
fn assert_replayed(first: &Response, again: &Response) {
    assert_eq!((again.status, again.header("idempotent-replayed")), (first.status, Some("true")));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("preference-applied"), first.header("preference-applied"));
    assert_eq!(again.json(), first.json());
    assert_eq!(again.body, first.body);
}

/// Sent again it gets the first answer, and its key is of no use for another body, whatever the client wants to wait for.
fn assert_known(api: &Api, key: &str, body: &Value, first: &Response) {
    for send in [|api: &Api, key: &str, body: &Value| post_async(api, Some(key), body), post] {
        assert_replayed(first, &send(api, key, body));
        let other = send(api, key, &json!([log("other")]));
        assert_eq!(other.status, 422);
        assert_eq!(other.json(), json!({"detail": "This Idempotency-Key was used for another body."}));
    }
}

#[test]
fn logs_of_an_app_that_is_gone_are_not_queued() {
    let system = System::new();
    let api = system.serve();
    let log = json!({"app": 2, "level": "INFO", "message": "m"});
    assert_eq!(post_async(&api, None, &log).status, 202, "it is known now");
    system.database.execute("DELETE FROM core_app WHERE id = 2");
    // Nobody stores any, so nobody is told by that.
    let refused = eventually("the app to be forgotten", || {
        Some(post_async(&api, None, &log)).filter(|answer| answer.status != 202)
    });
    assert_eq!((refused.status, refused.json()), (400, json!({"app": ["Invalid pk \"2\" - object does not exist."]})));
    assert_eq!(post_async(&api, None, &json!({"app": 1, "level": "INFO", "message": "m"})).status, 202);
}

#[test]
fn a_queued_batch_that_is_sent_again_gets_the_first_answer_before_and_after_it_is_stored() {
    let system = System::new();
    let api = system.serve();
    let batch = json!([log("支付"), {"app": 1}, log("b")]);
    let first = post_async(&api, Some("k"), &batch);
    assert_eq!((first.status, first.header("idempotent-replayed")), (202, None));
    assert_known(&api, "k", &batch, &first);
    assert_eq!((waiting(&system), rows(&system)), (1, 0), "one task, and nobody has run it yet");

    let _worker = system.work(&[]);
    assert_eq!(api.run(&first)["result"], json!({"accepted": 2, "duplicate": 0, "rejected": 0}));
    assert_known(&api, "k", &batch, &first);
    system.broker.lose_key("k");
    assert_known(&api, "k", &batch, &first);
    assert_eq!((waiting(&system), rows(&system)), (0, 2));
    verify(&system);
}

#[test]
fn redis_alone_remembers_a_batch_of_which_nothing_was_stored() {
    let system = System::new();
    let (api, _worker) = (system.serve(), system.work(&[]));
    assert_eq!(post_async(&api, None, &json!([log("m")])).status, 202);
    let first = post_async(&api, Some("k"), &log("m"));
    system.database.execute("ALTER TABLE core_log ADD CONSTRAINT short CHECK (message <> 'gone')");
    let gone = post_async(&api, Some("gone"), &log("gone"));
    assert_eq!(api.run(&gone)["result"], json!({"accepted": 0, "duplicate": 0, "rejected": 1}));
    assert_known(&api, "gone", &log("gone"), &gone);
    api.run(&first);
    system.database.execute("DELETE FROM core_ingestkey");
    assert_known(&api, "k", &log("m"), &first);
    assert_eq!(waiting(&system), 0);
}

/// What is heard when 24 clients ask two servers at once, each until it has an answer.
fn at_once<T: Ord + Send>(apis: &[Api; 2], ask: impl Fn(&Api, usize) -> Option<T> + Sync) -> BTreeSet<T> {
    let ask = &ask;
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..24).map(|n| scope.spawn(move || eventually("an answer", || ask(&apis[n % 2], n)))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn one_key_many_times_at_once_is_one_task() {
    let system = System::new();
    let apis = [system.serve(), system.serve()];
    let bodies = at_once(&apis, |api, _| {
        let answer = post_async(api, Some("k"), &log("m"));
        (answer.status == 202).then_some(answer.body)
    });
    assert_eq!((bodies.len(), waiting(&system)), (1, 1));
    // The same for two bodies: one of them has the key.
    let statuses = at_once(&apis, |api, n| {
        Some(post_async(api, Some("l"), &log(&(n / 12).to_string())).status).filter(|status| *status != 503)
    });
    assert_eq!((statuses, waiting(&system)), (BTreeSet::from([202, 422]), 2));
}

#[test]
fn what_redis_lost_before_it_was_stored_is_another_task_and_stored_once() {
    let system = System::new();
    let api = system.serve();
    let first = post_async(&api, Some("k"), &log("m"));
    system.broker.lose_key("k");
    let second = post_async(&api, Some("k"), &log("m"));
    assert_eq!((second.status, second.header("idempotent-replayed")), (202, None));
    system.broker.lose_key("k");
    let at_once = post(&api, "k", &log("m"));
    assert_eq!((at_once.status, at_once.header("idempotent-replayed")), (201, None));
    let _worker = system.work(&[]);
    for queued in [&first, &second] {
        assert_eq!(api.run(queued)["result"], json!({"accepted": 0, "duplicate": 1, "rejected": 0}));
    }
    assert_eq!(rows(&system), 1);
    assert_replayed(&at_once, &post_async(&api, Some("k"), &log("m")));
    assert_eq!(post_async(&api, Some("k"), &log("other")).status, 422);
    verify(&system);
}

#[test]
fn what_was_stored_at_once_is_not_queued() {
    let system = System::new();
    let api = system.serve();
    let first = post(&api, "k", &log("m"));
    assert_eq!(first.status, 201);
    assert_known(&api, "k", &log("m"), &first);
    assert_eq!(waiting(&system), 0);
}

#[test]
fn without_the_database_a_queued_batch_is_known_all_the_same() {
    let system = System::new();
    let (proxy, url) = Proxy::before(&system.database.url());
    let api = system.serve_with(&[("DATABASE_URL", &url)]);
    // One that has stored nothing knows the apps as well.
    let fresh = system.serve_with(&[("DATABASE_URL", &url), ("LOG_LEVEL", "debug")]);
    let before = post_async(&api, Some("before"), &log("m"));
    fresh.process.wait_for_line("the apps are known");
    for weather in [Weather::Cut, Weather::Silent] {
        proxy.set(weather);
        let key = format!("{weather:?}");
        let first = post_async(&api, Some(&key), &log("m"));
        assert_eq!(first.status, 202);
        assert_eq!(post_async(&fresh, None, &log("m")).status, 202);
        assert_known(&api, &key, &log("m"), &first);
        assert_known(&api, "before", &log("m"), &before);
        assert_eq!(post(&api, "new", &log("m")).status, 503, "what is to be stored at once needs it");
    }
    assert_eq!(waiting(&system), 5);
}

#[test]
fn without_redis_a_key_holds_for_what_is_stored_at_once() {
    let system = System::new();
    let (proxy, url) = Proxy::before(system.broker.url());
    let api = system.serve_with(&[("REDIS_URL", &url)]);
    for weather in [Weather::Cut, Weather::Silent] {
        proxy.set(weather);
        for number in 0..5 {
            let key = format!("{weather:?}-{number}");
            let first = post(&api, &key, &log("m"));
            assert_eq!(first.status, 201);
            assert_replayed(&first, &post(&api, &key, &log("m")));
        }
    }
    assert_eq!(rows(&system), 10);
}
