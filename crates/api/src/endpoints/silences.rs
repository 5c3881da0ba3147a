//! `/api/silences/`: when nobody is told of which alerts. They are raised and resolved all the same.

use std::borrow::Cow;

use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, Responder};
use chrono::{DateTime, Utc};
use logmon_core::alert::{
    NewSilence, Recurrence, RuleId, Silence, SilenceChange, SilenceFilter, SilenceId, SilenceState, Touch,
};
use logmon_core::app::AppId;
use logmon_core::field::{self, FieldErrors, FieldValue};
use logmon_core::page::Cursor;
use logmon_store::db::silences::{self, SILENCES_MAX, SaveSilenceError};
use logmon_store::db::{Connection, DbError, alerts};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{rfc3339, rfc3339_or_none, row_id};
use crate::body::Body;
use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::openapi::shared::{Detail, NoSuch, Paging};
use crate::query::{Listing, Query};
use crate::state::State;

/// How many alerts are marked before the answer; a worker marks the rest within 10 seconds.
const MARKED_AT_ONCE: usize = 100;
/// How long a name may be, in characters.
const NAME_MAX: usize = 100;

/// A silence.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Silence)]
pub struct SilenceView {
    #[schema(value_type = i64)]
    id: SilenceId,
    /// Of which app's alerts nobody is told; null is of every one's.
    #[schema(value_type = Option<i64>)]
    app: Option<AppId>,
    /// Of which rule's alerts; null is of every one's.
    #[schema(value_type = Option<i64>)]
    rule: Option<RuleId>,
    #[serde(serialize_with = "rfc3339")]
    starts_at: DateTime<Utc>,
    /// This moment is not part of it; null where it recurs until somebody ends it.
    #[serde(serialize_with = "rfc3339_or_none")]
    ends_at: Option<DateTime<Utc>>,
    /// At which hours of which days; null is all the time.
    #[schema(value_type = Option<RecurrenceView>)]
    recurring: Option<Box<RawValue>>,
    /// Who wants it so.
    #[schema(example = "li")]
    created_by: String,
    /// Why.
    #[schema(example = "database is moved")]
    comment: String,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
    /// When it was changed or ended last; null where it never was.
    #[serde(serialize_with = "rfc3339_or_none")]
    updated_at: Option<DateTime<Utc>>,
    /// By whom, if they said so.
    updated_by: Option<String>,
    /// `active`, `upcoming` or `ended`.
    #[schema(example = "active")]
    state: &'static str,
    /// The time in which it silences: this one or else the next; null when it has ended.
    period: Option<PeriodView>,
}

/// Hours of some days of the week, by the clock of a zone.
#[derive(Debug, ToSchema)]
#[schema(as = Recurrence)]
pub struct RecurrenceView {
    /// `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`: the days on which they begin.
    #[schema(min_items = 1, example = json!(["sat", "sun"]))]
    pub weekdays: Vec<String>,
    /// Where they begin.
    #[schema(example = "22:00")]
    pub from: String,
    /// Where they end: on the next day where that is not later.
    #[schema(example = "06:00")]
    pub to: String,
    /// An IANA name; `TIME_ZONE` where it is left out.
    #[schema(example = "Asia/Shanghai")]
    pub zone: Option<String>,
}

/// A time without its last moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Period)]
pub struct PeriodView {
    #[serde(serialize_with = "rfc3339")]
    start: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339")]
    end: DateTime<Utc>,
}

/// What a silence says.
#[derive(Debug, ToSchema)]
pub struct SilenceBody {
    /// Of which app's alerts nobody is told; null is of every one's.
    pub app: Option<i64>,
    /// Of which rule's alerts; null is of every one's.
    pub rule: Option<i64>,
    /// From when on: now, unless it is later.
    pub starts_at: Option<DateTime<Utc>>,
    /// Until when; required unless it recurs.
    pub ends_at: Option<DateTime<Utc>>,
    /// At which hours of which days; null is all the time.
    pub recurring: Option<RecurrenceView>,
    /// Who wants it so.
    #[schema(min_length = 1, max_length = 100, example = "li")]
    pub created_by: String,
    /// Why.
    #[schema(min_length = 1, max_length = 1_000, example = "database is moved")]
    pub comment: String,
}

/// What may be changed of a silence. What is left out stays.
#[derive(Debug, ToSchema)]
pub struct SilenceChangeBody {
    /// Until when; null is until somebody ends it, where it recurs.
    pub ends_at: Option<DateTime<Utc>>,
    /// Why.
    #[schema(nullable = false, min_length = 1, max_length = 1_000)]
    pub comment: Option<String>,
    /// Who changes it.
    #[schema(max_length = 100, example = "li")]
    pub by: Option<String>,
}

impl SilenceView {
    fn at(silence: Silence, now: DateTime<Utc>) -> Self {
        let Silence { id, says, created_at, updated } = silence;
        let (state, period) = (says.state(now).as_str(), says.period(now));
        let (updated_at, updated_by) = updated.map_or((None, None), |Touch { at, by }| (Some(at), by));
        let recurring = says.recurring.as_ref().map(Recurrence::to_json);
        Self {
            id,
            app: says.app,
            rule: says.rule,
            starts_at: says.starts_at,
            ends_at: says.ends_at,
            recurring: recurring.and_then(|json| RawValue::from_string(json).ok()),
            created_by: says.created_by,
            comment: says.comment,
            created_at,
            updated_at,
            updated_by,
            state,
            period: period.map(|period| PeriodView { start: period.start, end: period.end }),
        }
    }
}

impl From<SaveSilenceError> for ApiError {
    fn from(error: SaveSilenceError) -> Self {
        let missing = |field, id: i64| FieldErrors::one(field, format!("Invalid pk \"{id}\" - object does not exist."));
        match error {
            SaveSilenceError::NoSuchApp(AppId(id)) => missing("app", id).into(),
            SaveSilenceError::NoSuchRule(RuleId(id)) => missing("rule", id).into(),
            SaveSilenceError::TooMany => {
                FieldErrors::non_field(format!("There may be {SILENCES_MAX} silences at most that have not ended."))
                    .into()
            }
            SaveSilenceError::Ended => Self::detail(ErrorCode::Conflict, "The silence has ended: make another."),
            SaveSilenceError::Wrong(errors) => errors.into(),
            SaveSilenceError::Db(error) => error.into(),
        }
    }
}

/// The silences, newest first: those that have not ended, unless `state` says otherwise.
#[utoipa::path(
    get,
    path = "/api/silences/",
    params(
        ("state" = Option<Vec<String>>, Query, description = "Only in these: `active`, `upcoming`, `ended`."),
        ("app" = Option<Vec<i64>>, Query, description = "Only silences for these apps and for each app."),
        ("rule" = Option<Vec<i64>>, Query, description = "Only silences for these rules and for each rule."),
        Paging
    ),
    responses((status = 200, description = "A page of them.", body = [SilenceView]))
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let query = Query::parse(request.query_string());
    let (filter, page, now) = (filter(&query)?, query.page()?, state.clock.now());
    let rows =
        state.database(move |conn| silences::list(conn, &filter, Listing::<SilenceView>::one_more(page), now)).await?;
    let place = |silence: &Silence| Cursor { created_at: silence.created_at, id: silence.id.0 };
    Ok(Listing::new(rows, page, place, |silence| SilenceView::at(silence, now)))
}

fn filter(query: &Query) -> Result<SilenceFilter, FieldErrors> {
    let mut errors = FieldErrors::default();
    let states = query.all("state").map(|name| {
        SilenceState::from_name(name)
            .ok_or_else(|| vec![format!("\"{name}\" is not a valid choice: active, upcoming or ended.")])
    });
    let states = errors.take("state", states.collect::<Result<Vec<_>, _>>()).unwrap_or_default();
    let states = if states.is_empty() { vec![SilenceState::Active, SilenceState::Upcoming] } else { states };
    let apps = errors.take("app", AppId::from_query(query.all("app"))).unwrap_or_default();
    let rules = errors.take("rule", field::ids(query.all("rule"), "a rule", RuleId)).unwrap_or_default();
    errors.into_result(SilenceFilter { states, apps, rules })
}

/// Makes a silence: alerts go on being raised, and nobody is told of them until it ends.
#[utoipa::path(
    post,
    path = "/api/silences/",
    request_body = SilenceBody,
    responses((status = 201, description = "The silence.", body = SilenceView))
)]
pub async fn create(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let body = Body::read(&request, payload, &state).await?;
    let now = state.clock.now();
    let silence = NewSilence::from_fields(&body.fields()?, now, state.zone)?;
    let work = move |conn: &mut Connection| {
        let silence = silences::create(conn, &silence, now)?;
        mark(conn, now);
        Ok::<_, SaveSilenceError>(silence)
    };
    let silence = state.database(work).await?;
    Ok(HttpResponse::Created().json(SilenceView::at(silence, now)))
}

/// One silence.
#[utoipa::path(
    get,
    path = "/api/silences/{id}/",
    params(("id" = i64, Path, description = "The silence's id.")),
    responses((status = 200, description = "The silence.", body = SilenceView), NoSuch)
)]
pub async fn show(id: Path<String>, state: Data<State>) -> Result<impl Responder, ApiError> {
    let (id, now) = (silence_id(&id)?, state.clock.now());
    let silence = state.database(move |conn| silences::get(conn, id)).await?;
    Ok(Json(SilenceView::at(silence.ok_or_else(none)?, now)))
}

/// Changes when a silence ends, or why it is there.
#[utoipa::path(
    patch,
    path = "/api/silences/{id}/",
    params(("id" = i64, Path, description = "The silence's id.")),
    request_body = SilenceChangeBody,
    responses(
        (status = 200, description = "The silence, changed.", body = SilenceView),
        NoSuch,
        (status = 409, description = "It has ended.", body = Detail)
    )
)]
pub async fn change(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    state: Data<State>,
) -> Result<impl Responder, ApiError> {
    let id = silence_id(&id)?;
    let body = Body::read(&request, payload, &state).await?;
    let now = state.clock.now();
    let change = SilenceChange::from_fields(&body.fields()?, now)?;
    let silence = state.database(move |conn| silences::update(conn, id, &change, now)).await?;
    Ok(Json(SilenceView::at(silence.ok_or_else(none)?, now)))
}

/// Ends a silence now; again, the same answer.
///
/// It is kept, with who wanted it and why. What it kept back is told where it still holds.
#[utoipa::path(
    delete,
    path = "/api/silences/{id}/",
    params(
        ("id" = i64, Path, description = "The silence's id."),
        ("by" = Option<String>, Query, description = "Who ends it.")
    ),
    responses((status = 200, description = "The silence, ended.", body = SilenceView), NoSuch)
)]
pub async fn end(id: Path<String>, request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let id = silence_id(&id)?;
    let query = Query::parse(request.query_string());
    let by = query.last("by").filter(|by| !by.is_empty()).map(|by| FieldValue::Text(by.into()));
    let mut errors = FieldErrors::default();
    let by = errors.take("by", field::optional_text(by.as_ref(), NAME_MAX)).flatten().map(Cow::into_owned);
    errors.into_result(())?;
    let now = state.clock.now();
    let work = move |conn: &mut Connection| {
        let silence = silences::end(conn, id, by.as_deref(), now)?;
        mark(conn, now);
        Ok::<_, DbError>(silence)
    };
    Ok(Json(SilenceView::at(state.database(work).await?.ok_or_else(none)?, now)))
}

/// Lets alerts say what they are under now, so that whoever looks sees it at once. What is not done here a worker does.
fn mark(conn: &mut Connection, now: DateTime<Utc>) {
    let marked = alerts::unsettled(conn, now).and_then(|alerts| {
        alerts.into_iter().take(MARKED_AT_ONCE).try_for_each(|alert| alerts::settle(conn, alert, now))
    });
    if let Err(error) = marked {
        log::debug!("a worker marks what a silence is for: {error}");
    }
}

fn silence_id(text: &str) -> Result<SilenceId, ApiError> {
    row_id(text, "Silence").map(SilenceId)
}

fn none() -> ApiError {
    ApiError::no_such("Silence")
}
