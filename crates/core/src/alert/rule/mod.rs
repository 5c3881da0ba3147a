//! A rule: what is looked for, where, how often, and who is told.

mod fields;

pub(crate) use fields::WINDOWS;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Condition;
use crate::app::AppId;
use crate::notification::ChannelId;

/// The name of the rule that the settings of the check set. It cannot be removed or given another name.
pub const ERROR_LOGS: &str = "error-logs";

/// The id of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(pub i64);

/// A stored rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// What it says.
    pub says: NewRule,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was changed last. Every change has a time of its own.
    pub updated_at: DateTime<Utc>,
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRule {
    /// What people call it: 1 to 100 characters, unique.
    pub name: String,
    /// The app that it is for; `None` is for each app by itself.
    pub app: Option<AppId>,
    /// What is looked for.
    pub condition: Condition,
    /// How often: a window ends at each multiple of this since 1970. Whole minutes.
    pub every: Duration,
    /// How much it matters.
    pub severity: Severity,
    /// After how many calm windows in a row its alerts are resolved by themselves; 0 is never.
    pub resolve_after: u32,
    /// After how many changes of state within [`FLAPPING_WINDOW`](crate::alert::FLAPPING_WINDOW) an alert flaps; 0 is never.
    pub flapping_after: u32,
    /// Who is told, each once.
    pub channels: Vec<ChannelId>,
    /// Whether it is evaluated.
    pub state: RuleState,
}

/// Whether a rule is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleState {
    /// It is.
    Enabled,
    /// It is not, until somebody says so.
    Disabled,
}

/// How much an alert matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look at it in the course of the day.
    Warning,
    /// Somebody has to act now.
    Critical,
}

impl Severity {
    /// Every severity, the least serious first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// Its name on the wire and in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The severity with exactly this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == name)
    }
}

/// Which rules are wanted; what is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleFilter {
    /// Only those for one of these apps, or for each app; empty means any.
    pub apps: Vec<AppId>,
    /// Only those in this state.
    pub state: Option<RuleState>,
}
