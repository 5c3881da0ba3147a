//! What becomes of an alert: its audit trail, and what people are told of.

use chrono::{DateTime, Utc};

use super::SilenceId;
use crate::notification::EventId;

/// A change of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertEvent {
    /// Its id: the same however often it is told.
    pub id: EventId,
    /// What happened.
    pub kind: AlertEventKind,
    /// When.
    pub at: DateTime<Utc>,
    /// Who did it, where somebody did and said so.
    pub actor: Option<String>,
    /// What they wrote of it.
    pub note: Option<String>,
    /// The silence that it is about.
    pub silence: Option<SilenceId>,
}

impl AlertEvent {
    /// Something that happened by itself.
    pub fn by_itself(kind: AlertEventKind, at: DateTime<Utc>) -> Self {
        Self { id: EventId::new(), kind, at, actor: None, note: None, silence: None }
    }
}

/// What happened to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertEventKind {
    /// It was raised.
    Opened,
    /// Somebody looks after it.
    Acknowledged,
    /// It is over.
    Resolved,
    /// It is not over after all.
    Reopened,
    /// It was given to somebody, or to nobody.
    Assigned,
    /// It was raised and resolved again and again.
    Flapping,
    /// It is no more.
    Calmed,
    /// It is still open, nobody looks after it, and channels were told so.
    Repeated,
    /// A silence keeps people from being told of it.
    Silenced,
    /// None does any more.
    Unsilenced,
}

impl AlertEventKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Opened,
        Self::Acknowledged,
        Self::Resolved,
        Self::Reopened,
        Self::Assigned,
        Self::Flapping,
        Self::Calmed,
        Self::Repeated,
        Self::Silenced,
        Self::Unsilenced,
    ];

    /// Whether the alert is open when it was not before, or the other way round.
    pub fn changes_state(self) -> bool {
        matches!(self, Self::Opened | Self::Resolved | Self::Reopened)
    }

    /// Its name on the wire and in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
            Self::Reopened => "reopened",
            Self::Assigned => "assigned",
            Self::Flapping => "flapping",
            Self::Calmed => "calmed",
            Self::Repeated => "repeated",
            Self::Silenced => "silenced",
            Self::Unsilenced => "unsilenced",
        }
    }

    /// The kind with exactly this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}
