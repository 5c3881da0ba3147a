//! The answers of Django REST Framework 3.18, as the original gave them, request for request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::common::System;

/// What the original answered to each of these requests, in this order, from the same rows.
const ANSWERS: &str = include_str!("../data/drf_answers.json");

#[test]
fn every_answer_is_the_originals() {
    let system = System::new();
    system.database.execute(
        "INSERT INTO core_alert (id, app_id, content, is_resolved, created_at) VALUES
         (1, 1, 'x', 0, '2026-11-23 03:12:45.130878'), (2, 1, 'y', 0, '2026-11-23 03:12:45.130878'), (3, 2, 'z', 0, '2026-11-23 03:12:45.130878')",
    );
    let api = system.serve();
    let cases: Vec<Value> = serde_json::from_str(ANSWERS).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let headers: Vec<(&str, &str)> =
            case["headers"].as_object().unwrap().iter().map(|(k, v)| (k.as_str(), v.as_str().unwrap())).collect();
        let body = case["body"].as_str().map(|text| STANDARD.decode(text).unwrap());
        let (method, path) = (case["method"].as_str().unwrap(), case["path"].as_str().unwrap());
        let answer = api.send(method, path, &headers, body.as_deref());
        let allow = case["allow"].as_str();
        let ours = if answer.body.is_empty() { Value::Null } else { answer.json() };
        let agrees = case["status"] == answer.status
            && (allow.is_none() || allow == answer.header("allow"))
            && covers(&ours, &case["answer"], answer.status < 300, &api.address);
        if !agrees {
            wrong.push(format!(
                "{}: {method} {path}\n  expected {} {}\n  got {} {ours}",
                case["name"], case["status"], case["answer"], answer.status
            ));
        }
    }
    assert!(cases.len() > 300);
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Equal, but for the ids and times of new rows; a success may carry further keys, and where the parser's own words
/// follow, only that it is a parser's error is compared.
fn covers(ours: &Value, theirs: &Value, success: bool, address: &str) -> bool {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let is_log = theirs.contains_key("level") && theirs.contains_key("id");
            (success || ours.len() == theirs.len())
                && theirs.iter().all(|(key, value)| match key.as_str() {
                    "id" if is_log && value.is_i64() => ours.get(key).is_some_and(Value::is_i64),
                    "created_at" if value.is_string() => ours.get(key).is_some_and(is_time),
                    _ => ours.get(key).is_some_and(|own| covers(own, value, success, address)),
                })
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            // Lists are cut at their limit.
            (ours.len() == theirs.len() || ours.len() == 100)
                && ours.iter().zip(theirs).all(|(own, value)| covers(own, value, success, address))
        }
        (Value::String(ours), Value::String(theirs)) if theirs == "JSON parse error - " => ours.starts_with(theirs),
        (Value::String(ours), Value::String(theirs)) => *ours == theirs.replace("HOST", address),
        _ => ours == theirs,
    }
}

fn is_time(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.len() == "2026-11-23T03:12:45.130878Z".len() && text.ends_with('Z') && text.as_bytes()[10] == b'T'
}
