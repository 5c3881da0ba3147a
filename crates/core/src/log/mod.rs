//! A log: its levels, what one is made from, and which of them a list shows.

mod attributes;
mod buckets;
mod event;
mod extra;
mod filter;
mod new;
mod seen;
mod timestamp;

pub use attributes::Attributes;
pub use buckets::Buckets;
pub use event::EventId;
pub use extra::{Extra, SpanId, TraceId};
pub use filter::{AttributeIs, Candidate, LogFilter, Order, Term, moment};
pub use new::{Draft, NewLog};
pub use seen::{NotSeen, Seen};
pub use timestamp::{Arrival, from_field as time_field};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::app::AppId;

/// The id of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogId(pub i64);

/// How serious a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// All is well.
    Info,
    /// Worth a look.
    Warn,
    /// Something failed.
    Error,
}

impl Level {
    /// Every level, the least serious first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warn, Self::Error];

    /// Its name on the wire and in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }

    /// The level with exactly this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == name)
    }

    /// The level with this name in any letter case: what the original's case-insensitive column matched in a filter.
    pub fn from_filter(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(name.trim_end_matches(' ')))
    }
}

/// A log that is checked and has its time: what is stored, at once or by a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The app that it belongs to.
    pub app: AppId,
    /// How serious it is.
    pub level: Level,
    /// What happened.
    pub message: String,
    /// When it happened.
    pub created_at: DateTime<Utc>,
    /// By which its sender knows it: of an app's records with the same one, the first is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// What else it carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Box<Extra>>,
}

impl Record {
    /// About how many bytes it takes.
    pub fn size(&self) -> usize {
        let event_id = self.event_id.as_ref().map_or(0, |id| id.as_str().len());
        let extra = self.extra.as_ref().map_or(0, |extra| extra.size());
        self.message.len() + event_id + extra + size_of::<Self>()
    }
}

/// A stored log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Its id.
    pub id: LogId,
    /// The app that it belongs to.
    pub app: AppId,
    /// The name of its level, as it is stored: another program may have written one that is not ours.
    pub level: String,
    /// What happened.
    pub message: String,
    /// When it happened, as far as is known.
    pub created_at: DateTime<Utc>,
    /// What else it carries.
    pub extra: Extra,
}
