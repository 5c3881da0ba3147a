//! Tasks to be put on a queue, and the messages that they become.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::envelope::write_object;
use super::{Arguments, Limits, Priority, ResultPolicy, TaskId};

/// The header that says when a message was put on its queue.
const ENQUEUED_AT: &str = "x-enqueued-at";

/// A task to be put on a queue.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// Its id, under which its result will be found.
    pub id: TaskId,
    /// The registered name.
    pub task: String,
    /// The queue that it goes to.
    pub queue: String,
    /// What it is called with.
    pub arguments: Arguments,
    /// Further headers, which Celery keeps and hands to the task.
    pub headers: Map<String, Value>,
    /// How urgent it is.
    pub priority: Priority,
    /// Not to be started earlier.
    pub eta: Option<DateTime<Utc>>,
    /// Not to be started any more from then on.
    pub expires: Option<DateTime<Utc>>,
    /// How long it may run.
    pub limits: Limits,
    /// What becomes of its result.
    pub result: ResultPolicy,
    /// Where it stands in a workflow, if it does.
    pub place: Option<Box<Place>>,
}

/// Where a task stands in a workflow: what its message says of those before and after it, as JSON.
#[derive(Debug, Clone, Default)]
pub struct Place {
    pub(super) root_id: Option<String>,
    pub(super) parent_id: Option<String>,
    pub(super) group: Option<String>,
    pub(super) group_index: Option<i64>,
    pub(super) shadow: Option<String>,
    pub(super) reply_to: Option<String>,
    pub(super) stamps: Vec<(String, Box<RawValue>)>,
    pub(super) headers: Vec<(String, Box<RawValue>)>,
    pub(super) callbacks: Option<Box<RawValue>>,
    pub(super) errbacks: Option<Box<RawValue>>,
    pub(super) chain: Option<Box<RawValue>>,
    pub(super) chord: Option<Box<RawValue>>,
}

impl NewTask {
    /// A task with a new id, to be run as soon as can be, and no further headers.
    pub fn new(task: impl Into<String>, queue: impl Into<String>, arguments: Arguments) -> Self {
        Self {
            id: TaskId::random(),
            task: task.into(),
            queue: queue.into(),
            arguments,
            headers: Map::new(),
            priority: Priority::default(),
            eta: None,
            expires: None,
            limits: Limits::default(),
            result: ResultPolicy::Keep,
            place: None,
        }
    }

    /// The message as it lies on the list, as Celery writes it. `origin` names the producer, as `gen<pid>@<host>`.
    pub fn encode(&self, origin: &str) -> String {
        self.message(origin, None)
    }

    /// The same with the moment at which it is put there, in the header `x-enqueued-at` in milliseconds since 1970:
    /// Celery hands headers that it does not know to the task.
    pub fn encode_at(&self, origin: &str, enqueued_at: DateTime<Utc>) -> String {
        self.message(origin, Some(enqueued_at))
    }

    fn message(&self, origin: &str, enqueued_at: Option<DateTime<Utc>>) -> String {
        let alone = Place::default();
        let place = self.place.as_deref().unwrap_or(&alone);
        write([
            ("body", json!(STANDARD.encode(self.body(place))).to_string()),
            ("content-encoding", "\"utf-8\"".to_owned()),
            ("content-type", "\"application/json\"".to_owned()),
            ("headers", self.headers(place, origin, enqueued_at)),
            ("properties", self.properties(place)),
        ])
    }

    fn body(&self, place: &Place) -> String {
        let (args, kwargs) = self.arguments.write_json();
        let part = |part: &Option<Box<RawValue>>| part.as_ref().map_or("null", |part| part.get()).to_owned();
        let embed = write([
            ("callbacks", part(&place.callbacks)),
            ("errbacks", part(&place.errbacks)),
            ("chain", part(&place.chain)),
            ("chord", part(&place.chord)),
        ]);
        format!("[{args}, {kwargs}, {embed}]")
    }

    fn headers(&self, place: &Place, origin: &str, enqueued_at: Option<DateTime<Utc>>) -> String {
        let id = self.id.as_str();
        let time = |time: Option<DateTime<Utc>>| time.map(|time| time.to_rfc3339_opts(SecondsFormat::Micros, false));
        let seconds = |limit: Option<std::time::Duration>| limit.map(|limit| limit.as_secs_f64());
        let names: Vec<&str> = place.stamps.iter().map(|(name, _)| name.as_str()).collect();
        let stamps = place.stamps.iter().map(|(name, value)| Some((name.as_str(), value.get().into())));
        let own = [
            ("lang", json!("rust")),
            ("task", json!(self.task)),
            ("id", json!(id)),
            ("shadow", json!(place.shadow)),
            ("eta", json!(time(self.eta))),
            ("expires", json!(time(self.expires))),
            ("group", json!(place.group)),
            ("group_index", json!(place.group_index)),
            ("retries", json!(0)),
            ("timelimit", json!([seconds(self.limits.hard), seconds(self.limits.soft)])),
            ("root_id", json!(place.root_id.as_deref().unwrap_or(id))),
            ("parent_id", json!(place.parent_id)),
            ("argsrepr", json!(self.arguments.args_repr())),
            ("kwargsrepr", json!(self.arguments.kwargs_repr())),
            ("origin", json!(origin)),
            ("ignore_result", json!(self.result == ResultPolicy::Ignore)),
            ("replaced_task_nesting", json!(0)),
            ("stamped_headers", if names.is_empty() { Value::Null } else { json!(names) }),
        ];
        let stamps = ("stamps", write_object(stamps).unwrap_or_default());
        let enqueued_at = enqueued_at.map(|at| (ENQUEUED_AT, at.timestamp_millis().to_string()));
        let own = own.into_iter().map(|(name, value)| (name, value.to_string())).chain([stamps]).chain(enqueued_at);
        let further: Vec<(&str, String)> = place
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.get().to_owned()))
            .chain(self.headers.iter().map(|(name, value)| (name.as_str(), value.to_string())))
            .collect();
        // What the caller says of a header of ours stands in its place.
        let own = own.filter(|(name, _)| !further.iter().any(|(other, _)| other == name));
        let all: Vec<(&str, String)> = own.collect();
        let entries = all.iter().chain(&further).map(|(name, value)| Some((*name, value.as_str().into())));
        write_object(entries).unwrap_or_default()
    }

    // In this order: the scripts that take messages into flight read their ends.
    fn properties(&self, place: &Place) -> String {
        let to = write([("exchange", "\"\"".to_owned()), ("routing_key", json!(self.queue).to_string())]);
        write([
            ("correlation_id", json!(self.id.as_str()).to_string()),
            ("reply_to", json!(place.reply_to.as_deref().unwrap_or_default()).to_string()),
            ("delivery_mode", "2".to_owned()),
            ("delivery_info", to),
            ("priority", self.priority.number().to_string()),
            ("body_encoding", "\"base64\"".to_owned()),
            ("delivery_tag", format!("\"{}\"", uuid::Uuid::new_v4())),
        ])
    }
}

fn write<const N: usize>(entries: [(&str, String); N]) -> String {
    write_object(entries.into_iter().map(|(name, value)| Some((name, value.into())))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: &str = include_str!("../../tests/data/celery_messages.json");

    #[test]
    fn what_is_encoded_is_what_celery_writes() {
        let samples: Vec<(String, String)> = serde_json::from_str(SAMPLES).unwrap();
        let theirs: Value = serde_json::from_str(&samples[0].1).unwrap();
        let arguments = Arguments::from_json("[2]", "{\"y\":3}").unwrap();
        let ours = NewTask::new("proj.add", "celery", arguments).encode("gen1@host");
        let ours: Value = serde_json::from_str(&ours).unwrap();
        for part in ["headers", "properties"] {
            let keys = |value: &Value| value[part].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(&ours), keys(&theirs));
        }
        for header in
            ["task", "eta", "group", "retries", "timelimit", "argsrepr", "kwargsrepr", "stamps", "ignore_result"]
        {
            assert_eq!(ours["headers"][header], theirs["headers"][header], "{header}");
        }
        let body = |value: &Value| {
            let bytes = STANDARD.decode(value["body"].as_str().unwrap()).unwrap();
            serde_json::from_slice::<Value>(&bytes).unwrap()
        };
        assert_eq!(body(&ours), body(&theirs));
    }

    #[test]
    fn a_message_ends_as_celerys_do() {
        let samples: Vec<(String, String)> = serde_json::from_str(SAMPLES).unwrap();
        let end = |message: &str| {
            let (_, end) = message.split_once("\"delivery_info\"").unwrap();
            end.rsplit_once("\"delivery_tag\": \"").unwrap().0.to_owned()
        };
        let ours = NewTask::new("proj.add", "celery", Arguments::default()).encode("gen1@host");
        assert_eq!(end(&ours), end(&samples[0].1));
        assert!(ours.ends_with("\"}}"));
    }

    #[test]
    fn when_and_how_urgently_a_task_is_to_run_is_said_as_celery_does() {
        let mut task = NewTask::new("t", "q", Arguments::default());
        task.eta = Some("2026-11-22T11:48:39.318581Z".parse().unwrap());
        task.priority = Priority::new(5);
        task.limits.hard = Some(std::time::Duration::from_secs(60));
        task.headers.insert("x-tenant".to_owned(), json!("t1"));
        let ours: Value = serde_json::from_str(&task.encode("o")).unwrap();
        assert_eq!(ours["headers"]["eta"], "2026-11-22T11:48:39.318581+00:00");
        assert_eq!(ours["properties"]["priority"], 5);
        assert_eq!(ours["headers"]["timelimit"], json!([60.0, null]));
        assert_eq!(ours["headers"]["x-tenant"], "t1");
        assert_eq!(ours["headers"].get("x-enqueued-at"), None);
        let ours: Value = serde_json::from_str(&task.encode_at("o", task.eta.unwrap())).unwrap();
        assert_eq!(ours["headers"]["x-enqueued-at"], 1_795_348_119_318_i64);
    }
}
