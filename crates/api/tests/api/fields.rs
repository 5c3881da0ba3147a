//! What a record may also carry: its own time, attributes, and the trace that it belongs to, on every way in.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use logmon_store::db::partitions::{self, Dropped};
use logmon_store::testing::process::eventually;
use serde_json::{Value, json};

use crate::common::System;
use crate::ingest::{rows, verify};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(std::time::UNIX_EPOCH.elapsed().unwrap().as_micros().try_into().unwrap()).unwrap()
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// A record with everything that it may carry.
fn full(timestamp: &Value) -> Value {
    json!({
        "app": 1, "level": "ERROR", "message": "m", "timestamp": timestamp,
        "attributes": {"user": "支'付\\", "n": {"deep": [1, null]}},
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "b7ad6b7169203331",
    })
}

#[test]
fn what_a_record_carries_is_answered_listed_and_counted_in_its_own_minute() {
    let system = System::new();
    let api = system.serve();
    let hour_ago = now() - TimeDelta::hours(1);
    let answer = api.post("/api/logs/", &full(&json!(text(hour_ago))));
    let log = answer.json();
    assert_eq!((answer.status, &log["created_at"]), (201, &json!(text(hour_ago))));
    assert_eq!(log["attributes"], json!({"user": "支'付\\", "n": {"deep": [1, null]}}));
    assert_eq!(log["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(log["span_id"], "b7ad6b7169203331");
    assert!((now() - time(&log["received_at"])).num_seconds() < 60, "{log}");
    assert_eq!(log.get("timestamp_clamped"), None, "{log}");
    assert_eq!(api.get("/api/logs/").json(), json!([log]));

    // One that carries nothing more is answered as the original answered it.
    let plain = api.post("/api/logs/", &json!({"app": 1, "level": "INFO", "message": "m"})).json();
    let keys: Vec<&String> = plain.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["app", "created_at", "id", "level", "message"]);
    let minute = hour_ago.format("%Y-%m-%d %H:%M:00");
    let counted =
        format!("SELECT count FROM core_logcount WHERE app_id = 1 AND level = 'ERROR' AND minute = '{minute}'");
    assert_eq!(system.database.number(&counted), 1);
    verify(&system);
}

#[test]
fn times_too_far_away_are_stored_all_the_same_and_marked() {
    let system = System::new();
    let api = system.serve_with(&[("RETENTION", "5d")]);
    let before = now();
    let record =
        |timestamp: DateTime<Utc>| json!({"app": 1, "level": "INFO", "message": "m", "timestamp": text(timestamp)});
    let old = api.post("/api/logs/", &record(before - TimeDelta::days(6))).json();
    let ahead = api.post("/api/logs/", &record(before + TimeDelta::minutes(30))).json();
    let kept = api.post("/api/logs/", &record(before - TimeDelta::days(4))).json();
    let after = now();
    for (log, distance) in [(&old, TimeDelta::days(-5)), (&ahead, TimeDelta::minutes(10))] {
        assert_eq!(log["timestamp_clamped"], true, "{log}");
        let (created_at, received_at) = (time(&log["created_at"]), time(&log["received_at"]));
        assert_eq!(created_at - received_at, distance, "{log}");
        assert!(before <= received_at && received_at <= after, "{log}");
    }
    assert_eq!(kept["created_at"], text(before - TimeDelta::days(4)));
    assert_eq!(kept.get("timestamp_clamped"), None);
    let clamped = system.database.number("SELECT COUNT(*) FROM core_log WHERE timestamp_clamped");
    assert_eq!((rows(&system), clamped), (3, 2));
    // The day of the kept one is gone: the oldest that is left takes it.
    let (mut conn, first) = (system.database.connect(), (before - TimeDelta::days(2)).date_naive());
    while partitions::drop_oldest_before(&mut conn, first).unwrap() == Dropped::One {}
    let late = api.post("/api/logs/", &record(before - TimeDelta::days(4)));
    assert_eq!((late.status, rows(&system)), (201, 2));
    verify(&system);
}

#[test]
fn a_batch_a_queued_one_and_a_form_carry_the_same() {
    let system = System::new();
    let api = system.serve();
    let hour_ago = now() - TimeDelta::hours(1);
    let micros = json!(hour_ago.timestamp_micros());
    let mut records = vec![full(&micros), json!({"app": 1, "level": "INFO", "message": "plain"}), full(&Value::Null)];
    assert_eq!(api.post("/api/logs/", &json!(records)).json()["accepted"], 3);
    for (number, record) in (0..).zip(&mut records) {
        record["event_id"] = json!(format!("e{number}"));
    }
    let headers = [("Content-Type", "application/json"), ("Prefer", "respond-async")];
    let queued = api.send("POST", "/api/logs/", &headers, Some(json!(records).to_string().as_bytes()));
    assert_eq!(queued.status, 202);
    let arrived = now();
    let _worker = system.work(&[]);
    eventually("the queued batch", || (rows(&system) == 6).then_some(()));
    let form = format!("app=1&level=ERROR&message=m&timestamp={micros}&attributes=%7B%22a%22%3A1%7D&trace_id=t");
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let form = api.send("POST", "/api/logs/", &headers, Some(form.as_bytes())).json();
    assert_eq!(
        (&form["created_at"], &form["attributes"], &form["trace_id"]),
        (&json!(text(hour_ago)), &json!({"a": 1}), &json!("t"))
    );

    let logs = api.get("/api/logs/").json();
    let logs: Vec<&Value> = logs.as_array().unwrap().iter().collect();
    let plain: Vec<_> = logs.iter().filter(|log| log["message"] == "plain").collect();
    assert!(plain.len() == 2 && plain.iter().all(|log| log.as_object().unwrap().len() == 5), "{plain:?}");
    let traced: Vec<_> = logs.iter().filter(|log| log["span_id"] == "b7ad6b7169203331").collect();
    assert!(traced.len() == 4 && traced.iter().all(|log| log["attributes"]["n"]["deep"][0] == 1), "{traced:?}");
    let timed: Vec<_> = traced.iter().filter(|log| log["created_at"] == text(hour_ago)).collect();
    assert_eq!(timed.len(), 2);
    for log in timed {
        assert!(time(&log["received_at"]) <= arrived, "the arrival, not when it was stored: {log}");
    }
    // Sent again, an event is answered with all that the first carried.
    let again = api.post("/api/logs/", &json!({"app": 1, "level": "INFO", "message": "x", "event_id": "e0"}));
    assert_eq!(
        (again.header("idempotent-replayed"), &again.json()["trace_id"]),
        (Some("true"), &json!("4bf92f3577b34da6a3ce929d0e0e4736"))
    );
    verify(&system);
}

#[test]
fn each_wrong_field_is_named_with_what_is_expected() {
    let system = System::new();
    let api = system.serve();
    let wrong = json!({
        "app": 1, "level": "INFO", "message": "m", "timestamp": "yesterday", "attributes": [], "trace_id": "x".repeat(65), "span_id": true,
    });
    let answer = api.post("/api/logs/", &wrong);
    let errors = json!({
        "timestamp": ["Expected a time with its zone, such as 2026-11-23T04:00:27.395147Z, or the seconds, milli-, micro- or nanoseconds since 1970."],
        "attributes": ["Expected a dictionary of items but got type \"list\"."],
        "trace_id": ["Ensure this field has no more than 64 characters."],
        "span_id": ["Not a valid string."],
    });
    assert_eq!((answer.status, answer.json()), (400, errors.clone()));
    let right = json!({"app": 1, "level": "INFO", "message": "m"});
    let answer = api.post("/api/logs/", &json!([wrong, right])).json();
    assert_eq!(answer, json!({"accepted": 1, "duplicate": 0, "rejected": [{"index": 0, "errors": errors}]}));
    assert_eq!(rows(&system), 1);
}
