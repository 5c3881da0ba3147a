//! GET of `/api/logs/`: which logs are wanted, and a page of them.

use std::time::Instant;

use actix_web::http::header::HeaderName;
use actix_web::web::Data;
use actix_web::{HttpRequest, Responder};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use logmon_core::field::FieldErrors;
use logmon_core::log::{LogFilter, Order};
use logmon_core::page::Page;
use logmon_store::db::logs::{LogsPage, search};

use super::document::{FilterParameters, OrderName, RangeParameters};
use super::{DEADLINE, LogView, place};
use crate::error::ApiError;
use crate::openapi::shared::{Busy, Paging};
use crate::query::{Listing, Query};
use crate::state::State;

/// How far back a text is looked for where nothing is said.
const TEXT_RANGE: TimeDelta = TimeDelta::hours(24);

/// From when on logs were looked at, and until when, where that is not for ever.
const SINCE: HeaderName = HeaderName::from_static("x-logmon-since");
const UNTIL: HeaderName = HeaderName::from_static("x-logmon-until");

/// The logs that a filter lets through, a page at a time.
///
/// A text is looked for in a bounded range, which the answer names. The next page keeps to the range of the first one,
/// also where that was told from now on backwards. A page of very long logs ends before its limit.
#[utoipa::path(
    get,
    path = "/api/logs/",
    params(
        FilterParameters,
        RangeParameters,
        ("order" = inline(Option<OrderName>), Query, description = "Which come first: the newest, or with `asc` the oldest."),
        Paging
    ),
    responses(
        (status = 200, description = "A page of them.", body = [LogView], headers(
            ("X-LogMon-Since" = Option<DateTime<Utc>>, description = "From when on logs were looked at, where that is not for ever."),
            ("X-LogMon-Until" = Option<DateTime<Utc>>, description = "Until when.")
        )),
        Busy
    )
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let query = Query::parse(request.query_string());
    let (filter, order) = filter_of(&query, state.clock.now())?;
    let list = filter.fingerprint(order);
    let page = Page::of_list(query.last("limit"), query.last("cursor"), list)?;
    let ends = ends_of(&filter);
    let end = Instant::now() + DEADLINE;
    let turn = if filter.reads_text() { Some(state.search_turn(&filter.apps).await?) } else { None };
    let found = state.database(move |conn| {
        let _turn = turn;
        search::list(conn, &filter, order, page, end.saturating_duration_since(Instant::now()))
    });
    let LogsPage { logs, has_more } = found.await?;
    let next = logs.last().filter(|_| has_more).map(place);
    let mut answer = Listing::until(next, logs, LogView::from).tied_to(list, pinned(&ends)).customize();
    for End { header, time, .. } in ends {
        answer = answer.insert_header((header, time));
    }
    Ok(answer)
}

/// Which logs a list, an export or a search for the last one has, and in which order. A text is looked for in a bounded range.
pub(super) fn filter_of(query: &Query, now: DateTime<Utc>) -> Result<(LogFilter, Order), FieldErrors> {
    let (mut filter, order) = LogFilter::from_query(query.pairs(), now)?;
    if filter.reads_text() && filter.since.is_none() {
        filter.since = Some(filter.until.map_or(now, |until| until.min(now)) - TEXT_RANGE);
    }
    Ok((filter, order))
}

/// An end of a filter's range: its parameter, its header, and the moment.
pub(super) struct End {
    pub(super) parameter: &'static str,
    pub(super) header: HeaderName,
    pub(super) time: String,
}

/// The ends of a filter's range, as far as it has them.
pub(super) fn ends_of(filter: &LogFilter) -> Vec<End> {
    let ends = [("since", SINCE, filter.since), ("until", UNTIL, filter.until)];
    let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Micros, true);
    ends.into_iter()
        .filter_map(|(parameter, header, time)| Some(End { parameter, header, time: text(time?) }))
        .collect()
}

/// The same as parameters of what follows, so that it keeps to the range that was told from now on backwards.
pub(super) fn pinned(ends: &[End]) -> Vec<(&'static str, String)> {
    ends.iter().map(|end| (end.parameter, end.time.clone())).collect()
}

/// Which logs a tail sends: it begins now and has no end, so a range means nothing to it.
pub(super) fn filter_of_tail(query: &Query, now: DateTime<Utc>) -> Result<LogFilter, FieldErrors> {
    let (filter, _order) = LogFilter::from_query(query.pairs(), now)?;
    Ok(LogFilter { since: None, until: None, ..filter })
}
