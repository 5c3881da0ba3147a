//! Our events beside those that Celery 5.7 published.

use base64::Engine as _;
use serde_json::Value;

use super::*;
use crate::celery::Arguments;

const SAMPLES: &str = include_str!("../../tests/data/celery_events.json");

#[derive(Deserialize)]
struct Samples {
    /// Each a channel and a message.
    messages: Vec<(String, String)>,
    /// Bodies of further events of tasks.
    task_bodies: Vec<Value>,
}

fn samples() -> Samples {
    serde_json::from_str(SAMPLES).unwrap()
}

fn body(message: &str) -> Value {
    let message: Value = serde_json::from_str(message).unwrap();
    serde_json::from_slice(
        &base64::engine::general_purpose::STANDARD.decode(message["body"].as_str().unwrap()).unwrap(),
    )
    .unwrap()
}

#[test]
fn celerys_events_are_published_as_celery_does() {
    let samples = samples();
    assert_eq!(samples.messages.len(), 7);
    for (channel, message) in samples.messages {
        let stamped = decode(message.as_bytes()).unwrap().remove(0);
        let clock = LamportClock::default();
        (1..stamped.clock).for_each(|time| assert_eq!(clock.forward(), time));
        let publisher = Publisher { node: &stamped.hostname, pid: stamped.pid, clock: &clock };
        let micros: i64 = format!("{:.0}", (stamped.timestamp * 1_000_000.0).round()).parse().unwrap();
        let at = DateTime::from_timestamp_micros(micros).unwrap();
        let ours = match channel.rsplit_once('/').unwrap().1 {
            "task.multi" => publisher.tasks(vec![(stamped.event, at)]),
            "task.sent" => publisher.sent(stamped.event, at),
            _ => publisher.worker(stamped.event, at),
        };
        let ours = ours.unwrap();
        assert_eq!(format!("/0.{EXCHANGE}/{}", ours.routing_key), channel);

        let (mut theirs_body, mut ours_body) = (body(&message), body(&ours.message));
        let event = |body: &mut Value| if body.is_array() { body[0].take() } else { body.take() };
        let (mut theirs_event, mut ours_event) = (event(&mut theirs_body), event(&mut ours_body));
        assert_eq!(theirs_body.is_array(), ours_body.is_array());
        assert_eq!(theirs_event.as_object_mut().unwrap().remove("utcoffset"), Some(0.0.into()));
        // Python's clock has digits below the microsecond.
        for timed in [&mut theirs_event, &mut ours_event] {
            let micros = (timed["timestamp"].as_f64().unwrap() * 1_000_000.0).round();
            timed["timestamp"] = micros.into();
        }
        assert_eq!(ours_event, theirs_event);

        let envelope = |message: &str| {
            let mut message: Value = serde_json::from_str(message).unwrap();
            message["body"] = Value::Null;
            assert!(message["properties"]["delivery_tag"].take().is_string());
            message
        };
        assert_eq!(envelope(&ours.message), envelope(&message));
    }
}

#[test]
fn every_kind_of_task_event_has_celerys_fields() {
    let mut kinds = std::collections::BTreeSet::new();
    for mut theirs in samples().task_bodies {
        let stamped: Stamped = serde_json::from_value(theirs.clone()).unwrap();
        let ours = serde_json::to_value(stamped).unwrap();
        kinds.insert(theirs["type"].as_str().unwrap().to_owned());
        theirs.as_object_mut().unwrap().remove("utcoffset");
        assert_eq!(ours, theirs);
    }
    let expected = ["task-failed", "task-received", "task-retried", "task-revoked", "task-started", "task-succeeded"];
    assert!(kinds.iter().eq(expected.iter()), "{kinds:?}");
}

#[test]
fn a_task_that_is_sent_and_sent_again_is_described_as_celery_does() {
    let (_, sample) = samples().messages.into_iter().find(|(channel, _)| channel.ends_with("task.sent")).unwrap();
    let Event::TaskSent { task: theirs, .. } = decode(sample.as_bytes()).unwrap().remove(0).event else { panic!() };
    let task = NewTask {
        id: theirs.uuid.clone(),
        ..NewTask::new("proj.add", "celery", Arguments::from_json("[1, 2]", "{}").unwrap())
    };
    let queue = "celery".to_owned();
    let sent =
        |task| Event::TaskSent { task, queue: queue.clone(), exchange: String::new(), routing_key: queue.clone() };
    assert_eq!(Event::sent(&task), sent(theirs.clone()));
    let first = TaskMessage::decode(task.encode("o").as_bytes()).unwrap();
    let eta = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let again = TaskMessage::decode(first.retry(eta).message.as_bytes()).unwrap();
    let described = Described {
        retries: 1,
        parent_id: theirs.root_id.clone(),
        eta: Some("2027-01-15T08:00:00.000000+00:00".to_owned()),
        ..theirs
    };
    assert_eq!(Event::sent_again(&again), sent(described));
}

#[test]
fn an_exception_shows_as_in_python() {
    assert_eq!(Exception::bad_arguments("it's").repr(), "TypeError(\"it's\")");
    assert_eq!(Exception::not_registered("proj.nope").repr(), "NotRegistered('proj.nope')");
}
