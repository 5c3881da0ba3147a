//! Task messages: the envelope that lies on a queue's list.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::{Arguments, TaskId};

/// How urgent a message is: 0 is served first, 9 last. Redis holds four lists a queue, for 0, 3, 6 and 9.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Priority(u8);

impl Priority {
    /// The steps that have a list of their own, the most urgent first.
    pub const STEPS: [Self; 4] = [Self(0), Self(3), Self(6), Self(9)];

    /// The suffix that the list of this step has behind the queue's name.
    pub fn list_suffix(self) -> &'static str {
        match self.0 {
            0..=2 => "",
            3..=5 => "\u{6}\u{16}3",
            6..=8 => "\u{6}\u{16}6",
            _ => "\u{6}\u{16}9",
        }
    }
}

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
}

impl NewTask {
    /// A task with a new id and no further headers.
    pub fn new(task: impl Into<String>, queue: impl Into<String>, arguments: Arguments) -> Self {
        let (task, queue) = (task.into(), queue.into());
        Self { id: TaskId::random(), task, queue, arguments, headers: Map::new() }
    }

    /// The message as it lies on the list. `origin` names the producer, as `gen<pid>@<host>`.
    pub fn encode(&self, origin: &str) -> String {
        let (args, kwargs) = self.arguments.write_json();
        let body =
            format!(r#"[{args}, {kwargs}, {{"callbacks": null, "errbacks": null, "chain": null, "chord": null}}]"#);
        let id = self.id.as_str();
        let mut headers = Map::new();
        let mut header = |name: &str, value: Value| headers.insert(name.to_owned(), value);
        header("lang", json!("rust"));
        header("task", json!(self.task));
        header("id", json!(id));
        header("root_id", json!(id));
        for name in ["shadow", "eta", "expires", "group", "group_index", "parent_id", "stamped_headers"] {
            header(name, Value::Null);
        }
        header("retries", json!(0));
        header("timelimit", json!([null, null]));
        header("argsrepr", json!(self.arguments.args_repr()));
        header("kwargsrepr", json!(self.arguments.kwargs_repr()));
        header("origin", json!(origin));
        header("ignore_result", json!(false));
        header("replaced_task_nesting", json!(0));
        header("stamps", json!({}));
        headers.extend(self.headers.clone());
        let envelope = Envelope {
            body: STANDARD.encode(body),
            content_encoding: Some("utf-8".to_owned()),
            content_type: Some("application/json".to_owned()),
            headers,
            properties: Properties {
                correlation_id: Some(json!(id)),
                reply_to: Some(json!("")),
                delivery_mode: Some(json!(2)),
                delivery_info: DeliveryInfo { exchange: String::new(), routing_key: self.queue.clone() },
                priority: Some(json!(0)),
                body_encoding: Some("base64".to_owned()),
                delivery_tag: uuid::Uuid::new_v4().to_string(),
                rest: Map::new(),
            },
        };
        // Maps with text keys and plain values always serialise.
        serde_json::to_string(&envelope).unwrap_or_default()
    }
}

/// A task that came from a queue.
#[derive(Debug, Clone)]
pub struct TaskMessage {
    /// Its id.
    pub id: TaskId,
    /// The registered name.
    pub task: String,
    /// What it is called with.
    pub arguments: Arguments,
    /// How many attempts were made before this one.
    pub retries: u32,
    /// Not to be started earlier.
    pub eta: Option<DateTime<Utc>>,
    /// Not to be started any more from then on.
    pub expires: Option<DateTime<Utc>>,
    /// What becomes of its result.
    pub result: ResultPolicy,
    envelope: Envelope,
}

/// The message of a task's next attempt.
#[derive(Debug, Clone)]
pub struct NextAttempt {
    /// As it lies on a list.
    pub message: String,
    /// The name that it will be in flight under.
    pub delivery_tag: String,
}

/// Whether anybody wants a task's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultPolicy {
    /// It is stored.
    Keep,
    /// It is dropped: the producer set `ignore_result`.
    Ignore,
}

/// The message cannot be run: what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Malformed(pub String);

impl TaskMessage {
    /// Reads a message as it lay on a list.
    ///
    /// # Errors
    /// When it is not a protocol 2 task message with a JSON body, or asks for what is not offered.
    pub fn decode(raw: &[u8]) -> Result<Self, Malformed> {
        let envelope: Envelope =
            serde_json::from_slice(raw).map_err(|e| Malformed(format!("not a Celery message: {e}")))?;
        let text = |name: &str| match envelope.headers.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) | None => Err(Malformed(format!("the header `{name}` must be text"))),
        };
        let (task, id) = (text("task")?, TaskId(text("id")?));
        let arguments = envelope.arguments()?;
        let retries = match envelope.headers.get("retries") {
            None | Some(Value::Null) => 0,
            Some(value) => value
                .as_u64()
                .and_then(|n| u32::try_from(n).ok())
                .ok_or_else(|| Malformed("the header `retries` must be a number from 0 on".to_owned()))?,
        };
        let result = match envelope.headers.get("ignore_result") {
            Some(Value::Bool(true)) => ResultPolicy::Ignore,
            Some(_) | None => ResultPolicy::Keep,
        };
        let (eta, expires) = (envelope.time("eta")?, envelope.time("expires")?);
        Ok(Self { id, task, arguments, retries, eta, expires, result, envelope })
    }

    /// The id that a message names, even where the rest of it cannot be read.
    pub fn id_of(raw: &[u8]) -> Option<TaskId> {
        let message: Value = serde_json::from_slice(raw).ok()?;
        Some(TaskId(message.get("headers")?.get("id")?.as_str()?.to_owned()))
    }

    /// A header that is text.
    pub(super) fn text_header(&self, name: &str) -> Option<String> {
        self.envelope.headers.get(name)?.as_str().map(str::to_owned)
    }

    /// The message of the next attempt: the same task, counted once more and not to be started before `eta`.
    pub fn retry(&self, eta: DateTime<Utc>) -> NextAttempt {
        let mut envelope = self.envelope.clone();
        envelope.headers.insert("retries".to_owned(), json!(self.retries + 1));
        envelope.headers.insert("eta".to_owned(), json!(eta.to_rfc3339_opts(SecondsFormat::Micros, false)));
        envelope.headers.insert("parent_id".to_owned(), json!(self.id.as_str()));
        envelope.properties.delivery_tag = uuid::Uuid::new_v4().to_string();
        let delivery_tag = envelope.properties.delivery_tag.clone();
        NextAttempt { message: serde_json::to_string(&envelope).unwrap_or_default(), delivery_tag }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Envelope {
    body: String,
    content_encoding: Option<String>,
    content_type: Option<String>,
    headers: Map<String, Value>,
    properties: Properties,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Properties {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation_id: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply_to: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delivery_mode: Option<Value>,
    delivery_info: DeliveryInfo,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_encoding: Option<String>,
    delivery_tag: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct DeliveryInfo {
    exchange: String,
    routing_key: String,
}

impl Envelope {
    fn arguments(&self) -> Result<Arguments, Malformed> {
        if let Some(compression) = self.headers.get("compression").filter(|value| !value.is_null()) {
            return Err(Malformed(format!("a body with compression {compression} is not taken")));
        }
        match self.content_type.as_deref() {
            Some("application/json") => {}
            other => return Err(Malformed(format!("the content-type must be application/json, not {other:?}"))),
        }
        let body = match self.properties.body_encoding.as_deref() {
            Some("base64") => {
                STANDARD.decode(&self.body).map_err(|e| Malformed(format!("the body is not base64: {e}")))?
            }
            None | Some("utf-8") => self.body.clone().into_bytes(),
            Some(other) => return Err(Malformed(format!("the body_encoding {other:?} is unknown"))),
        };
        let (args, kwargs, embed): (&RawValue, &RawValue, Option<Embed>) = serde_json::from_slice(&body)
            .map_err(|e| Malformed(format!("the body is not [args, kwargs, embed] as JSON: {e}")))?;
        if embed.is_some_and(|embed| embed.asks_for_more()) {
            return Err(Malformed("callbacks, errbacks, chains and chords are not taken".to_owned()));
        }
        Arguments::from_body(args, kwargs).map_err(|e| Malformed(e.0))
    }

    fn time(&self, name: &str) -> Result<Option<DateTime<Utc>>, Malformed> {
        match self.headers.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_str()
                .and_then(parse_time)
                .map(Some)
                .ok_or_else(|| Malformed(format!("the header `{name}` must be an ISO 8601 time, not {value}"))),
        }
    }
}

/// What a message may ask for beyond its own run.
#[derive(Debug, Default, Deserialize)]
struct Embed {
    #[serde(default)]
    callbacks: Value,
    #[serde(default)]
    errbacks: Value,
    #[serde(default)]
    chain: Value,
    #[serde(default)]
    chord: Value,
}

impl Embed {
    fn asks_for_more(&self) -> bool {
        [&self.callbacks, &self.errbacks, &self.chain, &self.chord].into_iter().any(|value| match value {
            Value::Null => false,
            Value::Array(items) => !items.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => true,
        })
    }
}

// Python writes an offset or `Z`; a naive time is in the app's zone, which is UTC here.
fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .map(|t| t.with_timezone(&Utc))
        .ok()
        .or_else(|| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok().map(|t| t.and_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages that Celery 5.7 itself put on a list.
    const SAMPLES: &str = include_str!("../../tests/data/celery_messages.json");

    #[test]
    fn celerys_own_messages_are_read() {
        let samples: Vec<(String, Value)> = serde_json::from_str(SAMPLES).unwrap();
        assert!(samples.len() >= 4);
        for (raw, expected) in samples {
            let message = TaskMessage::decode(raw.as_bytes()).unwrap();
            assert_eq!(json!(message.task), expected["task"]);
            assert_eq!(json!(message.id.as_str()), expected["id"]);
            assert_eq!(json!(message.retries), expected["retries"]);
            assert_eq!(json!(message.arguments.args_repr()), expected["argsrepr"]);
            assert_eq!(json!(message.arguments.kwargs_repr()), expected["kwargsrepr"]);
            assert_eq!(message.eta.is_some(), !expected["eta"].is_null());
            assert_eq!(message.expires.is_some(), !expected["expires"].is_null());
        }
    }

    #[test]
    fn what_is_encoded_has_every_header_that_celery_writes() {
        let samples: Vec<(String, Value)> = serde_json::from_str(SAMPLES).unwrap();
        let theirs: Value = serde_json::from_str(&samples[0].0).unwrap();
        let arguments = Arguments::from_json("[2]", "{\"y\":3}").unwrap();
        let ours: Value =
            serde_json::from_str(&NewTask::new("proj.add", "celery", arguments).encode("gen1@host")).unwrap();
        for part in ["headers", "properties"] {
            let keys = |value: &Value| value[part].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(&ours), keys(&theirs));
        }
        assert_eq!(ours["headers"]["argsrepr"], theirs["headers"]["argsrepr"]);
        assert_eq!(ours["headers"]["kwargsrepr"], theirs["headers"]["kwargsrepr"]);
        let body = |value: &Value| {
            let bytes = STANDARD.decode(value["body"].as_str().unwrap()).unwrap();
            serde_json::from_slice::<Value>(&bytes).unwrap()
        };
        assert_eq!(body(&ours), body(&theirs));
    }

    #[test]
    fn a_retry_is_the_same_task_once_more() {
        let first = NewTask::new("t", "q", Arguments::from_json("[1]", "{}").unwrap());
        let message = TaskMessage::decode(first.encode("o").as_bytes()).unwrap();
        let eta = DateTime::from_timestamp(1_795_348_188, 0).unwrap();
        let again = TaskMessage::decode(message.retry(eta).message.as_bytes()).unwrap();
        assert_eq!((again.id, again.retries, again.eta), (first.id, 1, Some(eta)));
        assert_ne!(again.envelope.properties.delivery_tag, message.envelope.properties.delivery_tag);
    }

    #[test]
    fn a_malformed_message_says_what_is_wrong() {
        let good = NewTask::new("t", "q", Arguments::default()).encode("o");
        for (from, to, word) in [
            ("\"task\":", "\"tusk\":", "task"),
            ("application/json", "application/x-python-serialize", "content-type"),
            ("\"base64\"", "\"rot13\"", "body_encoding"),
            ("\"body\":\"", "\"body\":\"!", "base64"),
            ("\"retries\":0", "\"retries\":-1", "retries"),
            ("\"eta\":null", "\"eta\":\"soon\"", "eta"),
            ("\"delivery_tag\"", "\"delivery_teg\"", "delivery_tag"),
            ("{", "", "not a Celery message"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            let reason = TaskMessage::decode(bad.as_bytes()).unwrap_err().0;
            assert!(reason.contains(word), "{from}: {reason}");
        }
    }
}
