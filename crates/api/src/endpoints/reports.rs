//! `/api/reports/`: the daily reports, as data and as people read them, and what one would say.

use std::time::Duration;

use actix_web::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, Responder};
use chrono::{DateTime, NaiveDate, Utc};
use logmon_core::field::FieldErrors;
use logmon_core::language::Language;
use logmon_core::page::Cursor;
use logmon_core::report::{Day, Report, ReportId, Scope, Shown, SubscriberId, compose, html, text};
use logmon_core::summary::yesterday;
use logmon_store::db::DbError;
use logmon_store::db::reports::{self, Budget, KeptReport, Looked, ReportFilter};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::summaries::date;
use super::{rfc3339, row_id};
use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::openapi::shared::{Detail, Failing, Fields, NoSuch, Paging};
use crate::query::{Listing, Query};
use crate::state::State;

/// How much a preview spends on its patterns: less than a report, for somebody waits for it.
const PREVIEW: Budget = Budget { apps: 5, logs: 200, deadline: Duration::from_millis(200) };
/// A page that may be shown and nothing else: what was logged cannot run, load or send anything.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; base-uri 'none'; frame-ancestors 'self'";

/// A report without its content.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Report)]
pub struct ReportView {
    #[schema(value_type = i64)]
    id: ReportId,
    #[schema(value_type = i64)]
    subscriber: SubscriberId,
    date: NaiveDate,
    /// 1, and one more whenever logs that came late changed the day.
    revision: u32,
    /// The event by which it was told: the deliveries have it, too.
    #[schema(value_type = String)]
    event_id: Uuid,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
}

/// A report.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WholeReport)]
pub struct WholeReportView {
    #[serde(flatten)]
    kept: ReportView,
    /// What it says: numbers of each app and of all with those of the day before and of a week before, frequent errors, open
    /// alerts, apps that fell silent, and what a revision changed.
    #[schema(value_type = Object)]
    report: Report,
}

impl From<KeptReport> for ReportView {
    fn from(kept: KeptReport) -> Self {
        let KeptReport { id, subscriber, date, revision, event_id, created_at } = kept;
        Self { id, subscriber, date, revision, event_id, created_at }
    }
}

/// The reports of the day `date`, or for `subscriber`, the last made first.
#[utoipa::path(
    get,
    path = "/api/reports/",
    params(
        ("date" = Option<NaiveDate>, Query, description = "The day."),
        ("subscriber" = Option<i64>, Query, description = "The subscriber's id."),
        Paging
    ),
    responses((status = 200, description = "A page of them.", body = [ReportView]))
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let query = Query::parse(request.query_string());
    let mut errors = FieldErrors::default();
    let given = |name| query.last(name).filter(|text| !text.is_empty());
    let date = given("date").and_then(|text| errors.take("date", date(text)));
    let subscriber = query.id("subscriber", &mut errors).map(SubscriberId);
    let filter = errors.into_result(ReportFilter { date, subscriber })?;
    let page = query.page()?;
    let rows = state.database(move |conn| reports::list(conn, &filter, Listing::<ReportView>::one_more(page))).await?;
    let place = |report: &KeptReport| Cursor { created_at: report.created_at, id: report.id.0 };
    Ok(Listing::new(rows, page, place, ReportView::from))
}

/// One report: as data, or as people read it.
#[utoipa::path(
    get,
    path = "/api/reports/{id}/",
    params(
        ("id" = i64, Path, description = "The report's id."),
        ("format" = Option<String>, Query, description = "`json`, `html` or `text`; as `Accept` prefers when it is left out."),
        ("language" = Option<String>, Query, description = "`en` or `zh-CN`, for `html` and `text`; that of the settings when it is left out.")
    ),
    responses(
        (status = 200, description = "The report.", content((WholeReportView = "application/json"), (String = "text/html"), (String = "text/plain"))),
        (status = 400, description = "A parameter is wrong.", body = Fields),
        NoSuch,
        (status = 406, description = "It has no form that the client accepts.", body = Detail),
        Failing
    )
)]
pub async fn show(id: Path<String>, request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let (form, query) = (Form::of(&request)?, Query::parse(request.query_string()));
    let language = language(&query, &state)?;
    let id = row_id(&id, "Report").map(ReportId)?;
    let found = state.database(move |conn| reports::get(conn, id)).await?;
    let (kept, report) = found.ok_or_else(|| ApiError::no_such("Report"))?;
    Ok(match form.render(&report, language) {
        Some(rendered) => rendered,
        None => HttpResponse::Ok().json(WholeReportView { kept: kept.into(), report }),
    })
}

/// What a report of the day `date` would say. It is neither kept nor sent, and looks at fewer errors.
#[utoipa::path(
    get,
    path = "/api/reports/preview/",
    params(
        ("date" = Option<NaiveDate>, Query, description = "A day that was summed up; yesterday when it is left out."),
        ("owner" = Option<String>, Query, description = "Whose apps it is about; everybody's when it is left out."),
        ("format" = Option<String>, Query, description = "`json`, `html` or `text`; as `Accept` prefers when it is left out."),
        ("language" = Option<String>, Query, description = "`en` or `zh-CN`, for `html` and `text`; that of the settings when it is left out.")
    ),
    responses(
        (status = 200, description = "The report.", content((serde_json::Value = "application/json"), (String = "text/html"), (String = "text/plain"))),
        (status = 400, description = "A parameter is wrong.", body = Fields),
        (status = 404, description = "The day was not summed up.", body = Detail),
        (status = 406, description = "It has no form that the client accepts.", body = Detail),
        Failing
    )
)]
pub async fn preview(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let (form, query) = (Form::of(&request)?, Query::parse(request.query_string()));
    let language = language(&query, &state)?;
    let given = |name| query.last(name).filter(|text| !text.is_empty());
    let mut errors = FieldErrors::default();
    let date = match given("date") {
        Some(text) => errors.take("date", date(text)).unwrap_or_default(),
        None => yesterday(state.clock.now(), state.zone),
    };
    errors.into_result(())?;
    let scope = Scope::of(given("owner").map(str::to_owned));
    let day = Day { date, zone: state.zone };
    let report = state
        .database(move |conn| {
            let mut material = reports::gather(conn, day, &scope)?;
            if !material.summaries.contains_key(&date) {
                return Ok(None);
            }
            reports::add_patterns(conn, day, &mut material, PREVIEW, &mut Looked::new(), || Ok::<_, DbError>(()))?;
            Ok::<_, DbError>(Some(compose(day, &scope, material, None)))
        })
        .await?;
    let report =
        report.ok_or_else(|| ApiError::detail(ErrorCode::NotFound, format!("{date} has not been summed up.")))?;
    Ok(form.render(&report, language).unwrap_or_else(|| HttpResponse::Ok().json(report)))
}

fn language(query: &Query, state: &State) -> Result<Language, FieldErrors> {
    let Some(name) = query.last("language").filter(|name| !name.is_empty()) else {
        return Ok(state.telling.language);
    };
    Language::from_name(name)
        .ok_or_else(|| FieldErrors::one("language", format!("\"{name}\" is not a valid choice: en or zh-CN.")))
}

/// What a report is answered as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Html,
    Text,
}

impl Form {
    /// The one that the parameter `format` names, else the first that `Accept` does.
    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        match Query::parse(request.query_string()).last("format") {
            None | Some("") => {}
            Some("json") => return Ok(Self::Json),
            Some("html") => return Ok(Self::Html),
            Some("text") => return Ok(Self::Text),
            Some(other) => {
                let expected = format!("\"{other}\" is not a valid choice: json, html or text.");
                return Err(FieldErrors::one("format", expected).into());
            }
        }
        let mut accepted = request.headers().get_all(ACCEPT).peekable();
        if accepted.peek().is_none() {
            return Ok(Self::Json);
        }
        let form = |range: &str| match range.split(';').next().unwrap_or_default().trim() {
            "application/json" | "application/*" | "*/*" => Some(Self::Json),
            "text/html" | "text/*" => Some(Self::Html),
            "text/plain" => Some(Self::Text),
            _ => None,
        };
        let first = accepted.find_map(|header| header.to_str().unwrap_or_default().split(',').find_map(form));
        first.ok_or_else(|| ApiError::detail(ErrorCode::NotAcceptable, "Could not satisfy the request Accept header."))
    }

    /// The answer, where it is for people.
    fn render(self, report: &Report, language: Language) -> Option<HttpResponse> {
        let (media, body) = match self {
            Self::Json => return None,
            Self::Html => ("text/html; charset=utf-8", html(report, language, Shown::AsPage)),
            Self::Text => ("text/plain; charset=utf-8", text(report, language, None)),
        };
        let mut response = HttpResponse::Ok();
        response.content_type(media);
        response.insert_header((CONTENT_SECURITY_POLICY, POLICY));
        response.insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
        response.insert_header((CACHE_CONTROL, "no-store"));
        Some(response.body(body))
    }
}
