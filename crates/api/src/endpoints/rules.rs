//! `/api/rules/`: what raises alerts.

use actix_web::http::header::{ETAG, IF_MATCH};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, Responder};
use chrono::{DateTime, Utc};
use logmon_core::alert::{Factor, NewRule, Rule, RuleFilter, RuleId, RuleState, Severity, short};
use logmon_core::app::AppId;
use logmon_core::field::FieldErrors;
use logmon_core::log::Level;
use logmon_core::notification::ChannelId;
use logmon_core::page::Cursor;
use logmon_store::db::Connection;
use logmon_store::db::rules::{self, RULES_MAX, SaveRuleError};
use serde::Serialize;

use super::{rfc3339, row_id};
use crate::body::Body;
use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::query::{Listing, Query};
use crate::state::State;

/// A rule.
#[derive(Debug, Serialize)]
pub struct RuleView {
    id: RuleId,
    name: String,
    /// The app that it is for, or null for each app.
    app: Option<AppId>,
    /// `more_than`, `none` or `multiple`.
    kind: &'static str,
    /// Null counts logs of every level.
    level: Option<Level>,
    /// What the message contains, as the parameter `q` of a search says it.
    text: Option<String>,
    threshold: u64,
    factor: Option<f64>,
    window: String,
    every: String,
    severity: Severity,
    /// After so many calm windows in a row its alerts are resolved by themselves; 0 is never.
    resolve_after: u32,
    channels: Vec<ChannelId>,
    enabled: bool,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339")]
    updated_at: DateTime<Utc>,
}

impl From<Rule> for RuleView {
    fn from(rule: Rule) -> Self {
        let Rule { id, says, created_at, updated_at } = rule;
        let NewRule { name, app, condition, every, severity, resolve_after, channels, state } = says;
        Self {
            id,
            name,
            app,
            kind: condition.kind.as_str(),
            level: condition.level,
            threshold: condition.threshold(),
            factor: condition.kind.factor().map(Factor::value),
            window: short(condition.window),
            text: condition.text,
            every: short(every),
            severity,
            resolve_after,
            channels,
            enabled: state == RuleState::Enabled,
            created_at,
            updated_at,
        }
    }
}

impl From<SaveRuleError> for ApiError {
    fn from(error: SaveRuleError) -> Self {
        match error {
            SaveRuleError::NameTaken => FieldErrors::one("name", "rule with this name already exists.").into(),
            SaveRuleError::NoSuchApp(AppId(app)) => {
                FieldErrors::one("app", format!("Invalid pk \"{app}\" - object does not exist.")).into()
            }
            SaveRuleError::TooMany => FieldErrors::non_field(format!("There may be {RULES_MAX} rules at most.")).into(),
            SaveRuleError::Changed => {
                Self::detail(ErrorCode::PreconditionFailed, "The rule was changed meanwhile: read it again.")
            }
            SaveRuleError::IsOfTheSettings => {
                Self::detail(ErrorCode::Conflict, "The rule of the settings cannot be removed: disable it instead.")
            }
            SaveRuleError::Db(error) => error.into(),
        }
    }
}

/// The rules for `app` and for each app, `enabled` or not, newest first.
pub async fn list(request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let query = Query::parse(request.query_string());
    let mut errors = FieldErrors::default();
    let apps = errors.take("app", AppId::from_query(query.all("app"))).unwrap_or_default();
    let enabled = match query.last("enabled").unwrap_or_default() {
        "" => Ok(None),
        "true" => Ok(Some(RuleState::Enabled)),
        "false" => Ok(Some(RuleState::Disabled)),
        other => Err(vec![format!("\"{other}\" is not a valid choice: true or false.")]),
    };
    let enabled = errors.take("enabled", enabled).flatten();
    let filter = errors.into_result(RuleFilter { apps, state: enabled })?;
    let page = query.page()?;
    let rows = state.database(move |conn| rules::list(conn, &filter, Listing::<RuleView>::one_more(page))).await?;
    let place = |rule: &Rule| Cursor { created_at: rule.created_at, id: rule.id.0 };
    Ok(Listing::new(rows, page, place, RuleView::from))
}

/// Makes a rule.
pub async fn create(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let body = Body::read(&request, payload, &state).await?;
    let (rule, now) = (NewRule::from_fields(&body.fields()?, None)?, state.clock.now());
    let rule = state.database(move |conn| rules::create(conn, &rule, now)).await?;
    Ok(answer(HttpResponse::Created(), rule))
}

/// One rule.
pub async fn show(id: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let id = rule_id(&id)?;
    let rule = state.database(move |conn| rules::get(conn, id)).await?;
    Ok(answer(HttpResponse::Ok(), rule.ok_or_else(none)?))
}

/// Changes the fields of a rule that are sent. With `If-Match` only where nobody else has changed it: 412 otherwise.
pub async fn change(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    state: Data<State>,
) -> Result<HttpResponse, ApiError> {
    let id = rule_id(&id)?;
    let expected = Expected::of(&request);
    let body = Body::read(&request, payload, &state).await?;
    let now = state.clock.now();
    let work = move |conn: &mut Connection| {
        let rule = rules::get(conn, id)?.ok_or_else(none)?;
        expected.check(&rule)?;
        let says = NewRule::from_fields(&body.fields()?, Some(&rule.says))?;
        rules::update(conn, id, rule.updated_at, &says, now)?.ok_or_else(none)
    };
    Ok(answer(HttpResponse::Ok(), state.database(work).await?))
}

/// Replaces a rule: a field that is not sent takes its default. `If-Match` as with PATCH.
pub async fn replace(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    state: Data<State>,
) -> Result<HttpResponse, ApiError> {
    let id = rule_id(&id)?;
    let expected = Expected::of(&request);
    let body = Body::read(&request, payload, &state).await?;
    let says = NewRule::from_fields(&body.fields()?, None)?;
    let now = state.clock.now();
    let work = move |conn: &mut Connection| {
        let rule = rules::get(conn, id)?.ok_or_else(none)?;
        expected.check(&rule)?;
        let says = says.in_place_of(&rule.says)?;
        rules::update(conn, id, rule.updated_at, &says, now)?.ok_or_else(none)
    };
    Ok(answer(HttpResponse::Ok(), state.database(work).await?))
}

/// Removes a rule; its alerts stay. `If-Match` as with PATCH.
pub async fn delete(id: Path<String>, request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let id = rule_id(&id)?;
    let expected = Expected::of(&request);
    let work = move |conn: &mut Connection| {
        let rule = rules::get(conn, id)?.ok_or_else(none)?;
        expected.check(&rule)?;
        let seen = if expected == Expected::Any { None } else { Some(rule.updated_at) };
        if rules::delete(conn, id, seen)? { Ok(()) } else { Err(none()) }
    };
    state.database(work).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What `If-Match` says.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    /// Nothing, or `*`.
    Any,
    /// One of these tags, which may be in the form of a list.
    Tags(String),
}

impl Expected {
    fn of(request: &HttpRequest) -> Self {
        match request.headers().get(IF_MATCH).map(|value| value.to_str().unwrap_or_default().trim()) {
            None | Some("*") => Self::Any,
            Some(tags) => Self::Tags(tags.to_owned()),
        }
    }

    fn check(&self, rule: &Rule) -> Result<(), SaveRuleError> {
        match self {
            Self::Tags(tags) if tags.split(',').all(|given| given.trim() != tag(rule)) => Err(SaveRuleError::Changed),
            Self::Any | Self::Tags(_) => Ok(()),
        }
    }
}

fn tag(rule: &Rule) -> String {
    format!("\"{}\"", rule.updated_at.timestamp_micros())
}

fn answer(mut response: actix_web::HttpResponseBuilder, rule: Rule) -> HttpResponse {
    response.insert_header((ETAG, tag(&rule))).json(RuleView::from(rule))
}

fn rule_id(text: &str) -> Result<RuleId, ApiError> {
    row_id(text, "Rule").map(RuleId)
}

fn none() -> ApiError {
    ApiError::no_such("Rule")
}
