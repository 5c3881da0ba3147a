//! Workflows whose tasks are Python's and ours by turns.

use logmon_store::testing::process::{Signal, eventually};
use logmon_store::testing::system::System;
use serde_json::json;

use crate::common::Celery as _;

#[test]
fn workflows_go_through_both_kinds_of_worker() {
    let system = System::new();
    let (_ours, _theirs) = (system.work(&[]), system.celery_works("shop"));
    let mut shop = system.shop();
    for (canvas, value) in [
        ("chain", json!(6)),
        ("immutable", json!(9)),
        ("group", json!([1, 2, 3])),
        ("chord", json!(6)),
        ("chord_to_ours", json!([2, 3])),
        ("large_chord", json!((0..60).sum::<i64>())),
        ("upgraded", json!(5)),
        ("nested", json!([[1, 6], 7])),
        ("chord_in_chord", json!(7)),
        ("group_last", json!([1, 2])),
        ("body_chain", json!(13)),
        ("empty_header", json!(0)),
        ("stamped", json!([{"tenant": "t9"}, 6, true, true])),
    ] {
        assert_eq!(shop.run(canvas), json!({"value": value}), "{canvas}");
    }
    for (canvas, error) in
        [("chain_fails", "NotRegistered: 'nobody.knows'"), ("chain_fails_at_shop", "ValueError: kaput")]
    {
        let failed = shop.run(canvas);
        assert_eq!(failed["error"], error, "{canvas}");
        assert_eq!(shop.ask("state", &json!([failed["id"]])), "FAILURE", "{canvas}");
    }
    for (canvas, raised) in [("chord_fails", "nobody.knows"), ("chord_fails_at_shop", "kaput")] {
        // Python raises the header's error where it sees that first; the body's own is stored in any case.
        let failed = shop.run(canvas);
        let body = eventually(canvas, || Some(shop.ask("meta", &json!([failed["id"]]))).filter(|meta| !meta.is_null()));
        let (kind, message) = (&body["result"]["exc_type"], body["result"]["exc_message"].to_string());
        assert_eq!((kind, &body["status"]), (&json!("ChordError"), &json!("FAILURE")), "{canvas}");
        assert!(message.starts_with("[\"Dependency ") && message.contains(raised), "{canvas}: {message}");
    }
    shop.run("link");
    shop.run("link_error");
    let notes = eventually("the callbacks", || {
        let notes = shop.ask("notes", &json!([]));
        (notes.as_array().unwrap().len() >= 4).then_some(notes)
    });
    let notes: Vec<&str> = notes.as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
    assert_eq!(notes.len(), 4, "{notes:?}");
    assert!(notes.contains(&"[1, \"a\"]") && notes.contains(&"[1, \"b\"]"), "{notes:?}");
    assert_eq!(notes.iter().filter(|note| note.ends_with("\"failed\"]")).count(), 1, "{notes:?}");
    assert_eq!(notes.iter().filter(|note| note.ends_with("\"chord\"]")).count(), 1, "{notes:?}");
    let children = shop.ask("children", &json!(["chain"]));
    assert_eq!(children.as_array().unwrap().len(), 1, "{children}");
    eventually("rest", || (system.broker.in_flight() == 0).then_some(()));
}

#[test]
fn a_header_is_counted_once_whichever_worker_runs_it() {
    let system = System::new();
    let (_ours, _theirs) = (system.work(&[]), system.celery_works("celery,shop"));
    let mut shop = system.shop();
    for _ in 0..5 {
        assert_eq!(shop.run("large_chord"), json!({"value": (0..60).sum::<i64>()}));
        assert_eq!(shop.run("chord_in_chord"), json!({"value": 7}));
    }
}

#[test]
fn a_chords_body_is_sent_once_whoever_dies() {
    const CHORDS: usize = 50;
    let system = System::new();
    let _theirs = system.celery_works("shop");
    let settings = [("WORKER_TIMEOUT", "1s")];
    let mut shop = system.shop();
    for round in 1..=3 {
        shop.ask("cast", &json!(["noted_chord", CHORDS]));
        let mut victim = system.work(&settings);
        victim.wait_for_line("succeeded");
        victim.signal(Signal::Kill);
        victim.wait();
        let mut next = system.work(&settings);
        eventually("the bodies", || {
            (shop.ask("notes", &json!([])).as_array().unwrap().len() >= CHORDS * round).then_some(())
        });
        eventually("rest", || (system.broker.in_flight() == 0).then_some(()));
        next.stop();
    }
    let notes = shop.ask("notes", &json!([]));
    let expected = json!([(0..10).collect::<Vec<_>>()]).to_string().replace(',', ", ");
    assert_eq!(notes, json!(vec![expected; CHORDS * 3]));
}
