//! A daily report as it is told: the payload that the outbox keeps and a webhook gets.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::event::EventId;
use crate::language::Language;
use crate::report::{Report, ReportId};

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReportEvent {
    /// It was made.
    #[serde(rename = "report.created")]
    Created,
    /// Logs that came late changed its day.
    #[serde(rename = "report.revised")]
    Revised,
}

impl ReportEvent {
    /// That a report is the first of its day, or another.
    pub fn of(report: &Report) -> Self {
        if report.revision > 1 { Self::Revised } else { Self::Created }
    }

    /// Its name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "report.created",
            Self::Revised => "report.revised",
        }
    }
}

/// A report, and whom it is for. Frozen when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportNotice {
    /// The event's id.
    pub event_id: EventId,
    /// What became of the report.
    pub event: ReportEvent,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The report's id.
    pub id: ReportId,
    /// The name of the subscriber.
    pub subscriber: String,
    /// The language in which people are told.
    pub language: Language,
    /// The path that shows the report.
    pub query: String,
    /// What it says.
    pub report: Report,
}

impl ReportNotice {
    /// Where people read it, below the address of this server.
    pub(super) fn address(&self, public_url: &str) -> String {
        format!("{}{}?format=html&language={}", public_url.trim_end_matches('/'), self.query, self.language.as_str())
    }

    /// As it is stored.
    ///
    /// # Errors
    /// None that its fields could cause.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}
