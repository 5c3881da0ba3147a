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
use utoipa::ToSchema;

// What `utoipa::path` makes beside a handler goes with it.
pub use super::backtest::{__path_test, test};
use super::logs::document::LevelName;
use super::{rfc3339, row_id};
use crate::body::Body;
use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::openapi::shared::{Detail, NoSuch, Paging};
use crate::query::{Listing, Query};
use crate::state::State;

/// A rule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rule)]
pub struct RuleView {
    #[schema(value_type = i64)]
    id: RuleId,
    #[schema(example = "pay slow")]
    name: String,
    /// The app that it is for, or null for each app.
    #[schema(value_type = Option<i64>)]
    app: Option<AppId>,
    /// `more_than`, `none` or `multiple`.
    #[schema(example = "more_than")]
    kind: &'static str,
    /// Null counts logs of every level.
    #[schema(value_type = Option<String>, example = "ERROR")]
    level: Option<Level>,
    /// What the message contains, as the parameter `q` of a search says it.
    text: Option<String>,
    threshold: u64,
    factor: Option<f64>,
    /// How far back logs are counted.
    #[schema(example = "10m")]
    window: String,
    /// How often.
    #[schema(example = "10m")]
    every: String,
    /// `info`, `warning` or `critical`.
    #[schema(value_type = String, example = "warning")]
    severity: Severity,
    /// After so many calm windows in a row its alerts are resolved by themselves; 0 is never.
    resolve_after: u32,
    /// After more changes of state than this within 6 hours an alert flaps; 0 is never.
    flapping_after: u32,
    /// Who is told.
    #[schema(value_type = Vec<i64>)]
    channels: Vec<ChannelId>,
    enabled: bool,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339")]
    updated_at: DateTime<Utc>,
}

/// What a rule says. What is left out has its default; in a change it stays.
#[derive(Debug, ToSchema)]
pub struct RuleBody {
    /// Its name, which no other rule has; required but in a change.
    #[schema(nullable = false, min_length = 1, max_length = 100, example = "pay slow")]
    pub name: Option<String>,
    /// The app that it is for; null is for each app by itself.
    pub app: Option<i64>,
    /// `more_than` logs than `threshold`; `none` at all, of an app that has had some before; a `multiple`: more than
    /// `factor` times those of the same window 24 hours before, and more than `threshold`.
    #[schema(nullable = false)]
    pub kind: Option<KindName>,
    /// Whose logs count; null is every level. Otherwise ERROR, and null for `none`.
    pub level: Option<LevelName>,
    /// Only logs whose message contains this, as the parameter `q` of a search says it; the window is then at most an hour.
    #[schema(max_length = 256)]
    pub text: Option<String>,
    /// Required for `more_than` and `multiple`.
    #[schema(nullable = false, minimum = 0, maximum = 1_000_000_000, example = 20)]
    pub threshold: Option<u64>,
    /// Required for `multiple`; two decimals at most.
    #[schema(nullable = false, minimum = 1.01, maximum = 1_000)]
    pub factor: Option<f64>,
    /// How far back logs are counted: whole minutes from `1m` to `7d`.
    #[schema(nullable = false, default = "10m")]
    pub window: Option<String>,
    /// How often: whole minutes from `1m` to `1d`.
    #[schema(nullable = false, default = "10m")]
    pub every: Option<String>,
    /// How much its alerts matter.
    #[schema(nullable = false)]
    pub severity: Option<SeverityName>,
    /// After so many calm windows in a row its alerts are resolved by themselves; 0 is never.
    #[schema(nullable = false, minimum = 0, maximum = 1_000, default = 3)]
    pub resolve_after: Option<u32>,
    /// After more changes of state than this within 6 hours an alert flaps: people are told so once, and then nothing until it has
    /// stayed the same for an hour. 0 is never.
    #[schema(nullable = false, minimum = 0, maximum = 100, default = 6)]
    pub flapping_after: Option<u32>,
    /// The ids of the channels through which people are told.
    #[schema(nullable = false, max_items = 20)]
    pub channels: Option<Vec<i64>>,
    /// Whether it is evaluated.
    #[schema(nullable = false, default = true)]
    pub enabled: Option<bool>,
}

/// What a rule looks for.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case", default = "more_than")]
pub enum KindName {
    /// More than so many.
    MoreThan,
    /// Not one.
    None,
    /// So many times more than the day before.
    Multiple,
}

/// How much an alert matters.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase", default = "warning")]
pub enum SeverityName {
    /// Good to know.
    Info,
    /// Somebody should look at it in the course of the day.
    Warning,
    /// Somebody has to act now.
    Critical,
}

/// A change that is made only where nobody else has made one.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
pub struct MatchParameter {
    /// The `ETag` of the rule as it was read: it is changed only where it is still so.
    #[param(rename = "If-Match", nullable = false)]
    pub if_match: Option<String>,
}

impl From<Rule> for RuleView {
    fn from(rule: Rule) -> Self {
        let Rule { id, says, created_at, updated_at } = rule;
        let NewRule { name, app, condition, every, severity, resolve_after, flapping_after, channels, state } = says;
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
            flapping_after,
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
            SaveRuleError::NoSuchChannels(missing) => {
                let message = |id: &ChannelId| format!("Invalid pk \"{}\" - object does not exist.", id.0);
                let mut errors = FieldErrors::default();
                errors.add("channels", missing.iter().map(message).collect());
                errors.into()
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
#[utoipa::path(
    get,
    path = "/api/rules/",
    params(
        ("app" = Option<Vec<i64>>, Query, description = "Only rules for these apps and for each app."),
        ("enabled" = Option<bool>, Query, description = "Only rules that are enabled, or are not."),
        Paging
    ),
    responses((status = 200, description = "A page of them.", body = [RuleView]))
)]
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
#[utoipa::path(
    post,
    path = "/api/rules/",
    request_body = RuleBody,
    responses(
        (status = 201, description = "The rule.", body = RuleView, headers(("ETag" = String, description = "Names the state of the rule, for `If-Match`.")))
    )
)]
pub async fn create(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let body = Body::read(&request, payload, &state).await?;
    let (rule, now) = (NewRule::from_fields(&body.fields()?, None)?, state.clock.now());
    let rule = state.database(move |conn| rules::create(conn, &rule, now)).await?;
    state.watch.rules_changed();
    Ok(answer(HttpResponse::Created(), rule))
}

/// One rule.
#[utoipa::path(
    get,
    path = "/api/rules/{id}/",
    params(("id" = i64, Path, description = "The rule's id.")),
    responses(
        (status = 200, description = "The rule.", body = RuleView, headers(("ETag" = String, description = "Names the state of the rule, for `If-Match`."))),
        NoSuch
    )
)]
pub async fn show(id: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let id = rule_id(&id)?;
    let rule = state.database(move |conn| rules::get(conn, id)).await?;
    Ok(answer(HttpResponse::Ok(), rule.ok_or_else(none)?))
}

/// Changes the fields of a rule that are sent. With `If-Match` only where nobody else has changed it: 412 otherwise.
#[utoipa::path(
    patch,
    path = "/api/rules/{id}/",
    params(("id" = i64, Path, description = "The rule's id."), MatchParameter),
    request_body = RuleBody,
    responses(
        (status = 200, description = "The rule, changed.", body = RuleView, headers(("ETag" = String, description = "Names the state of the rule, for `If-Match`."))),
        NoSuch,
        (status = 412, description = "The rule was changed meanwhile.", body = Detail)
    )
)]
pub async fn change(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    state: Data<State>,
) -> Result<HttpResponse, ApiError> {
    let id = rule_id(&id)?;
    let body = Body::read(&request, payload, &state).await?;
    let says = move |kept: &NewRule| NewRule::from_fields(&body.fields()?, Some(kept)).map_err(ApiError::from);
    update(id, Expected::of(&request), &state, says).await
}

/// Replaces a rule: a field that is not sent takes its default. `If-Match` as with PATCH.
#[utoipa::path(
    put,
    path = "/api/rules/{id}/",
    params(("id" = i64, Path, description = "The rule's id."), MatchParameter),
    request_body = RuleBody,
    responses(
        (status = 200, description = "The rule, changed.", body = RuleView, headers(("ETag" = String, description = "Names the state of the rule, for `If-Match`."))),
        NoSuch,
        (status = 412, description = "The rule was changed meanwhile.", body = Detail)
    )
)]
pub async fn replace(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    state: Data<State>,
) -> Result<HttpResponse, ApiError> {
    let id = rule_id(&id)?;
    let body = Body::read(&request, payload, &state).await?;
    let says = NewRule::from_fields(&body.fields()?, None)?;
    update(id, Expected::of(&request), &state, move |kept| Ok(says.in_place_of(kept)?)).await
}

/// Lets a rule say what `says` makes of what it said.
async fn update(
    id: RuleId,
    expected: Expected,
    state: &State,
    says: impl FnOnce(&NewRule) -> Result<NewRule, ApiError> + Send + 'static,
) -> Result<HttpResponse, ApiError> {
    let now = state.clock.now();
    let work = move |conn: &mut Connection| {
        let rule = rules::get(conn, id)?.ok_or_else(none)?;
        expected.check(&rule)?;
        rules::update(conn, id, rule.updated_at, &says(&rule.says)?, now)?.ok_or_else(none)
    };
    let rule = state.database(work).await?;
    state.watch.rules_changed();
    Ok(answer(HttpResponse::Ok(), rule))
}

/// Removes a rule; its alerts stay. `If-Match` as with PATCH.
#[utoipa::path(
    delete,
    path = "/api/rules/{id}/",
    params(("id" = i64, Path, description = "The rule's id."), MatchParameter),
    responses(
        (status = 204, description = "It is gone."),
        NoSuch,
        (status = 409, description = "The rule of the settings cannot be removed.", body = Detail),
        (status = 412, description = "The rule was changed meanwhile.", body = Detail)
    )
)]
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
    state.watch.rules_changed();
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
