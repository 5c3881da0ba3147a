//! What can be withdrawn: a task, or all tasks that carry a stamp.

use std::fmt;

use serde_json::Value;

use super::{TaskId, TaskMessage};

/// What is withdrawn. Its text, which [`Revoked::from`] reads again, is an id, or name and value of a stamp.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Revoked {
    /// The task of this id.
    Task(TaskId),
    /// Every task that is stamped so.
    Stamp {
        /// The stamp's name.
        name: String,
        /// Its value, as JSON.
        value: String,
    },
}

/// What a stamp begins with, which no id does.
const STAMP: &str = "stamp\u{0}";

impl Revoked {
    /// A stamp.
    pub fn stamp(name: &str, value: &Value) -> Self {
        Self::Stamp { name: name.to_owned(), value: value.to_string() }
    }

    /// The task, where it is one.
    pub fn task(&self) -> Option<&TaskId> {
        match self {
            Self::Task(id) => Some(id),
            Self::Stamp { .. } => None,
        }
    }

    /// All that a message could be withdrawn by: its id, and each value of each of its stamps.
    pub fn names_of(message: &TaskMessage) -> impl Iterator<Item = Self> + '_ {
        let stamps = message.stamps.iter().flat_map(|(name, raw)| {
            let value: Value = serde_json::from_str(raw.get()).unwrap_or_default();
            let values = if let Value::Array(values) = value { values } else { vec![value] };
            values.into_iter().map(|value| Self::stamp(name, &value))
        });
        std::iter::once(Self::Task(message.id.clone())).chain(stamps)
    }
}

impl fmt::Display for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(id) => write!(f, "{id}"),
            Self::Stamp { name, value } => write!(f, "{STAMP}{name}\u{0}{value}"),
        }
    }
}

impl From<String> for Revoked {
    fn from(text: String) -> Self {
        let stamp = text.strip_prefix(STAMP).and_then(|stamp| stamp.split_once('\u{0}'));
        match stamp {
            Some((name, value)) => Self::Stamp { name: name.to_owned(), value: value.to_owned() },
            None => Self::Task(TaskId(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_withdrawn_is_read_as_it_was_written() {
        for revoked in [Revoked::Task(TaskId("0d9c".to_owned())), Revoked::stamp("tenant", &json!("a\u{0}b"))] {
            assert_eq!(Revoked::from(revoked.to_string()), revoked);
        }
    }
}
