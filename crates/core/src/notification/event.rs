//! What happened: the payload of a notification, as the outbox keeps it and a webhook gets it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::report::ReportNotice;
use crate::alert::AlertId;
use crate::app::AppId;

/// The id of an event: the same on every attempt, so that a receiver can drop a repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub Uuid);

impl EventId {
    /// An id that nothing else has; ids made later are greater.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl Default for EventId {
    fn default() -> Self {
        Self::new()
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// An alert was raised.
    #[serde(rename = "alert.opened")]
    Opened,
    /// Somebody looks after it.
    #[serde(rename = "alert.acknowledged")]
    Acknowledged,
    /// It is over, by itself or by somebody's word.
    #[serde(rename = "alert.resolved")]
    Resolved,
    /// It is not over after all.
    #[serde(rename = "alert.reopened")]
    Reopened,
    /// It is still open, and nobody has acknowledged it.
    #[serde(rename = "alert.repeated")]
    Repeated,
    /// It opens and resolves again and again, and is quiet from here on.
    #[serde(rename = "alert.flapping")]
    Flapping,
    /// Somebody tries a channel.
    #[serde(rename = "channel.test")]
    Test,
}

impl EventKind {
    /// Its name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "alert.opened",
            Self::Acknowledged => "alert.acknowledged",
            Self::Resolved => "alert.resolved",
            Self::Reopened => "alert.reopened",
            Self::Repeated => "alert.repeated",
            Self::Flapping => "alert.flapping",
            Self::Test => "channel.test",
        }
    }
}

/// What happened to an alert, with all that a person needs to judge it. Frozen when it happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// The event's id.
    pub event_id: EventId,
    /// What happened.
    pub event: EventKind,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The alert.
    pub alert: AlertFacts,
    /// The rule that raised it.
    pub rule: RuleFacts,
    /// The app that it is about.
    pub app: AppFacts,
    /// What was counted.
    pub window: WindowFacts,
    /// The most frequent messages, the most frequent first.
    #[serde(default)]
    pub samples: Vec<Pattern>,
    /// The path with absolute times that shows the logs that were counted.
    pub query: String,
    /// Who did it, where somebody did.
    #[serde(default)]
    pub actor: Option<String>,
    /// What they wrote about it.
    #[serde(default)]
    pub note: Option<String>,
}

impl Notification {
    /// As it is stored.
    ///
    /// # Errors
    /// None that its fields could cause.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertFacts {
    /// Its id.
    pub id: AlertId,
    /// The sentence that says what is wrong.
    pub content: String,
    /// How bad it is, as the rule has it.
    pub severity: String,
    /// Whether it was raised by logs that came late.
    #[serde(default)]
    pub is_late: bool,
    /// When it was raised.
    pub opened_at: DateTime<Utc>,
    /// When it was over, if it is.
    #[serde(default)]
    pub resolved_at: Option<DateTime<Utc>>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleFacts {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The level that it counts.
    pub level: String,
}

/// An app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppFacts {
    /// Its id.
    pub id: AppId,
    /// Its name.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowFacts {
    /// Where the window begins.
    pub start: DateTime<Utc>,
    /// Where it ends; this moment is not part of it.
    pub end: DateTime<Utc>,
    /// How many logs it holds.
    pub count: u64,
    /// What the rule allows.
    pub threshold: u64,
}

/// Messages that differ only in their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    /// The message with its numbers masked.
    pub pattern: String,
    /// How many there were of those that were looked at.
    pub count: u64,
    /// One of them as it was.
    pub sample: String,
}

/// Several events told at once: they happened together, or a channel may not be told so many one by one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// Its own id.
    pub event_id: EventId,
    /// Always `digest`.
    pub event: DigestKind,
    /// How many events it stands for.
    pub count: u64,
    /// The first of them, the oldest first.
    pub events: Vec<Notification>,
}

impl Digest {
    /// How many events are kept with it at most.
    pub const EVENTS_MAX: usize = 50;

    /// One message that tells these events, the oldest first.
    pub fn of(mut events: Vec<Notification>) -> Self {
        let count = u64::try_from(events.len()).unwrap_or(u64::MAX);
        events.truncate(Self::EVENTS_MAX);
        Self { event_id: EventId::new(), event: DigestKind::Digest, count, events }
    }

    /// As it is stored.
    ///
    /// # Errors
    /// None that its fields could cause.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// The kind of a [`Digest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum DigestKind {
    /// Several events.
    #[default]
    #[serde(rename = "digest")]
    Digest,
}

/// What one message tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Payload {
    /// Several events.
    Many(Digest),
    /// A daily report.
    Report(Box<ReportNotice>),
    /// One event.
    One(Box<Notification>),
}

impl Payload {
    /// Its id.
    pub fn event_id(&self) -> EventId {
        match self {
            Self::Many(digest) => digest.event_id,
            Self::Report(report) => report.event_id,
            Self::One(event) => event.event_id,
        }
    }

    /// How many more events there are than are kept with it.
    pub fn untold(&self) -> u64 {
        match self {
            Self::Many(digest) => digest.count.saturating_sub(digest.events.len().try_into().unwrap_or(u64::MAX)),
            Self::One(_) | Self::Report(_) => 0,
        }
    }

    /// The events of alerts that are told one by one.
    pub fn events(&self) -> &[Notification] {
        match self {
            Self::Many(digest) => &digest.events,
            Self::Report(_) => &[],
            Self::One(event) => std::slice::from_ref(event),
        }
    }
}
