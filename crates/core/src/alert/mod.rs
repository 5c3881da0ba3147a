//! Alerts: the rules that raise them, and what they say.

mod condition;
mod content;
mod rule;
mod span;
mod watchlist;

pub use condition::{Condition, Factor, Kind, Observed, Outcome};
pub use rule::{ERROR_LOGS, NewRule, Rule, RuleFilter, RuleId, RuleState, Severity};
pub use span::short;
pub use watchlist::{Finding, Turn, Watchlist};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::app::AppId;

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
    /// Whether somebody has dealt with it.
    pub state: AlertState,
    /// When it was raised.
    pub created_at: DateTime<Utc>,
}

/// The life of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    /// It waits for somebody.
    Open,
    /// Somebody has dealt with it.
    Resolved,
}
