//! `/api/logs/{id}/` and `/api/logs/{id}/context/`: one log, and what its app logged around it.

use actix_web::http::header::LINK;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, Responder};
use logmon_core::field::FieldErrors;
use logmon_core::log::{Log, LogFilter, LogId, Order};
use logmon_core::page::{Cursor, Page};
use logmon_core::python::{self, Int};
use logmon_store::db::logs::{self, search};
use serde::Serialize;
use utoipa::ToSchema;

use super::document::ContextParameters;
use super::{DEADLINE, LogView, place};
use crate::endpoints::row_id;
use crate::error::ApiError;
use crate::openapi::shared::NoSuch;
use crate::query::Query;
use crate::state::State;

/// How many logs there are to either side where nothing is said, and at most.
const AROUND: u32 = 50;
const AROUND_MAX: u32 = 500;
// The attributes of `ContextParameters` take numbers only.
const _: () = assert!(AROUND == 50 && AROUND_MAX == 500);

/// One log.
#[utoipa::path(
    get,
    path = "/api/logs/{id}/",
    params(("id" = i64, Path, description = "The log's id.")),
    responses((status = 200, description = "The log.", body = LogView), NoSuch)
)]
pub async fn show(id: Path<String>, state: Data<State>) -> Result<impl Responder, ApiError> {
    let id = log_id(&id)?;
    let log = state.database(move |conn| logs::find(conn, id)).await?;
    Ok(Json(LogView::from(log.ok_or_else(none)?)))
}

/// A log between those of the same app: `after`, `hit` and `before`, read in this order, are one list, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogContext)]
struct ContextView {
    /// The older ones.
    before: Vec<LogView>,
    /// The log that was asked for.
    hit: LogView,
    /// The newer ones.
    after: Vec<LogView>,
    /// Whether there are still older ones.
    more_before: bool,
    /// Whether there are still newer ones.
    more_after: bool,
}

/// A log with those of the same app around it, of every level and text.
///
/// Where there are more, the header `Link` has the addresses of lists that go on there: the older ones are `next`, the
/// newer ones, the oldest of them first, `prev`.
#[utoipa::path(
    get,
    path = "/api/logs/{id}/context/",
    params(("id" = i64, Path, description = "The log's id."), ContextParameters),
    responses(
        (status = 200, description = "The log and those around it.", body = ContextView, headers(
            ("Link" = Option<String>, description = "Lists that go on there: `next` with the older ones, `prev` with the newer ones.")
        )),
        NoSuch
    )
)]
pub async fn context(id: Path<String>, request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let (id, query) = (log_id(&id)?, Query::parse(request.query_string()));
    let mut errors = FieldErrors::default();
    let before = errors.take("before", number(query.last("before"))).unwrap_or_default();
    let after = errors.take("after", number(query.last("after"))).unwrap_or_default();
    let (before, after) = errors.into_result((before, after))?;
    let found = state.database(move |conn| {
        let Some(hit) = logs::find(conn, id)? else { return Ok(None) };
        let side = |order, n: u32| (order, Page { limit: n, after: Some(place(&hit)) });
        let mut read = |(order, page)| search::list(conn, &all_of_app(&hit), order, page, DEADLINE);
        let (older, newer) = (read(side(Order::NewestFirst, before))?, read(side(Order::OldestFirst, after))?);
        Ok::<_, ApiError>(Some((older, hit, newer)))
    });
    let (older, hit, newer) = found.await?.ok_or_else(none)?;
    let (more_before, more_after) = (older.has_more, newer.has_more);
    let (older, mut newer) = (older.logs, newer.logs);
    let last_of = |logs: &[Log]| place(logs.last().unwrap_or(&hit));
    let mut links = Vec::new();
    if more_before {
        links.push(go_on(&hit, Order::NewestFirst, last_of(&older)));
    }
    if more_after {
        links.push(go_on(&hit, Order::OldestFirst, last_of(&newer)));
    }
    newer.reverse();
    let views = |logs: Vec<Log>| logs.into_iter().map(LogView::from).collect();
    let view = ContextView { before: views(older), hit: hit.into(), after: views(newer), more_before, more_after };
    let answer = Json(view).customize();
    Ok(if links.is_empty() { answer } else { answer.insert_header((LINK, links.join(", "))) })
}

fn log_id(text: &str) -> Result<LogId, ApiError> {
    row_id(text, "Log").map(LogId)
}

fn none() -> ApiError {
    ApiError::no_such("Log")
}

fn number(text: Option<&str>) -> Result<u32, Vec<String>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(AROUND) };
    let number = match python::int(text) {
        Some(Int::Small(number)) => u32::try_from(number).ok().filter(|number| *number <= AROUND_MAX),
        Some(Int::Big) | None => None,
    };
    number.ok_or_else(|| vec![format!("Expected a number from 0 to {AROUND_MAX}.")])
}

fn all_of_app(log: &Log) -> LogFilter {
    LogFilter { apps: vec![log.app], ..LogFilter::default() }
}

/// The list that goes on behind a place.
fn go_on(hit: &Log, order: Order, after: Cursor) -> String {
    let (rel, order_parameter) = match order {
        Order::NewestFirst => ("next", ""),
        Order::OldestFirst => ("prev", "&order=asc"),
    };
    let cursor = after.encode_for(all_of_app(hit).fingerprint(order));
    format!("</api/logs/?app={}{order_parameter}&cursor={cursor}>; rel=\"{rel}\"", hit.app.0)
}
