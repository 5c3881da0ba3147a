//! Requests and replies beside those that Celery 5.7 sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;

const SAMPLES: &str = include_str!("../../tests/data/celery_control.json");

fn sample(name: &str) -> String {
    let samples: Map<String, Value> = serde_json::from_str(SAMPLES).unwrap();
    samples[name].as_str().unwrap().to_owned()
}

/// The message with its body read, and without what is new in each.
fn open(message: &str) -> Value {
    let mut message: Value = serde_json::from_str(message).unwrap();
    let body = STANDARD.decode(message["body"].as_str().unwrap()).unwrap();
    message["body"] = serde_json::from_slice(&body).unwrap();
    assert!(message["properties"]["delivery_tag"].take().is_string());
    message
}

fn node(name: &str) -> NodeName {
    serde_json::from_value(json!(name)).unwrap()
}

#[test]
fn celerys_request_gets_celerys_reply() {
    let clock = LamportClock::default();
    let request = Request::decode(sample("request").as_bytes(), &clock).unwrap();
    assert_eq!((request.method.as_str(), clock.value()), ("ping", 2));
    assert!(request.is_for(&node("w1@host")));
    let reply = request.reply(&node("w1@host"), &json!({"ok": "pong"}), &clock).unwrap();
    let (to, message) = reply.unwrap();
    assert_eq!(to.queue(), "46f9b5d0-ecf0-3984-8770-26b2fd5d0450.reply.celery.pidbox");
    assert_eq!(open(&message), open(&sample("reply")));
    let read = request.read_reply(message.as_bytes(), &clock).unwrap();
    assert_eq!(json!(read), json!({"w1@host": {"ok": "pong"}}));
    let other = Request { ticket: json!("other"), ..request };
    assert!(other.read_reply(message.as_bytes(), &clock).is_err());
}

#[test]
fn our_hello_is_celerys() {
    let arguments = Map::from_iter([("from_node".to_owned(), json!("w1@host")), ("revoked".to_owned(), json!([]))]);
    let ours = Request::to_all("hello", arguments);
    let mut ours = open(&ours.encode(&LamportClock::default(), 1_795_348_441.913_516).unwrap());
    let mut theirs = open(&sample("hello"));
    for message in [&mut ours, &mut theirs] {
        assert!(message["body"]["ticket"].take().is_string());
        assert!(message["body"]["reply_to"]["routing_key"].take().is_string());
    }
    assert_eq!(ours, theirs);
}

#[test]
fn a_request_is_for_those_that_it_names() {
    let clock = LamportClock::default();
    let request = Request::decode(sample("request").as_bytes(), &clock).unwrap();
    let with = |destination: &[&str], pattern: Option<&str>, matcher: Option<&str>| Request {
        destination: Some(destination.iter().map(|name| node(name)).collect()),
        pattern: pattern.map(str::to_owned),
        matcher: matcher.map(str::to_owned),
        ..request.clone()
    };
    let me = node("w1@host");
    for (expected, request) in [
        (true, with(&[], None, None)),
        (true, with(&["w1@host", "w2@host"], None, None)),
        (false, with(&["w2@host"], Some("w*"), Some("glob"))),
        (true, with(&[], Some("w*"), Some("glob"))),
        (false, with(&[], Some("x*"), Some("glob"))),
        (true, with(&[], Some("w.@"), Some("pcre"))),
        (true, with(&[], Some("x*"), None)),
    ] {
        assert_eq!(request.is_for(&me), expected, "{request:?}");
    }
}

#[test]
fn what_is_no_request_is_refused() {
    let clock = LamportClock::default();
    for bad in [
        "",
        "{}",
        &sample("request").replace("application/json", "application/x-python-serialize"),
        &sample("request").replace("\"base64\"", "\"rot13\""),
        &sample("request").replace("{\"body\": \"", "{\"body\": \"!"),
    ] {
        assert!(Request::decode(bad.as_bytes(), &clock).is_err(), "{bad}");
    }
}
