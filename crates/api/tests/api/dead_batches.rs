//! Batches that were stored and became dead letters all the same, as when their workers died right afterwards: put back on
//! their queue, however late, they are stored once.

use logmon_core::tasks::INGEST_QUEUE;
use logmon_store::testing::process::eventually;
use serde_json::{Value, json};

use crate::common::System;
use crate::ingest::{post_async, rows, verify};
use crate::story::{ROTATE, run_task};

/// As if a month had gone by, with batches being stored all the time.
fn a_month_later(system: &System) {
    system.database.execute(
        "UPDATE core_ingestkey SET created_at = created_at - INTERVAL 30 DAY;
         INSERT INTO core_ingestkey (idempotency_key, body_hash, answer, created_at, origin)
         VALUES (UUID(), '', '', UTC_TIMESTAMP(6) - INTERVAL 2 HOUR, 'batch')",
    );
    run_task(system, ROTATE);
}

fn settled(system: &System) {
    let left = || system.broker.in_flight() + system.broker.broker.depth(INGEST_QUEUE).unwrap();
    eventually("the batches to be run", || (left() == 0).then_some(()));
}

#[test]
fn a_batch_that_was_stored_and_buried_is_not_stored_again_when_it_is_put_back() {
    let system = System::new();
    let api = system.serve();
    for (key, message) in [(None, "a"), (Some("k"), "b")] {
        assert_eq!(post_async(&api, key, &json!({"app": 1, "level": "INFO", "message": message})).status, 202);
    }
    let messages = system.broker.waiting(INGEST_QUEUE);
    let _worker = system.work(&[]);
    eventually("the batches to be stored", || (rows(&system) == 2).then_some(()));
    settled(&system);
    for message in &messages {
        let parsed: Value = serde_json::from_slice(message).unwrap();
        system.broker.died_of(parsed["properties"]["delivery_tag"].as_str().unwrap(), 5);
        system.broker.push(INGEST_QUEUE, message);
    }
    eventually("two dead letters", || (system.broker.dead_letters().len() == 2).then_some(()));
    a_month_later(&system);
    a_month_later(&system);

    // Those that went back and wait are remembered as well.
    assert_eq!(system.command(&["queue", "pause", INGEST_QUEUE]).0, Some(0));
    assert_eq!(system.command(&["dead-letter", "requeue", "--all"]).0, Some(0));
    a_month_later(&system);
    assert_eq!(system.broker.waiting(INGEST_QUEUE).len(), 2);
    assert_eq!(system.command(&["queue", "resume", INGEST_QUEUE]).0, Some(0));
    settled(&system);
    assert_eq!((rows(&system), system.broker.dead_letters().len()), (2, 0));
    verify(&system);
}
