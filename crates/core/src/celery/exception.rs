//! Why a task did not succeed, as an exception of Python's.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::python;

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

    /// The task returned so many bytes, more than `limit`.
    pub fn result_too_large(size: usize, limit: usize) -> Self {
        Self::failed(&format!("the result has {size} bytes as JSON, and at most {limit} are kept"))
    }

    /// The task was withdrawn before it was started.
    pub fn revoked() -> Self {
        Self::new("TaskRevokedError", "celery.exceptions", "revoked")
    }

    /// The task was ended while it ran.
    pub fn terminated() -> Self {
        Self::new("TaskRevokedError", "celery.exceptions", "terminated")
    }

    /// A task of a chord's header did not succeed.
    pub fn chord(message: &str) -> Self {
        Self::new("ChordError", "celery.exceptions", message)
    }

    /// `repr` of the exception that a stored document describes, as Python shows it.
    pub fn repr_of(document: &RawValue) -> String {
        #[derive(Deserialize)]
        struct Stored<'a> {
            exc_type: String,
            #[serde(borrow)]
            exc_message: &'a RawValue,
        }
        let Ok(stored) = serde_json::from_str::<Stored<'_>>(document.get()) else { return python::repr(document) };
        let arguments = match serde_json::from_str::<Vec<&RawValue>>(stored.exc_message.get()) {
            Ok(arguments) => arguments.into_iter().map(python::repr).collect::<Vec<_>>().join(", "),
            Err(_) => python::repr(stored.exc_message),
        };
        format!("{}({arguments})", stored.exc_type)
    }

    /// The task ran for longer than it may.
    pub fn time_limit_exceeded(limit: std::time::Duration) -> Self {
        Self::new("TimeLimitExceeded", "billiard.exceptions", &limit.as_secs_f64().to_string())
    }

    /// The task ended for it was told that it had run for longer than it should.
    pub fn soft_time_limit_exceeded() -> Self {
        Self { exc_type: "SoftTimeLimitExceeded", exc_message: Vec::new(), exc_module: "billiard.exceptions" }
    }

    fn new(exc_type: &'static str, exc_module: &'static str, message: &str) -> Self {
        Self { exc_type, exc_message: vec![message.to_owned()], exc_module }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.exc_type)?;
        if self.exc_message.is_empty() { Ok(()) } else { write!(f, ": {}", self.exc_message.join(", ")) }
    }
}
