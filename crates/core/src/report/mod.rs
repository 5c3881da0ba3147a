//! The daily report: what a subscriber is told of a day.
//!
//! Its content is made here from numbers that are given, and dressed as text and as HTML; where the numbers come from and where it
//! is sent is others' business.

mod compose;
mod html;
mod subscriber;
#[cfg(test)]
mod tests;
mod text;
mod words;

pub use compose::{Day, Material, compose};
pub use html::{Shown, html};
pub use subscriber::{NewSubscriber, Scope, SubscriberId};
pub use text::text;
pub(crate) use text::{lines, title};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::alert::AlertId;
use crate::app::AppId;
use crate::summary::LevelCounts;

/// The id of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReportId(pub i64);

/// What is told of a day. Free of any language, and frozen when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The day, as it is cut in `zone`.
    pub date: NaiveDate,
    /// The name of the zone.
    pub zone: String,
    /// The first moment of the day.
    pub since: DateTime<Utc>,
    /// The first moment after it: 23 to 25 hours later.
    pub until: DateTime<Utc>,
    /// Whose apps it is about; everybody's when `None`.
    pub owner: Option<String>,
    /// 1, and one more whenever logs that came late changed the day.
    pub revision: u32,
    /// What the revision before said of the apps whose logs came late; empty in the first.
    #[serde(default)]
    pub changes: Vec<CountsChange>,
    /// The logs of all these apps.
    pub total: Figures,
    /// The logs of each app that has some, or had some on one of the two days it is compared with: the most errors first, then
    /// the most logs.
    pub apps: Vec<AppFigures>,
    /// How many apps without any were left out.
    pub idle_apps: u32,
    /// The most frequent errors, the most frequent first.
    pub patterns: Vec<AppPattern>,
    /// How many errors were looked at for these.
    pub errors_looked_at: u64,
    /// The alerts that were open when the report was made.
    pub alerts: OpenAlerts,
    /// The apps that had logs in the seven days before and none on this day.
    pub silent: Vec<SilentApp>,
}

/// Numbers of logs, and the same of the days that they are compared with; `None` where that day was not summed up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// On the day.
    pub counts: LevelCounts,
    /// On the day before.
    pub day_before: Option<LevelCounts>,
    /// On the same weekday of the week before.
    pub week_before: Option<LevelCounts>,
}

/// An app as a report names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedApp {
    /// Its id.
    pub id: AppId,
    /// Its name.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
}

/// The logs of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppFigures {
    /// The app.
    pub app: ReportedApp,
    /// Its numbers.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Errors of an app that differ only in their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppPattern {
    /// The app.
    pub app: ReportedApp,
    /// The message with its numbers masked.
    pub pattern: String,
    /// How many there were of those that were looked at.
    pub count: u64,
    /// One of them as it was.
    pub sample: String,
}

/// Alerts that wait for somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenAlerts {
    /// How many there are.
    pub count: u64,
    /// The newest of them, the newest first.
    pub newest: Vec<ReportedAlert>,
}

/// An alert as a report names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedAlert {
    /// Its id.
    pub id: AlertId,
    /// The app that it is about.
    pub app: ReportedApp,
    /// The sentence that says what is wrong.
    pub content: String,
    /// How bad it is.
    pub severity: String,
    /// When it was raised.
    pub opened_at: DateTime<Utc>,
}

/// An app that fell silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilentApp {
    /// The app.
    pub app: ReportedApp,
    /// How many logs it had in the seven days before.
    pub week_count: u64,
}

/// What a revision says anew of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountsChange {
    /// The app.
    pub app: ReportedApp,
    /// What was reported before.
    pub before: LevelCounts,
    /// What is right.
    pub after: LevelCounts,
}
