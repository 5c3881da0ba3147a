//! Celery's wire, protocol 2: task messages, result documents, events and remote control, encoded and decoded; no input
//! or output.
//!
//! The rules are those of Celery 5.7 and kombu 5.7 with JSON as serializer.

mod arguments;
mod body;
mod broadcast;
mod canvas;
pub mod control;
mod envelope;
pub mod event;
mod exception;
mod freeze;
mod lamport;
mod malformed;
mod message;
mod new_task;
mod node;
mod options;
mod priority;
mod result;
mod revoked;
mod sequel;
mod signature;

pub use arguments::{Arguments, BadArguments};
pub use canvas::NewChord;
pub use exception::Exception;
pub use lamport::LamportClock;
pub use malformed::Malformed;
pub use message::{Limits, NextAttempt, ResultPolicy, TaskMessage, parse_time};
pub use new_task::{NewTask, Place};
pub use node::NodeName;
pub use priority::Priority;
pub use result::{Outcome, ResultDocument, ResultNode, Status, TaskResult, decode as decode_result};
pub use revoked::Revoked;
pub use sequel::{ChordPart, FailedTask, Sequel};

use serde::{Deserialize, Serialize};

/// The id of a task: a UUID where we make it, any text where another producer did.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub String);

impl TaskId {
    /// A new id.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }

    /// The id of the task of one slot of the schedule: the same for whoever names it.
    pub fn of_slot(entry: &str, slot: chrono::DateTime<chrono::Utc>) -> Self {
        let name = format!("{entry}@{}", slot.timestamp_millis());
        Self(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).to_string())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for TaskId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
