//! Result documents: what a task came to, as Celery's Redis result backend keeps it.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::TaskId;

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

/// Why a task did not succeed: Celery's clients raise it as an exception again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exception {
    /// The class.
    pub exc_type: &'static str,
    /// Its arguments.
    pub exc_message: Vec<String>,
    /// The module that the class lives in; one that Python cannot import makes a class of the same name.
    pub exc_module: &'static str,
}

impl Exception {
    /// No such task is registered.
    pub fn not_registered(task: &str) -> Self {
        Self::new("NotRegistered", "celery.exceptions", task)
    }

    /// The task expired before it was started.
    pub fn expired() -> Self {
        Self::new("TaskRevokedError", "celery.exceptions", "expired")
    }

    /// The arguments do not fit the task.
    pub fn bad_arguments(message: &str) -> Self {
        Self::new("TypeError", "builtins", message)
    }

    /// The task failed.
    pub fn failed(message: &str) -> Self {
        Self::new("TaskError", "logmon", message)
    }

    fn new(exc_type: &'static str, exc_module: &'static str, message: &str) -> Self {
        Self { exc_type, exc_message: vec![message.to_owned()], exc_module }
    }
}

/// What became of one run of a task.
#[derive(Debug)]
pub enum Outcome {
    /// It returned this.
    Success(Box<RawValue>),
    /// It failed for good.
    Failure(Exception),
    /// It failed and will be tried again.
    Retry(Exception),
    /// It was not run.
    Revoked(Exception),
}

impl Outcome {
    /// The document of this outcome, as it is stored and published.
    pub fn document(&self, id: &TaskId, done: DateTime<Utc>) -> String {
        let date_done = Some(done.to_rfc3339_opts(SecondsFormat::Micros, false));
        let exception = |exception: &Exception| serde_json::value::to_raw_value(exception).unwrap_or_default();
        let (status, result, date_done) = match self {
            Self::Success(value) => (Status::Success, value.clone(), date_done),
            Self::Failure(e) => (Status::Failure, exception(e), date_done),
            Self::Retry(e) => (Status::Retry, exception(e), None),
            Self::Revoked(e) => (Status::Revoked, exception(e), date_done),
        };
        let document =
            TaskResult { status, result, traceback: None, children: Some(Vec::new()), date_done, task_id: id.clone() };
        // Text and raw JSON always serialise.
        serde_json::to_string(&document).unwrap_or_default()
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
            task_id: id,
        }
    }
}

/// Reads a stored document.
///
/// # Errors
/// When it is not a result document in JSON.
pub fn decode(document: &[u8]) -> Result<TaskResult, serde_json::Error> {
    serde_json::from_slice(document)
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

    #[test]
    fn a_custom_state_is_read() {
        let document = r#"{"status": "PROGRESS", "result": {"done": 3}, "traceback": null, "children": [], "date_done": null, "task_id": "x", "name": "extended"}"#;
        let result = decode(document.as_bytes()).unwrap();
        assert_eq!(result.status, Status::Custom("PROGRESS".to_owned()));
        assert_eq!(result.result.get(), "{\"done\": 3}");
    }
}
