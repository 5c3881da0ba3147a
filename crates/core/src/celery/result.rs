//! Result documents: what a task came to, as Celery's Redis result backend keeps it.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::options::raw;
use super::{Exception, Malformed, TaskId, TaskMessage, body};
use crate::python;

/// The state of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Not started, or not known at all: Celery does not tell these apart.
    Pending,
    /// Running.
    Started,
    /// Done.
    Success,
    /// Failed for good.
    Failure,
    /// Failed, and waiting for its next attempt.
    Retry,
    /// Not run: withdrawn or expired.
    Revoked,
    /// A state that a task gave itself.
    #[serde(untagged)]
    Custom(String),
}

impl Status {
    /// Whether the task has come to its end.
    pub fn is_final(&self) -> bool {
        [Self::Success, Self::Failure, Self::Revoked].contains(self)
    }
}

/// What became of one run of a task.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It returned this.
    Success(Box<RawValue>),
    /// It failed for good.
    Failure(Exception),
    /// It failed and will be tried again.
    Retry(Exception),
    /// It was not run, or ended while it ran.
    Revoked(Exception),
}

impl Outcome {
    /// The state that it leaves the task in, and what its document has as result.
    pub fn state(&self) -> (Status, Box<RawValue>) {
        let exception = |exception: &Exception| serde_json::value::to_raw_value(exception).unwrap_or_default();
        match self {
            Self::Success(value) => (Status::Success, value.clone()),
            Self::Failure(e) => (Status::Failure, exception(e)),
            Self::Retry(e) => (Status::Retry, exception(e)),
            Self::Revoked(e) => (Status::Revoked, exception(e)),
        }
    }

    /// The document of this outcome, as it is stored and published.
    pub fn document(&self, id: &TaskId, done: DateTime<Utc>) -> String {
        self.result(id, done).write()
    }

    /// The document of a task of a group.
    pub(super) fn document_in(&self, group: Option<&str>, id: &TaskId, done: DateTime<Utc>) -> String {
        TaskResult { group_id: group.map(str::to_owned), ..self.result(id, done) }.write()
    }

    fn result(&self, id: &TaskId, done: DateTime<Utc>) -> TaskResult {
        let (status, result) = self.state();
        let is_done = status != Status::Retry;
        let date_done = is_done.then(|| done.to_rfc3339_opts(SecondsFormat::Micros, false));
        TaskResult { status, result, children: Some(Vec::new()), date_done, ..TaskResult::pending(id.clone()) }
    }
}

/// A place in the tree of results, as Celery's `AsyncResult.as_tuple` writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultNode {
    id: String,
    parent: Option<Box<ResultNode>>,
    members: Option<Vec<ResultNode>>,
}

impl ResultNode {
    /// The result of a task.
    pub fn task(id: TaskId) -> Self {
        Self { id: id.0, parent: None, members: None }
    }

    /// The results of a group.
    pub fn group(id: String, members: Vec<Self>) -> Self {
        Self { id, parent: None, members: Some(members) }
    }

    /// The node with `parent` before the first of those that came before it.
    pub(super) fn after(mut self, parent: &Self) -> Self {
        let first = match self.parent.take() {
            Some(before) => before.after(parent),
            None => parent.clone(),
        };
        self.parent = Some(Box::new(first));
        self
    }

    /// Whether one of its members is a group itself.
    pub(super) fn is_nested(&self) -> bool {
        self.members.iter().flatten().any(|member| member.members.is_some())
    }

    /// `[[id, parent], members]`, with `null` where there are none.
    pub fn tuple(&self) -> serde_json::Value {
        let parent = self.parent.as_ref().map(|parent| parent.tuple());
        let members: Option<Vec<_>> = self.members.as_ref().map(|members| members.iter().map(Self::tuple).collect());
        serde_json::json!([[self.id, parent], members])
    }
}

/// The result document of one run of a task.
#[derive(Debug, Clone, Copy)]
pub struct ResultDocument<'a> {
    /// The task.
    pub task: &'a TaskMessage,
    /// What it has sent.
    pub children: &'a [ResultNode],
    /// The worker's node name where the document is to say all that is known of the run, as with Celery's
    /// `result_extended`.
    pub extended: Option<&'a str>,
}

impl ResultDocument<'_> {
    /// The task has come to an outcome.
    pub fn of(&self, outcome: &Outcome, done: DateTime<Utc>) -> String {
        let mut result = outcome.result(&self.task.id, done);
        result.children = Some(self.children.iter().map(|child| raw(child.tuple().to_string())).collect());
        self.complete(result)
    }

    /// The task has begun, in a process of that id on that machine.
    pub fn started(&self, pid: u32, hostname: &str) -> String {
        let result = raw(serde_json::json!({"pid": pid, "hostname": hostname}).to_string());
        let begun = TaskResult::pending(self.task.id.clone());
        self.complete(TaskResult { status: Status::Started, result, children: Some(Vec::new()), ..begun })
    }

    fn complete(&self, mut result: TaskResult) -> String {
        let task = self.task;
        result.group_id = task.group.clone();
        result.parent_id = task.parent_id.clone();
        if let Some(worker) = self.extended {
            let (args, kwargs) = task.arguments.write_json();
            result.name = Some(task.task.clone());
            result.args = Some(raw(args));
            result.kwargs = Some(raw(kwargs));
            result.worker = Some(worker.to_owned());
            result.retries = Some(task.retries);
            result.queue = Some(task.queue.clone());
        }
        result.write()
    }
}

/// A result document. `result` is the task's value, or the exception that it came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskResult {
    /// The task's state.
    pub status: Status,
    /// What it returned, or why it did not.
    pub result: Box<RawValue>,
    /// Python's traceback, where a Python worker ran it.
    pub traceback: Option<String>,
    /// The tasks that it started.
    pub children: Option<Vec<Box<RawValue>>>,
    /// When it was done; `None` while it is not.
    pub date_done: Option<String>,
    /// The group that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// The task that sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<TaskId>,
    /// The registered name; this and what follows only where the worker says all that it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it was called with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Box<RawValue>>,
    /// The same by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kwargs: Option<Box<RawValue>>,
    /// The worker's node name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// How many attempts were made before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// The queue that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Its id.
    pub task_id: TaskId,
}

impl TaskResult {
    /// The document of a task that nobody has heard of yet.
    pub fn pending(id: TaskId) -> Self {
        Self {
            status: Status::Pending,
            result: Box::default(),
            traceback: None,
            children: None,
            date_done: None,
            group_id: None,
            parent_id: None,
            name: None,
            args: None,
            kwargs: None,
            worker: None,
            retries: None,
            queue: None,
            task_id: id,
        }
    }

    fn write(&self) -> String {
        // Text and raw JSON always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What stands before a document that is compressed; then come the method, a NUL and the compressed bytes.
const COMPRESSED: &[u8] = b"\0celery-compressed\0";

/// Reads a stored document, compressed or not. A `NaN` in it is read as `null`.
///
/// # Errors
/// When it is not a result document in JSON.
pub fn decode(document: &[u8]) -> Result<TaskResult, serde_json::Error> {
    let plain = decompressed(document).map_err(serde_json::Error::custom)?;
    serde_json::from_slice(&plain).or_else(|error| {
        let strict = std::str::from_utf8(&plain).ok().and_then(|text| python::strict_json(text, python::Nan::Null));
        strict.map_or(Err(error), |text| serde_json::from_str(&text))
    })
}

fn decompressed(document: &[u8]) -> Result<Cow<'_, [u8]>, Malformed> {
    let Some(rest) = document.strip_prefix(COMPRESSED) else { return Ok(Cow::Borrowed(document)) };
    let mut parts = rest.splitn(2, |byte| *byte == 0);
    let (method, bytes) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    body::decompress(bytes, &String::from_utf8_lossy(method)).map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_celerys() {
        let id = TaskId("b1919adc-7d5f-4bf3-b9c5-686e2a5b748d".to_owned());
        let done = "2026-11-22T11:49:48.151546Z".parse().unwrap();
        let success = Outcome::Success(serde_json::value::to_raw_value(&5).unwrap()).document(&id, done);
        // As a Celery 5.7 worker stored it, but for the spaces.
        assert_eq!(
            success,
            r#"{"status":"SUCCESS","result":5,"traceback":null,"children":[],"date_done":"2026-11-22T11:49:48.151546+00:00","task_id":"b1919adc-7d5f-4bf3-b9c5-686e2a5b748d"}"#
        );
        let expired = Outcome::Revoked(Exception::expired()).document(&id, done);
        assert!(expired.contains(
            r#""result":{"exc_type":"TaskRevokedError","exc_message":["expired"],"exc_module":"celery.exceptions"}"#
        ));
    }

    const SAMPLES: &str = include_str!("../../tests/data/celery_results.json");

    #[test]
    fn celerys_own_documents_are_read_and_written_again() {
        let samples: Vec<(String, String)> = serde_json::from_str(SAMPLES).unwrap();
        assert!(samples.len() >= 16);
        for (name, document) in samples {
            let ours = serde_json::to_value(decode(document.as_bytes()).unwrap()).unwrap();
            assert_eq!(ours, serde_json::from_str::<serde_json::Value>(&document).unwrap(), "{name}");
        }
    }

    #[test]
    fn a_custom_state_is_read() {
        let document = r#"{"status": "PROGRESS", "result": {"done": 3}, "traceback": null, "children": [], "date_done": null, "task_id": "x", "name": "extended"}"#;
        let result = decode(document.as_bytes()).unwrap();
        assert_eq!(result.status, Status::Custom("PROGRESS".to_owned()));
        assert_eq!(result.result.get(), "{\"done\": 3}");
    }

    #[test]
    fn compressed_documents_and_nan_are_read() {
        let document = r#"{"status": "SUCCESS", "result": [NaN, Infinity], "traceback": null, "children": [], "date_done": null, "task_id": "x"}"#;
        assert_eq!(decode(document.as_bytes()).unwrap().result.get(), "[null, 1e999]");
        let mut compressed = [COMPRESSED, b"application/x-gzip\0"].concat();
        let mut packer = flate2::read::ZlibEncoder::new(document.as_bytes(), flate2::Compression::fast());
        std::io::Read::read_to_end(&mut packer, &mut compressed).unwrap();
        assert_eq!(decode(&compressed).unwrap().result.get(), "[null, 1e999]");
        assert!(decode(&[COMPRESSED, b"rot13\0x"].concat()).is_err());
    }

    #[test]
    fn an_exception_is_shown_as_python_shows_it() {
        for (document, expected) in [
            (
                r#"{"exc_type": "ValueError", "exc_message": ["kaput"], "exc_module": "builtins"}"#,
                "ValueError('kaput')",
            ),
            (r#"{"exc_type": "OSError", "exc_message": [2, "gone"], "exc_module": "builtins"}"#, "OSError(2, 'gone')"),
            (r#"{"exc_type": "E", "exc_message": "text", "exc_module": "m"}"#, "E('text')"),
            ("\"bare\"", "'bare'"),
        ] {
            assert_eq!(Exception::repr_of(&serde_json::from_str::<Box<RawValue>>(document).unwrap()), expected);
        }
    }
}
