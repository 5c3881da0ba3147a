//! Messages that Celery 5.7 itself put on a list, what is made of them, and every kind of message that is none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const SAMPLES: &str = include_str!("../../tests/data/celery_messages.json");

fn samples() -> Vec<(String, String)> {
    serde_json::from_str(SAMPLES).unwrap()
}

fn sample(name: &str) -> String {
    samples().into_iter().find(|(of, _)| of.starts_with(name)).unwrap().1
}

fn body(message: &Value) -> Value {
    serde_json::from_slice(&STANDARD.decode(message["body"].as_str().unwrap()).unwrap()).unwrap()
}

/// A message with one part changed by hand.
fn changed(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut message = serde_json::from_str(&sample("01")).unwrap();
    change(&mut message);
    message.to_string().into_bytes()
}

fn with_body(text: &[u8]) -> Vec<u8> {
    changed(|message| message["body"] = json!(STANDARD.encode(text)))
}

fn refused(raw: &[u8]) -> String {
    TaskMessage::decode(raw).unwrap_err().to_string()
}

#[test]
fn celerys_own_messages_are_read() {
    assert!(samples().len() >= 20);
    for (name, raw) in samples() {
        let message = TaskMessage::decode(raw.as_bytes()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let theirs: Value = serde_json::from_str(&raw).unwrap();
        let headers = &theirs["headers"];
        let id = |id: &Option<TaskId>| json!(id.as_ref().map(TaskId::as_str));
        for (header, ours) in [
            ("task", json!(message.task)),
            ("id", json!(message.id)),
            ("retries", json!(message.retries)),
            ("root_id", json!(message.root_id)),
            ("parent_id", id(&message.parent_id)),
            ("group", json!(message.group)),
            ("group_index", json!(message.group_index)),
            ("ignore_result", json!(message.result == ResultPolicy::Ignore)),
            ("argsrepr", json!(message.args_repr())),
            ("kwargsrepr", json!(message.kwargs_repr())),
        ] {
            assert_eq!(ours, headers[header], "{name}: {header}");
        }
        for (header, ours) in [("eta", message.eta), ("expires", message.expires)] {
            assert_eq!(ours, headers[header].as_str().map(|time| time.parse().unwrap()), "{name}: {header}");
        }
        let (args, kwargs) = message.arguments.write_json();
        let ours: Value = serde_json::from_str(&format!("[{args}, {kwargs}]")).unwrap();
        assert_eq!(ours, json!([body(&theirs)[0], body(&theirs)[1]]), "{name}");
    }
    let seven = TaskMessage::decode(sample("07").as_bytes()).unwrap();
    assert_eq!(seven.limits.hard.zip(seven.limits.soft), Some((Duration::from_secs(60), Duration::from_secs(50))));
    let stamped = TaskMessage::decode(sample("12").as_bytes()).unwrap();
    assert_eq!(stamped.stamps.iter().map(|(n, v)| (n.as_str(), v.get())).collect::<Vec<_>>(), [("tenant", "\"t9\"")]);
    assert_eq!(TaskMessage::decode(sample("05").as_bytes()).unwrap().queue, "emails");
}

#[test]
fn a_retry_changes_what_celery_changes_and_nothing_else() {
    let raw = sample("22");
    let again = TaskMessage::decode(raw.as_bytes()).unwrap().retry("2026-11-22T12:05:54.252152Z".parse().unwrap());
    let [mut ours, theirs]: [Value; 2] =
        [&again.message, &samples().into_iter().filter(|(n, _)| n.starts_with("22")).nth(1).unwrap().1]
            .map(|raw| serde_json::from_str(raw).unwrap());
    assert_eq!(ours["properties"]["delivery_tag"], again.delivery_tag);
    assert_eq!(ours["headers"], theirs["headers"]);
    assert_eq!(ours["body"], theirs["body"]);
    let before: Value = serde_json::from_str(&raw).unwrap();
    assert_ne!(ours["properties"]["delivery_tag"], before["properties"]["delivery_tag"]);
    ours["properties"]["delivery_tag"] = before["properties"]["delivery_tag"].clone();
    assert_eq!(ours["properties"], before["properties"]);

    // Headers of a producer's own are not read, and so not rounded either.
    let raw = raw.replacen("\"stamps\": {}", "\"stamps\": {}, \"x-big\": 123456789012345678901234567890", 1);
    let again = TaskMessage::decode(raw.as_bytes()).unwrap().retry(DateTime::default());
    assert!(again.message.contains("\"x-big\": 123456789012345678901234567890"));
}

#[test]
fn numbers_that_json_has_not_are_read_or_refused() {
    let nothing = "{\"callbacks\": null, \"errbacks\": null, \"chain\": null, \"chord\": null}";
    let of = |args: &str| with_body(format!("[{args}, {{}}, {nothing}]").as_bytes());
    let arguments = |args: &str| TaskMessage::decode(&of(args)).unwrap().arguments.write_json().0;
    assert_eq!(arguments("[123456789012345678901234567890, 1e400]"), "[123456789012345678901234567890,1e400]");
    assert_eq!(arguments("[Infinity, -Infinity, \"NaN\"]"), "[1e999,-1e999,\"NaN\"]");
    assert!(refused(&of("[NaN]")).starts_with("the body is not [args, kwargs, embed] as JSON"));
    let extended = r#"[{"__type__": "bytes", "__value__": "ab"}]"#;
    assert_eq!(arguments(extended), extended);
}

#[test]
fn a_body_may_be_plain_text_or_compressed() {
    let plain = changed(|message| {
        let text = body(message).to_string();
        message["body"] = json!(text);
        message["properties"].as_object_mut().unwrap().remove("body_encoding");
    });
    assert_eq!(TaskMessage::decode(&plain).unwrap().args_repr(), "(2,)");
    let zlib = |bytes: &[u8]| {
        let mut packed = Vec::new();
        let mut packer = flate2::read::ZlibEncoder::new(bytes, flate2::Compression::fast());
        std::io::Read::read_to_end(&mut packer, &mut packed).unwrap();
        packed
    };
    let compressed = |method: &str, bytes: &[u8]| {
        changed(|message| {
            message["headers"]["compression"] = json!(method);
            message["body"] = json!(STANDARD.encode(bytes));
        })
    };
    let packed = compressed("application/x-gzip", &zlib(b"[[1], {}, null]"));
    assert_eq!(TaskMessage::decode(&packed).unwrap().arguments.args_repr(), "(1,)");
    // By the zstd of Python's backports.
    let zstd = STANDARD.decode("KLUv/SAPeQAAW1sxXSwge30sIG51bGxd").unwrap();
    let packed = compressed("application/zstd", &zstd);
    assert_eq!(TaskMessage::decode(&packed).unwrap().arguments.args_repr(), "(1,)");
    let refused = refused(&compressed("application/x-bz2", b""));
    assert!(refused.contains("application/x-bz2 is not taken"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _read = TaskMessage::decode(&bytes);
    }

    // A part cut out of a real message, or a part put in: most of these are nearly right.
    #[test]
    fn decoding_what_is_nearly_a_message_never_panics(
        of in 0_usize..20, at in 0_usize..1_000, cut in 0_usize..40, put in "(null|\\[\\]|\\{\\}|\"|,|0|-1e999|NaN|\\\\u[0-9a-f]{4}|[a-z]{0,3})",
    ) {
        let raw = samples()[of].1.clone();
        let at = raw.len() * at / 1_000;
        let mut bytes = raw.into_bytes();
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, put.into_bytes());
        if let Ok(message) = TaskMessage::decode(&bytes) {
            let outcome = crate::celery::Outcome::Success(serde_json::from_str("1").unwrap());
            message.sequel(&outcome, DateTime::default());
            prop_assert!(TaskMessage::decode(message.retry(DateTime::default()).message.as_bytes()).is_ok());
        }
    }

    #[test]
    fn decoding_what_is_nearly_a_body_never_panics(
        of in 0_usize..20, at in 0_usize..1_000, cut in 0_usize..40, put in "(null|\\[\\]|\\{\\}|\"|,|0|NaN|\"task\"|[a-z]{0,3})",
    ) {
        let mut message: Value = serde_json::from_str(&samples()[of].1).unwrap();
        let mut bytes = STANDARD.decode(message["body"].as_str().unwrap()).unwrap();
        let at = bytes.len() * at / 1_000;
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, put.into_bytes());
        message["body"] = json!(STANDARD.encode(&bytes));
        if let Ok(message) = TaskMessage::decode(message.to_string().as_bytes()) {
            let failure = crate::celery::Outcome::Failure(crate::celery::Exception::failed("x"));
            for part in message.sequel(&failure, DateTime::default()).parts {
                part.complete(std::slice::from_ref(&part.member), None, DateTime::default());
            }
        }
    }
}
