//! Every kind of message that cannot be run: each becomes a dead letter with its reason, and stops nobody.

use std::collections::HashMap;

use logmon_core::celery::{Arguments, NewTask, Status, TaskId};
use logmon_store::testing::process::eventually;
use logmon_store::testing::system::System;
use serde_json::{Value, json};

const NOOP: &str = "log_monitor_system.apps.core.tasks.noop";

/// A message and what its dead letter says.
struct Bad {
    raw: Vec<u8>,
    reason: &'static str,
}

#[derive(Default)]
struct Table(Vec<Bad>);

impl Table {
    /// A message that could be run, but for this change.
    fn but(&mut self, reason: &'static str, change: impl FnOnce(&mut Value)) {
        let n = self.0.len();
        let mut message = json!({
            "body": "[[1], {}, {\"callbacks\": null, \"errbacks\": null, \"chain\": null, \"chord\": null}]",
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {"task": NOOP, "id": format!("bad-{n}"), "argsrepr": "(1,)"},
            "properties": {
                "delivery_info": {"exchange": "", "routing_key": "celery"},
                "delivery_tag": format!("tag-{n}"),
            },
        });
        change(&mut message);
        self.raw(message.to_string().as_bytes(), reason);
    }

    /// The same, changed as text.
    fn edited(&mut self, from: &str, to: &[u8], reason: &'static str) {
        self.but(reason, |_| ());
        if let Some(bad) = self.0.last_mut() {
            let good = String::from_utf8(bad.raw.clone()).unwrap();
            let (before, after) = good.split_once(from).unwrap();
            bad.raw = [before.as_bytes(), to, after.as_bytes()].concat();
        }
    }

    fn raw(&mut self, raw: &[u8], reason: &'static str) {
        self.0.push(Bad { raw: raw.to_vec(), reason });
    }

    fn each(&mut self, part: &str, name: &str, values: &[Value], reason: &'static str) {
        for value in values {
            self.but(reason, |message| message[part][name] = value.clone());
        }
    }

    fn header(&mut self, name: &str, values: &[Value], reason: &'static str) {
        self.each("headers", name, values, reason);
    }

    fn top(&mut self, name: &str, values: &[Value], reason: &'static str) {
        for value in values {
            self.but(reason, |message| message[name] = value.clone());
        }
    }

    fn body(&mut self, bodies: &[&str], reason: &'static str) {
        for body in bodies {
            self.but(reason, |message| message["body"] = json!(body));
        }
    }

    fn embed(&mut self, embed: &Value, reason: &'static str) {
        self.but(reason, |message| message["body"] = json!(json!([[1], {}, embed]).to_string()));
    }
}

fn envelopes(table: &mut Table) {
    for raw in ["", "hello", "[]", "null", "5", "\"text\"", "{", "{\"a\": 1}{\"b\": 2}", "\u{feff}{}", "{'a': 1}"] {
        table.raw(raw.as_bytes(), if raw == "[]" { "no properties" } else { "not a JSON object" });
    }
    table.raw(b"{}", "no properties");
    table.raw(b"\xff\xfe\x00", "not a JSON object");
    table.top("properties", &[json!(null), json!("x"), json!(5), json!([])], "properties");
    table.each("properties", "delivery_tag", &[json!(null), json!(5), json!(["x"])], "no delivery_tag");
    let infos = [json!(null), json!("x"), json!([]), json!({"exchange": ""}), json!({"routing_key": "celery"})];
    table.each("properties", "delivery_info", &infos, "no delivery_info");
    table.top("headers", &[json!(null), json!("x"), json!(5), json!([]), json!(["a", "b"])], "its headers");
    table.but("missing field `headers`", |message| drop(message.as_object_mut().unwrap().remove("headers")));
    table.edited("\"argsrepr\"", b"\"id\": \"x\", \"argsrepr\"", "duplicate field `id`");
    table.edited("(1,)", b"\xff", "not a Celery message");
    table.edited("(1,)", b"\\ud800", "not a JSON object");
}

fn headers(table: &mut Table) {
    let no_text = [json!(5), json!([]), json!({}), json!(true)];
    table.header("task", &no_text, "`task` must be text");
    table.header("task", &[json!(null)], "`task` must be text");
    table.header("id", &no_text, "`id` must be text");
    table.header("id", &[json!(null), json!("")], "`id` must be text");
    table.but("`id` must be text", |message| drop(message["headers"].as_object_mut().unwrap().remove("id")));
    table.but("protocol 1 is not taken", |message| {
        message["headers"] = json!({});
        message["body"] = json!(json!({"task": NOOP, "id": "v1", "args": [1], "kwargs": {}}).to_string());
    });
    for (name, reason) in [
        ("root_id", "`root_id` must be text"),
        ("parent_id", "`parent_id` must be text"),
        ("group", "`group` must be text"),
        ("argsrepr", "`argsrepr` must be text"),
        ("kwargsrepr", "`kwargsrepr` must be text"),
    ] {
        table.header(name, &[json!(5), json!(["x"])], reason);
    }
    table.header("group_index", &[json!("1"), json!(1.5), json!([])], "`group_index` must be a whole number");
    let retries = [json!(-1), json!(1.5), json!("0"), json!([]), json!(99_999_999_999_u64)];
    table.header("retries", &retries, "`retries` must be a whole number from 0 on");
    let times = [json!("soon"), json!(""), json!(5), json!([]), json!(true), json!("2026-13-01T00:00:00+00:00")];
    table.header("eta", &times, "`eta` must be an ISO 8601 time");
    table.header("expires", &times, "`expires` must be an ISO 8601 time");
    let limits = [json!(5), json!("x"), json!([1]), json!([1, 2, 3]), json!(["a", "b"]), json!([-1, null]), json!({})];
    table.header("timelimit", &limits, "`timelimit` must be two numbers");
    table.header("ignore_result", &[json!("yes"), json!(1), json!([])], "`ignore_result` must be true or false");
    table.header("stamps", &[json!(5), json!([]), json!("x")], "`stamps` must be an object");
    for names in [json!(5), json!("x"), json!([1])] {
        table.but("`stamped_headers` must be a list of text", |message| {
            message["headers"]["stamps"] = json!({"a": 1});
            message["headers"]["stamped_headers"] = names;
        });
    }
}

fn bodies(table: &mut Table) {
    let serializers = ["application/x-python-serialize", "application/x-yaml", "application/x-msgpack", "text/plain"];
    table.top("content-type", &serializers.map(|name| json!(name)), "the content-type must be application/json");
    table.top("content-type", &[json!(null), json!(5)], "the content-type must be application/json, not none");
    table.top("content-encoding", &[json!("utf-16"), json!("latin-1"), json!(5)], "the content-encoding must be utf-8");
    table.header("compression", &[json!(5)], "`compression` must be text");
    let methods = ["application/x-bz2", "application/x-lzma", "application/x-brotli", "rot13"];
    table.header("compression", &methods.map(|name| json!(name)), "is not taken");
    let packed = ["application/x-gzip", "application/zstd"];
    table.header("compression", &packed.map(|name| json!(name)), "cannot be decompressed");
    let encodings = [json!("rot13"), json!(5), json!("")];
    table.each("properties", "body_encoding", &encodings, "`body_encoding` must be base64 or utf-8");
    table.top("body", &[json!(null), json!(5), json!([]), json!({})], "the body must be text");
    for (body, reason) in [("!!!", "is not base64"), ("AAA", "is not base64"), ("//79", "is not UTF-8")] {
        table.but(reason, |message| {
            message["body"] = json!(body);
            message["properties"]["body_encoding"] = json!("base64");
        });
    }
    let shape = "the body is not [args, kwargs, embed] as JSON";
    table.body(&["", "text", "null", "5", "{}", "[]", "[[]]", "[[], {}]", "[[], {}, null, 4]", "[[], {}, null"], shape);
    table.body(&["[[], {}, null] x", "[[1e], {}, null]", "[[\"open], {}, null]", "[[NaN], {}, null]"], shape);
    table.body(&["[{}, {}, null]", "[\"x\", {}, null]", "[null, {}, null]", "[5, {}, null]"], shape);
    table.body(&["[[], [], null]", "[[], null, null]", "[[], \"x\", null]", "[[], 5, null]"], shape);
    table.body(&["[[], {}, []]", "[[], {}, \"x\"]", "[[], {}, 5]", "[[], {}, true]"], shape);
}

fn workflows(table: &mut Table) {
    let sig = |options: &Value| json!({"task": "t", "args": [], "kwargs": {}, "options": options});
    for part in ["callbacks", "errbacks", "chain"] {
        table.embed(&json!({part: 5}), "a list of signatures is expected");
        table.embed(&json!({part: [5]}), "a signature must be an object");
        table.embed(&json!({part: [{}]}), "the task of a signature must be text");
    }
    table.embed(&json!({"chord": 5}), "in its chord: a signature must be an object");
    table.embed(&json!({"chord": []}), "in its chord: a signature must be an object");
    table.embed(&json!({"callbacks": [{"task": "t", "args": 5}]}), "the arguments of a signature are wrong");
    table.embed(&json!({"callbacks": [{"task": "t", "kwargs": []}]}), "the arguments of a signature are wrong");
    table.embed(&json!({"callbacks": [sig(&json!([]))]}), "the options of a signature must be an object");
    table.embed(&json!({"callbacks": [sig(&json!({"queue": 5}))]}), "`queue` of a signature must be text");
    table
        .embed(&json!({"callbacks": [sig(&json!({"countdown": "x"}))]}), "`countdown` of a signature must be a number");
    table.embed(
        &json!({"callbacks": [sig(&json!({"priority": 1.5}))]}),
        "`priority` of a signature must be a whole number",
    );
    table.embed(&json!({"callbacks": [sig(&json!({"expires": "x"}))]}), "`expires` of a signature must be");
    table.embed(&json!({"callbacks": [{"task": "t", "immutable": 5}]}), "`immutable` of a signature must be");
    table.embed(&json!({"callbacks": [{"task": "t", "subtask_type": "starmap"}]}), "the subtask_type of a signature");
    table.embed(&json!({"chain": [{"task": "t", "subtask_type": "chain"}]}), "must have `tasks`");
    table.embed(&json!({"chain": [{"task": "t", "subtask_type": "chord"}]}), "must have `header` and `body`");
}

#[test]
fn each_is_a_dead_letter_with_its_reason_and_stops_nobody() {
    let system = System::new();
    let mut table = Table::default();
    envelopes(&mut table);
    headers(&mut table);
    bodies(&mut table);
    workflows(&mut table);
    assert!(table.0.len() >= 150, "{}", table.0.len());

    let worker = system.work(&[]);
    for bad in &table.0 {
        system.broker.push("celery", &bad.raw);
    }
    let good = NewTask::new(NOOP, "celery", Arguments::from_json("[1]", "{}").unwrap());
    system.broker.broker.enqueue(&good).unwrap();
    let status = |id: &TaskId| system.broker.broker.result(id).unwrap().status;
    eventually("the task behind them", || (status(&good.id) == Status::Success).then_some(()));
    let letters = eventually("all dead letters", || {
        Some(system.broker.dead_letters()).filter(|letters| letters.len() == table.0.len())
    });
    assert_eq!(system.broker.in_flight(), 0);
    let reasons: HashMap<String, String> = letters.into_iter().collect();
    for bad in &table.0 {
        let raw = String::from_utf8_lossy(&bad.raw).into_owned();
        let reason = reasons.get(&raw).unwrap_or_else(|| panic!("no dead letter for {raw}"));
        assert!(reason.contains(bad.reason), "{raw}: {reason:?} and not {:?}", bad.reason);
        // Whoever waits for it is told, where its id can be read.
        let named =
            serde_json::from_slice::<Value>(&bad.raw).ok().and_then(|m| Some(m["headers"]["id"].as_str()?.to_owned()));
        let at_once = ["not a JSON", "properties", "no delivery"].iter().any(|word| bad.reason.starts_with(word));
        if let Some(id) = named.filter(|id| !at_once && !id.is_empty()) {
            assert_eq!(status(&TaskId(id)), Status::Failure, "{raw}");
        }
    }
    assert!(worker.said().contains("a message is a dead letter now"));
}

#[test]
fn what_ended_its_workers_too_often_has_failed_and_so_has_what_follows() {
    let system = System::new();
    let next = json!({"task": NOOP, "args": [], "kwargs": {}, "options": {"task_id": "next"}});
    let mut table = Table::default();
    table.embed(&json!({"chain": [next]}), "ended its worker 5 times");
    system.broker.died_of("tag-0", 5);
    system.broker.push("celery", &table.0[0].raw);
    let _worker = system.work(&[]);
    for id in ["bad-0", "next"] {
        let status = || system.broker.broker.result(&TaskId(id.to_owned())).unwrap().status;
        eventually(id, || (status() == Status::Failure).then_some(()));
    }
    let letters = system.broker.dead_letters();
    let raw = String::from_utf8(table.0[0].raw.clone()).unwrap();
    assert_eq!(letters, [(raw, "ended its worker 5 times".to_owned())]);
    assert_eq!(system.broker.in_flight(), 0);
}
