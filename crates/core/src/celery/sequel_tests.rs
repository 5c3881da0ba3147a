//! What follows a task, beside what Celery 5.7 sent for the same workflows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;

const MESSAGES: &str = include_str!("../../tests/data/celery_messages.json");
const RESULTS: &str = include_str!("../../tests/data/celery_results.json");

fn sample(list: &str, name: &str, at: usize) -> String {
    let samples: Vec<(String, String)> = serde_json::from_str(list).unwrap();
    samples.into_iter().filter(|(of, _)| of.starts_with(name)).nth(at).unwrap().1
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn success(json: &str) -> Outcome {
    Outcome::Success(serde_json::from_str(json).unwrap())
}

fn failure() -> Outcome {
    Outcome::Failure(Exception::failed("boom"))
}

/// A task with this embed, in group `g` at place 0.
fn task(embed: &Value) -> TaskMessage {
    let mut message = value(&sample(MESSAGES, "01", 0));
    message["headers"]["group"] = json!("g");
    message["headers"]["group_index"] = json!(0);
    message["headers"]["id"] = json!("me");
    message["headers"]["root_id"] = json!("root");
    message["body"] = json!(STANDARD.encode(json!([[], {}, embed]).to_string()));
    TaskMessage::decode(message.to_string().as_bytes()).unwrap()
}

fn sig(task: &str, args: &Value, options: &Value) -> Value {
    json!({"task": task, "args": args, "kwargs": {}, "options": options, "subtask_type": null, "immutable": false})
}

fn group(tasks: &[Value]) -> Value {
    json!({"task": "celery.group", "args": [], "kwargs": {"tasks": tasks}, "options": {}, "subtask_type": "group", "immutable": false})
}

fn chain(tasks: &[Value]) -> Value {
    json!({"task": "celery.chain", "args": [], "kwargs": {"tasks": tasks}, "options": {}, "subtask_type": "chain", "immutable": false})
}

fn chord(header: &[Value], body: &Value) -> Value {
    json!({"task": "celery.chord", "args": [], "kwargs": {"header": group(header), "body": body, "kwargs": {}}, "options": {}, "subtask_type": "chord", "immutable": false})
}

/// What was sent: the envelope with its body read.
fn sent(sequel: &Sequel) -> Vec<Value> {
    let open = |task: &NewTask| {
        let mut message = value(&task.encode("o"));
        message["body"] =
            value(&String::from_utf8(STANDARD.decode(message["body"].as_str().unwrap()).unwrap()).unwrap());
        message
    };
    sequel.messages.iter().map(open).collect()
}

/// Task, arguments and parent of each that was sent.
fn calls(sequel: &Sequel) -> Vec<Value> {
    let call = |m: Value| json!([m["headers"]["task"], m["body"][0], m["headers"]["parent_id"]]);
    sent(sequel).into_iter().map(call).collect()
}

#[test]
fn the_second_of_a_chain_is_sent_as_celery_sends_it() {
    // chain(add.s(1, 2), add.s(3)), as it was sent before: the second's id is the one that Celery gave it.
    let theirs = value(&sample(MESSAGES, "50", 0));
    let headers = &theirs["headers"];
    let first = json!({"chain": [sig("proj.add", &json!([3]), &json!({"task_id": headers["id"], "reply_to": theirs["properties"]["reply_to"]}))]});
    let mut message = task(&first);
    message.id = TaskId(headers["root_id"].as_str().unwrap().to_owned());
    message.root_id = message.id.clone();
    message.group = None;
    let sequel = message.sequel(&success("3"), DateTime::default());
    let ours = &sent(&sequel)[0];
    assert_eq!(
        ours["body"],
        value(&String::from_utf8(STANDARD.decode(theirs["body"].as_str().unwrap()).unwrap()).unwrap())
    );
    for header in headers.as_object().unwrap().keys().filter(|key| !["lang", "origin"].contains(&key.as_str())) {
        assert_eq!(ours["headers"][header], headers[header], "{header}");
    }
    assert_eq!(ours["properties"]["reply_to"], theirs["properties"]["reply_to"]);
    let document = crate::celery::ResultDocument { task: &message, children: &sequel.children, extended: None };
    let mut document = value(&document.of(&success("3"), DateTime::default()));
    let theirs = value(&sample(RESULTS, "50", 0));
    document["date_done"] = theirs["date_done"].clone();
    document["parent_id"].take();
    document.as_object_mut().unwrap().remove("parent_id");
    assert_eq!(document, theirs);
}

#[test]
fn callbacks_get_the_result_and_immutable_ones_do_not() {
    let mut immutable = sig("b", &json!([1]), &json!({"queue": "slow", "priority": 6, "expires": 60}));
    immutable["immutable"] = json!(true);
    let message = task(&json!({"callbacks": [sig("a", &json!([1]), &json!({"countdown": 10})), immutable]}));
    let sequel = message.sequel(&success("7"), DateTime::default());
    assert_eq!(calls(&sequel), [json!(["a", [7, 1], "me"]), json!(["b", [1], "me"])]);
    let sent = sent(&sequel);
    assert_eq!(sent[0]["headers"]["eta"], "1970-01-01T00:00:10.000000+00:00");
    assert_eq!(sent[0]["headers"]["root_id"], "root");
    assert_eq!(sent[1]["headers"]["expires"], "1970-01-01T00:01:00.000000+00:00");
    assert_eq!(sent[1]["properties"]["delivery_info"]["routing_key"], "slow");
    assert_eq!(sent[1]["properties"]["priority"], 6);
    // Several callbacks are a group, as in Celery; so is the child.
    let members = sequel.children[0].tuple()[1].as_array().unwrap().len();
    assert_eq!((sequel.children.len(), members), (1, 2));
    assert_eq!(sent[0]["headers"]["group"], sequel.children[0].tuple()[0][0]);
}

#[test]
fn a_failure_is_that_of_all_that_would_have_followed() {
    let step = |id: &str| sig("t", &json!([]), &json!({"task_id": id}));
    let whole = chord(&[step("h")], &step("body"));
    let message =
        task(&json!({"chain": [step("last"), whole, step("next")], "errbacks": [sig("err", &json!([2]), &json!({}))]}));
    let sequel = message.sequel(&failure(), DateTime::default());
    assert_eq!(calls(&sequel), [json!(["err", ["me", 2], "me"])]);
    let failed: Vec<&str> = sequel.failed.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(failed, ["last", "body", "next"]);
    assert!(sequel.failed.iter().all(|task| matches!(&task.outcome, Outcome::Failure(_))));
    // What is withdrawn calls no errbacks, but nobody waits for ever either.
    let sequel = message.sequel(&Outcome::Revoked(Exception::revoked()), DateTime::default());
    assert_eq!((sequel.messages.len(), sequel.failed.len()), (0, 3));
}

#[test]
fn a_group_in_a_chain_waits_for_all_before_the_next() {
    let message = task(&json!({"callbacks": [chain(&[
        sig("a", &json!([]), &json!({})),
        group(&[sig("b", &json!([]), &json!({})), chain(&[sig("c", &json!([]), &json!({})), sig("d", &json!([]), &json!({}))])]),
        sig("e", &json!([]), &json!({})),
        sig("f", &json!([]), &json!({})),
    ])]}));
    let mut sequel = message.sequel(&success("1"), DateTime::default());
    assert_eq!(calls(&sequel), [json!(["a", [1], "me"])]);
    // Each step is run by hand, from the message of the one before.
    let run = |task: &NewTask, result: &str| {
        let message = TaskMessage::decode(task.encode("o").as_bytes()).unwrap();
        message.sequel(&success(result), DateTime::default())
    };
    sequel = run(&sequel.messages[0], "2");
    assert_eq!(calls(&sequel).iter().map(|call| call[0].clone()).collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!((sequel.chords.len(), sequel.chords[0].size), (1, 2));
    let b = run(&sequel.messages[0], "3");
    let c = run(&sequel.messages[1], "4");
    let d = run(&c.messages[0], "5");
    assert_eq!((calls(&c)[0][0].clone(), c.parts.len()), (json!("d"), 0));
    let (part, other) = (&b.parts[0], &d.parts[0]);
    assert_eq!(part.group, sequel.chords[0].group);
    assert_eq!((part.group.as_str(), part.index, other.index), (other.group.as_str(), Some(0), Some(1)));
    let e = other.complete(&[part.member.clone(), other.member.clone()], None, DateTime::default());
    assert_eq!((calls(&e)[0][0].clone(), calls(&e)[0][1].clone()), (json!("e"), json!([[3, 5]])));
    let f = run(&e.messages[0], "6");
    assert_eq!((calls(&f)[0][0].clone(), calls(&f)[0][1].clone()), (json!("f"), json!([6])));
    assert!(run(&f.messages[0], "7").is_empty());
}

#[test]
fn a_chord_whose_header_fails_fails_its_body_and_what_follows_it() {
    let errback = sig("err", &json!([]), &json!({}));
    let body = sig(
        "sum",
        &json!([]),
        &json!({"task_id": "body", "link_error": [errback], "chain": [sig("n", &json!([]), &json!({"task_id": "next"}))]}),
    );
    let message = task(&json!({"chord": body}));
    let part = message.sequel(&failure(), DateTime::default()).parts.remove(0);
    assert_eq!(
        part.member,
        r#"[1, "me", "FAILURE", {"exc_type":"TaskError","exc_message":["boom"],"exc_module":"logmon"}]"#
    );
    let members = ["[1, \"a\", \"SUCCESS\", 2]".to_owned(), part.member.clone()];
    let sequel = part.complete(&members, None, DateTime::default());
    let failed: Vec<&str> = sequel.failed.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(failed, ["body", "next"]);
    let Outcome::Failure(error) = &sequel.failed[0].outcome else { panic!("not a failure") };
    assert_eq!(error.repr(), "ChordError(\"Dependency me raised TaskError('boom')\")");
    assert_eq!(calls(&sequel), [json!(["err", ["body"], "body"])]);
    // A body that counts for another chord counts as failed there.
    let outer = sig("outer", &json!([]), &json!({"task_id": "o"}));
    let body = sig("sum", &json!([]), &json!({"task_id": "body", "group_id": "g2", "group_index": 1, "chord": outer}));
    let part = task(&json!({"chord": body})).sequel(&failure(), DateTime::default()).parts.remove(0);
    let outer = part.complete(std::slice::from_ref(&part.member), None, DateTime::default());
    assert_eq!((outer.parts[0].group.as_str(), outer.parts[0].index), ("g2", Some(1)));
}

#[test]
fn the_results_of_groups_in_a_header_lie_in_lists_of_their_own() {
    let message = task(&json!({"chord": sig("sum", &json!([]), &json!({"task_id": "body"}))}));
    let part = message.sequel(&success("9"), DateTime::default()).parts.remove(0);
    let members =
        ["[1, \"a\", \"SUCCESS\", 1]".to_owned(), "[1, \"b\", \"SUCCESS\", Infinity]".to_owned(), part.member.clone()];
    let structure = r#"{"result": [["g", null], [[["x", null], [[["a", null], null], [["b", null], null]]], [["me", null], null]]]}"#;
    let nested = part.complete(&members, Some(structure), DateTime::default());
    assert_eq!(nested.messages[0].arguments.write_json().0, "[[[1, 1e999], 9]]");
    let flat = part.complete(&members, None, DateTime::default());
    assert_eq!(flat.messages[0].arguments.write_json().0, "[[1, 1e999, 9]]");
    // What Python wrote and JSON cannot say fails the chord; nobody waits for ever.
    let nan = part.complete(&["[1, \"a\", \"SUCCESS\", NaN]".to_owned()], None, DateTime::default());
    assert_eq!(nan.failed[0].id.as_str(), "body");
}

#[test]
fn a_chord_in_a_chord_begins_with_its_counter() {
    let inner = chord(
        &[sig("a", &json!([1]), &json!({})), sig("b", &json!([2]), &json!({}))],
        &sig("sum", &json!([]), &json!({"task_id": "i"})),
    );
    let message = task(
        &json!({"callbacks": [chord(&[inner, sig("c", &json!([]), &json!({}))], &sig("outer", &json!([]), &json!({"task_id": "o"})))]}),
    );
    let sequel = message.sequel(&success("0"), DateTime::default());
    assert_eq!(calls(&sequel).iter().map(|call| call[0].clone()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(sequel.chords.iter().map(|chord| chord.size).collect::<Vec<_>>(), [2, 2]);
    // The inner body counts for the outer chord.
    let a = TaskMessage::decode(sequel.messages[0].encode("o").as_bytes()).unwrap();
    let part = a.sequel(&success("1"), DateTime::default()).parts.remove(0);
    let body = part.complete(std::slice::from_ref(&part.member), None, DateTime::default());
    let body = TaskMessage::decode(body.messages[0].encode("o").as_bytes()).unwrap();
    assert_eq!((body.id.as_str(), body.group.as_deref()), ("i", Some(sequel.chords[1].group.as_str())));
    assert_eq!(body.sequel(&success("3"), DateTime::default()).parts.len(), 1);
}

#[test]
fn what_is_no_signature_is_refused_before_the_task_runs() {
    let mut deep = sig("t", &json!([]), &json!({}));
    for _ in 0..40 {
        deep = chain(&[deep]);
    }
    for (embed, reason) in [
        (json!({"callbacks": [5]}), "in its callbacks: a signature must be an object"),
        (json!({"callbacks": [{}]}), "in its callbacks: the task of a signature must be text"),
        (json!({"errbacks": "x"}), "in its errbacks: a list of signatures is expected"),
        (json!({"chain": [sig("t", &json!("x"), &json!({}))]}), "in its chain: the arguments of a signature are wrong"),
        (
            json!({"chord": sig("t", &json!([]), &json!({"queue": 5}))}),
            "the option `queue` of a signature must be text",
        ),
        (json!({"chain": [sig("t", &json!([]), &json!({"link": 5}))]}), "a list of signatures is expected"),
        (
            json!({"chain": [sig("t", &json!([]), &json!({"eta": "soon"}))]}),
            "`eta` of a signature must be an ISO 8601 time",
        ),
        (json!({"chain": [deep]}), "more than 32 deep"),
        (
            json!({"chord": {"task": "celery.chord", "kwargs": {}, "subtask_type": "chord"}}),
            "must have `header` and `body`",
        ),
        (json!({"chain": [{"task": "t", "subtask_type": "starmap"}]}), "must be null, chain, group or chord"),
    ] {
        let mut message = value(&sample(MESSAGES, "01", 0));
        message["body"] = json!(STANDARD.encode(json!([[], {}, embed]).to_string()));
        let refused = TaskMessage::decode(message.to_string().as_bytes()).unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
    }
}
