//! An alert: what it holds, and its life.

use std::ops::Range;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{RuleId, Severity, SilenceId};
use crate::app::AppId;
use crate::log::{Level, LogId};
use crate::notification::Pattern;

/// The id of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlertId(pub i64);

/// A raised alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// The app that it is about.
    pub app: AppId,
    /// A sentence for people.
    pub content: String,
    /// How far it has come.
    pub state: AlertState,
    /// When it was raised.
    pub created_at: DateTime<Utc>,
    /// The rule that raised it, which may be gone; none where another program did.
    pub rule: Option<RuleId>,
    /// What the rule was called then; empty where another program raised it.
    pub rule_name: String,
    /// How much it matters.
    pub severity: Severity,
    /// What was found; none where another program raised it.
    pub finding: Option<Finding>,
    /// Whether it was raised again and again.
    pub is_flapping: bool,
    /// Who looks after it, if that was said.
    pub acknowledged: Option<Touch>,
    /// Who resolved it. Another program does not say.
    pub resolved: Option<Touch>,
    /// Whose it is.
    pub assigned_to: Option<String>,
    /// What was written of it last.
    pub note: Option<String>,
    /// The silence that keeps people from being told of it, or kept them when it was over.
    pub silenced_by: Option<SilenceId>,
}

/// What an alert was raised for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The level that was counted; `None` is every one.
    pub level: Option<Level>,
    /// Where it was counted; the last moment is not part of it.
    pub window: Range<DateTime<Utc>>,
    /// How many logs there were.
    pub count: u64,
    /// The number that had to be passed.
    pub threshold: u64,
    /// The first of these logs.
    pub first: Option<Place>,
    /// The last of them; of an app that has gone quiet the last one before.
    pub last: Option<Place>,
    /// The most frequent messages among the newest of them.
    pub patterns: Vec<Pattern>,
    /// The path that shows these logs, with absolute times.
    pub query: String,
    /// Whether they came late: the window had been evaluated before.
    pub is_late: bool,
}

/// Where a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its id.
    pub id: LogId,
    /// Its time.
    pub created_at: DateTime<Utc>,
}

/// That somebody, or time itself, did something to an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    /// When.
    pub at: DateTime<Utc>,
    /// Who, if that was said.
    pub by: Option<String>,
}

/// The life of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    /// It waits for somebody.
    Open,
    /// Somebody looks after it.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl AlertState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Open, Self::Acknowledged, Self::Resolved];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }

    /// The state with exactly this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}
