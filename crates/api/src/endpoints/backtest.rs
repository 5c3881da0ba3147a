//! `POST /api/rules/test/`: how often a rule would have fired.

use std::time::Duration;

use actix_web::web::{Data, Json, Payload};
use actix_web::{HttpRequest, Responder};
use chrono::{DateTime, TimeDelta, Utc};
use logmon_core::alert::{Backtested, BreachedWindow, NewRule, OfApp};
use logmon_core::app::AppId;
use logmon_core::field::{FieldErrors, FieldValue};
use logmon_core::python::{self, Int};
use logmon_store::db::backtest::{Looked, backtest};
use logmon_store::db::rules::SaveRuleError;
use logmon_store::db::{apps, log_counts};
use serde::Serialize;
use utoipa::ToSchema;

use super::rules::RuleBody;
use super::{RangeView, rfc3339};
use crate::body::Body;
use crate::error::ApiError;
use crate::openapi::shared::Busy;
use crate::query::Query;
use crate::state::State;

/// How many days of the past are looked at, at most and where nothing is said.
const DAYS: i64 = 30;
// The attribute below takes numbers only.
const _: () = assert!(DAYS == 30);
/// How long the past is looked at.
const BUDGET: Duration = Duration::from_millis(1_400);

/// How often a rule would have fired.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Backtest)]
struct BacktestView {
    /// The past that was asked for: every window that ended after `since`, and up to `until`.
    range: RangeView,
    /// How many alerts it would have raised.
    alerts: u64,
    /// How many windows it would have found to be breached, those with an open alert too.
    breached: u64,
    /// The same by app, where it is not none.
    apps: Vec<OfAppView>,
    /// The breached windows, the newest first: 500 at most.
    windows: Vec<WindowView>,
    /// Whether only a part of the range was looked at.
    approx: bool,
    /// That part.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = RangeView, required = false)]
    looked_at: Option<RangeView>,
}

/// How often a rule would have fired for an app.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BacktestOfApp)]
struct OfAppView {
    #[schema(value_type = i64)]
    app: AppId,
    alerts: u64,
    breached: u64,
}

/// A window in which a rule would have fired.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BreachedWindow)]
struct WindowView {
    #[schema(value_type = i64)]
    app: AppId,
    #[serde(serialize_with = "rfc3339")]
    start: DateTime<Utc>,
    /// This moment is not part of it.
    #[serde(serialize_with = "rfc3339")]
    end: DateTime<Utc>,
    count: u64,
    /// Whether it would have raised an alert; otherwise the one before was still open.
    raises: bool,
}

/// How often a rule would have fired in the past days, as if no alert had been open before and nobody had resolved one.
///
/// The windows are judged as the worker does it, by what the counts say now: also of logs that came late. The newest are
/// looked at first, and as many days as there is time for. No count knows texts, so a rule with a `text` gets a 400. `name` may
/// be left out.
#[utoipa::path(
    post,
    path = "/api/rules/test/",
    params(("days" = Option<u32>, Query, description = "How many days back; otherwise 30.", minimum = 1, maximum = 30)),
    request_body = RuleBody,
    responses((status = 200, description = "How often it would have fired.", body = BacktestView), Busy)
)]
pub async fn test(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<impl Responder, ApiError> {
    let days = days(Query::parse(request.query_string()).last("days"));
    let body = Body::read(&request, payload, &state).await?;
    let mut fields = body.fields()?;
    if fields.get("name").is_none() {
        fields.set("name", FieldValue::Text("test".into()));
    }
    let mut errors = FieldErrors::default();
    let days = errors.take("days", days);
    let rule = errors.merge(NewRule::from_fields(&fields, None));
    if rule.as_ref().is_some_and(|rule| rule.condition.text.is_some()) {
        errors.add("text", vec!["No count knows texts: only a rule without one can be tested.".to_owned()]);
    }
    let Some((days, rule)) = errors.into_result(days.zip(rule))? else {
        return Err(ApiError::internal("a rule was neither right nor wrong".to_owned()));
    };
    let until = log_counts::minute(state.clock.now());
    let range = until - TimeDelta::days(days)..until;
    let (turn, asked) = (state.search_turn(rule.app.as_slice()).await?, range.clone());
    let looked = state.database(move |conn| {
        let _turn = turn;
        match rule.app {
            Some(app) if apps::get(conn, app)?.is_none() => Err(SaveRuleError::NoSuchApp(app)),
            _ => Ok(backtest(conn, &rule, &asked, BUDGET)?),
        }
    });
    let Looked { tested, since } = looked.await?;
    let approx = since > range.start;
    let looked_at = approx.then_some(RangeView { since, until });
    Ok(Json(view(tested, RangeView { since: range.start, until }, looked_at)))
}

fn days(text: Option<&str>) -> Result<i64, Vec<String>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(DAYS) };
    match python::int(text) {
        Some(Int::Small(days)) if (1..=DAYS).contains(&days) => Ok(days),
        _ => Err(vec![format!("Expected a number from 1 to {DAYS}.")]),
    }
}

fn view(tested: Backtested, range: RangeView, looked_at: Option<RangeView>) -> BacktestView {
    let of_app = |(app, of_app): (AppId, OfApp)| OfAppView { app, alerts: of_app.alerts, breached: of_app.breached };
    let apps: Vec<OfAppView> = tested.apps.into_iter().map(of_app).collect();
    let window = |breach: BreachedWindow| {
        let BreachedWindow { app, window, count, raises } = breach;
        WindowView { app, start: window.start, end: window.end, count, raises }
    };
    BacktestView {
        range,
        alerts: apps.iter().map(|app| app.alerts).sum(),
        breached: apps.iter().map(|app| app.breached).sum(),
        apps,
        windows: tested.windows.into_iter().map(window).collect(),
        approx: looked_at.is_some(),
        looked_at,
    }
}
