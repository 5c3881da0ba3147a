//! An alert as the API tells it.

use chrono::{DateTime, Utc};
use logmon_core::alert::{Alert, AlertEvent, AlertId, AlertState, Finding, Place, RuleId, Severity, SilenceId, Touch};
use logmon_core::app::AppId;
use logmon_core::log::{Level, LogId};
use logmon_core::notification::{EventId, Pattern};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::{rfc3339, rfc3339_or_none};

/// An alert.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Alert)]
pub struct AlertView {
    #[schema(value_type = i64)]
    id: AlertId,
    #[schema(example = "102 error logs in the past 10 minutes")]
    content: String,
    is_resolved: bool,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
    #[schema(value_type = i64)]
    app: AppId,
    /// `open`, `acknowledged` or `resolved`.
    #[schema(example = "open")]
    state: &'static str,
    /// `info`, `warning` or `critical`.
    #[schema(value_type = String, example = "critical")]
    severity: Severity,
    /// The rule that raised it, which may be gone; null where another program did.
    #[schema(value_type = Option<i64>)]
    rule: Option<RuleId>,
    /// What the rule was called then.
    rule_name: Option<String>,
    #[serde(serialize_with = "rfc3339_or_none")]
    acknowledged_at: Option<DateTime<Utc>>,
    acknowledged_by: Option<String>,
    #[serde(serialize_with = "rfc3339_or_none")]
    resolved_at: Option<DateTime<Utc>>,
    resolved_by: Option<String>,
    assigned_to: Option<String>,
    note: Option<String>,
    /// Whether it opens and resolves again and again, so that nobody is told of that any more.
    is_flapping: bool,
    /// The silence that keeps people from being told of it, or kept them when it was resolved.
    #[schema(value_type = Option<i64>)]
    silenced_by: Option<SilenceId>,
    /// What it was raised for; null where another program raised it.
    finding: Option<FindingView>,
}

/// What an alert was raised for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Finding)]
pub struct FindingView {
    /// The level that was counted; null is every one.
    #[schema(value_type = Option<String>, example = "ERROR")]
    level: Option<Level>,
    /// Where the window begins.
    #[serde(serialize_with = "rfc3339")]
    start: DateTime<Utc>,
    /// Where it ends; this moment is not part of it.
    #[serde(serialize_with = "rfc3339")]
    end: DateTime<Utc>,
    count: u64,
    threshold: u64,
    /// Whether it was raised by logs that came late.
    is_late: bool,
    first_log: Option<PlaceView>,
    last_log: Option<PlaceView>,
    /// The most frequent messages among the newest 1,000.
    patterns: Vec<PatternView>,
    /// The path that shows the logs, with absolute times.
    query: String,
}

/// Where a log is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogPlace)]
pub struct PlaceView {
    #[schema(value_type = i64)]
    id: LogId,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
}

/// Messages that differ only in their numbers and ids.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertPattern)]
pub struct PatternView {
    #[schema(example = "charge <n> failed")]
    pattern: String,
    count: u64,
    sample: String,
}

impl From<Finding> for FindingView {
    fn from(finding: Finding) -> Self {
        let place = |place: Place| PlaceView { id: place.id, created_at: place.created_at };
        let pattern =
            |pattern: Pattern| PatternView { pattern: pattern.pattern, count: pattern.count, sample: pattern.sample };
        Self {
            level: finding.level,
            start: finding.window.start,
            end: finding.window.end,
            count: finding.count,
            threshold: finding.threshold,
            is_late: finding.is_late,
            first_log: finding.first.map(place),
            last_log: finding.last.map(place),
            patterns: finding.patterns.into_iter().map(pattern).collect(),
            query: finding.query,
        }
    }
}

impl From<Alert> for AlertView {
    fn from(alert: Alert) -> Self {
        let split = |touch: Option<Touch>| touch.map_or((None, None), |touch| (Some(touch.at), touch.by));
        let (acknowledged_at, acknowledged_by) = split(alert.acknowledged);
        let (resolved_at, resolved_by) = split(alert.resolved);
        Self {
            id: alert.id,
            content: alert.content,
            is_resolved: alert.state == AlertState::Resolved,
            created_at: alert.created_at,
            app: alert.app,
            state: alert.state.as_str(),
            severity: alert.severity,
            rule: alert.rule,
            rule_name: Some(alert.rule_name).filter(|name| !name.is_empty()),
            acknowledged_at,
            acknowledged_by,
            resolved_at,
            resolved_by,
            assigned_to: alert.assigned_to,
            note: alert.note,
            is_flapping: alert.is_flapping,
            silenced_by: alert.silenced_by,
            finding: alert.finding.map(FindingView::from),
        }
    }
}

/// An alert with what became of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertWithTimeline)]
pub struct WholeAlertView {
    #[serde(flatten)]
    alert: AlertView,
    /// What became of it, the oldest first.
    timeline: Vec<EventView>,
}

/// A change of an alert.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertEvent)]
pub struct EventView {
    /// The same wherever people are told of it.
    #[schema(value_type = String)]
    event_id: EventId,
    /// `opened`, `acknowledged`, `resolved`, `reopened`, `assigned`, `flapping`, `calmed`, `repeated`,
    /// `silenced` or `unsilenced`.
    #[schema(example = "opened")]
    kind: &'static str,
    #[serde(serialize_with = "rfc3339")]
    at: DateTime<Utc>,
    /// Who did it; null where it came by itself, or nobody said.
    actor: Option<String>,
    note: Option<String>,
    /// The silence that began or ended for it.
    #[schema(value_type = Option<i64>)]
    silence: Option<SilenceId>,
}

impl From<(Alert, Vec<AlertEvent>)> for WholeAlertView {
    fn from((alert, events): (Alert, Vec<AlertEvent>)) -> Self {
        let event = |event: AlertEvent| EventView {
            event_id: event.id,
            kind: event.kind.as_str(),
            at: event.at,
            actor: event.actor,
            note: event.note,
            silence: event.silence,
        };
        Self { alert: alert.into(), timeline: events.into_iter().map(event).collect() }
    }
}
