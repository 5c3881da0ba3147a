//! The arguments of a request, by their names. What is not asked for is ignored, as Celery does.

use std::time::Duration;

use serde_json::{Map, Value};

/// Why a request is not carried out, in the words that its caller reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) String);

/// What a method answers.
pub(super) type Answer = Result<Value, Refusal>;

/// `{"ok": …}`, as most methods answer.
pub(super) fn ok(text: impl Into<Value>) -> Answer {
    Ok(Value::Object(Map::from_iter([("ok".to_owned(), text.into())])))
}

/// A refusal.
pub(super) fn refuse<T>(text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(text.into()))
}

/// The arguments of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arguments<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Arguments<'a> {
    fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Some text.
    pub(super) fn text(self, name: &str) -> Result<&'a str, Refusal> {
        self.get(name).and_then(Value::as_str).ok_or_else(|| Refusal(format!("{name} is expected, as text")))
    }

    /// Text, and lists of it; a single text is a list of one.
    pub(super) fn texts(self, name: &str) -> Vec<&'a str> {
        match self.get(name) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            Some(value) => value.as_str().into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// A number from 0 on; `default` where there is none.
    pub(super) fn count(self, name: &str, default: usize) -> Result<usize, Refusal> {
        let Some(value) = self.get(name) else { return Ok(default) };
        let count = value.as_u64().or_else(|| value.as_str()?.parse().ok());
        count
            .and_then(|count| usize::try_from(count).ok())
            .ok_or_else(|| Refusal(format!("{name} must be a number from 0 on, not {value}")))
    }

    /// A number of seconds, none where there is none or 0.
    pub(super) fn seconds(self, name: &str) -> Result<Option<Duration>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let seconds = value.as_f64().or_else(|| value.as_str()?.parse().ok());
        seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .map(|time| (!time.is_zero()).then_some(time))
            .ok_or_else(|| Refusal(format!("{name} must be a number of seconds, not {value}")))
    }

    /// Whether something is asked for: JSON's `true`, or text that Python's `strtobool` takes for it.
    pub(super) fn asks_for(self, name: &str) -> bool {
        match self.get(name) {
            Some(Value::Bool(asks)) => *asks,
            Some(Value::String(text)) => {
                ["y", "yes", "t", "true", "on", "1"].contains(&text.to_ascii_lowercase().as_str())
            }
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            _ => false,
        }
    }

    /// A value of any kind.
    pub(super) fn any(self, name: &str) -> Option<&'a Value> {
        self.get(name)
    }
}
