//! `/api/summaries/`: the daily summaries.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, Responder};
use chrono::{Datelike as _, NaiveDate};
use logmon_core::app::AppId;
use logmon_core::celery::{BadArguments, NewTask};
use logmon_core::field::{self, FieldErrors, FieldValue, Fields};
use logmon_core::page::Cursor;
use logmon_core::python;
use logmon_core::summary::Summary;
use logmon_core::tasks::{GenerateDailySummary, RecountInput, RecountSummaries, SummaryInput, Task as _};
use logmon_store::db::log_summaries::{self, SummaryFilter};
use serde::Serialize;
use utoipa::ToSchema;

use super::tasks::{Accepted, accepted};
use crate::body::Body;
use crate::error::ApiError;
use crate::openapi::shared::Paging;
use crate::query::{Listing, Query};
use crate::state::State;

/// An app's logs of a day, counted by level.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Summary)]
pub struct SummaryView {
    id: i64,
    info_count: u64,
    warn_count: u64,
    error_count: u64,
    date: NaiveDate,
    #[schema(value_type = i64)]
    app: AppId,
}

/// What to count again: one day, or several.
#[derive(Debug, ToSchema)]
pub struct RecountBody {
    /// One day, today at the latest; required without `since` and `until`.
    pub date: Option<NaiveDate>,
    /// The first of several days; required with `until`.
    pub since: Option<NaiveDate>,
    /// The last of at most 366 days, today at the latest; required with `since`.
    pub until: Option<NaiveDate>,
}

/// How many days one call has counted again at most.
const DAYS_MAX: i64 = 366;

impl From<(i64, Summary)> for SummaryView {
    fn from((id, summary): (i64, Summary)) -> Self {
        let counts = summary.counts;
        let (info_count, warn_count, error_count) = (counts.info, counts.warn, counts.error);
        Self { id, info_count, warn_count, error_count, date: summary.date, app: summary.app }
    }
}

/// The summaries of `app` from the day `since` to the day `until`, the newest day first.
#[utoipa::path(
    get,
    path = "/api/summaries/",
    params(
        ("app" = Option<Vec<i64>>, Query, description = "Only these apps, at most 100."),
        ("since" = Option<NaiveDate>, Query, description = "The first day."),
        ("until" = Option<NaiveDate>, Query, description = "The last day."),
        Paging
    ),
    responses((status = 200, description = "A page of them.", body = [SummaryView]))
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let query = Query::parse(request.query_string());
    let mut errors = FieldErrors::default();
    let apps = errors.take("app", AppId::from_query(query.all("app"))).unwrap_or_default();
    let mut day =
        |name| query.last(name).filter(|text| !text.is_empty()).and_then(|text| errors.take(name, date(text)));
    let (since, until) = (day("since"), day("until"));
    let filter = errors.into_result(SummaryFilter { apps, since, until })?;
    let page = query.page()?;
    let rows =
        state.database(move |conn| log_summaries::list(conn, &filter, Listing::<SummaryView>::one_more(page))).await?;
    let place = |(id, summary): &(i64, Summary)| Cursor {
        created_at: summary.date.and_time(chrono::NaiveTime::MIN).and_utc(),
        id: *id,
    };
    Ok(Listing::new(rows, page, place, SummaryView::from))
}

/// Queues a recount of the day `date`, or of the days from `since` to `until`.
///
/// Days whose logs are no longer kept stay as they are: of several days the result of the task says how many were `recounted`, and
/// how many are `not_kept`.
#[utoipa::path(
    post,
    path = "/api/summaries/",
    request_body = RecountBody,
    responses((status = 202, description = "A task is queued that does it.", body = Accepted, headers(("Location" = String, description = "Where its result will be."))))
)]
pub async fn recount(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let body = Body::read(&request, payload, &state).await?;
    let today = state.clock.now().with_timezone(&state.zone).date_naive();
    let days = Days::from_fields(&body.fields()?, today)?;
    accepted(&state, days.task().map_err(|e| ApiError::internal(e.to_string()))?).await
}

/// What is counted again.
enum Days {
    One(NaiveDate),
    Several(RecountInput),
}

impl Days {
    fn from_fields(fields: &Fields<'_>, today: NaiveDate) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut day = |name: &'static str| errors.take(name, begun(fields.get(name), today));
        if fields.get("since").is_none() && fields.get("until").is_none() {
            let date = day("date").unwrap_or_default();
            return errors.into_result(Self::One(date));
        }
        let (since, until) = (day("since"), day("until"));
        if fields.get("date").is_some() {
            errors.add("date", vec!["Either date or since and until is expected.".to_owned()]);
        }
        let (since, until) = (since.unwrap_or_default(), until.unwrap_or_default());
        let several = errors.into_result(Self::Several(RecountInput { since, until }))?;
        match (until - since).num_days() {
            ..0 => Err(FieldErrors::one("until", "Ensure this day is not before since.")),
            DAYS_MAX.. => Err(FieldErrors::one("until", format!("Ensure there are no more than {DAYS_MAX} days."))),
            _ => Ok(several),
        }
    }

    fn task(&self) -> Result<NewTask, BadArguments> {
        match self {
            Self::One(date) => GenerateDailySummary::call(&SummaryInput { date: Some(*date) }),
            Self::Several(days) => RecountSummaries::call(days),
        }
    }
}

/// A day that has begun.
fn begun(value: Option<&FieldValue<'_>>, today: NaiveDate) -> Result<NaiveDate, Vec<String>> {
    let day = match value {
        None => Err(vec![field::REQUIRED.to_owned()]),
        Some(FieldValue::Json(raw)) if raw.get() == "null" => Err(vec![field::NULL.to_owned()]),
        Some(FieldValue::Json(raw)) => date(&python::str_of(raw)),
        Some(FieldValue::Text(text)) => date(text),
        Some(FieldValue::File(name)) => date(name),
    }?;
    if day > today { Err(vec!["This day has not begun yet.".to_owned()]) } else { Ok(day) }
}

pub(super) fn date(text: &str) -> Result<NaiveDate, Vec<String>> {
    // What a `date` holds.
    let date = text.parse::<NaiveDate>().ok().filter(|date| (1_000..=9_999).contains(&date.year()));
    date.ok_or_else(|| vec!["Date has wrong format. Use one of these formats instead: YYYY-MM-DD.".to_owned()])
}
