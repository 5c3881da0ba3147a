//! GET of `/api/logs/export/`: all the logs that a filter lets through, as a file.

use actix_web::http::Method;
use actix_web::http::header::{
    ACCEPT_ENCODING, AcceptEncoding, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, Encoding,
    Header as _, HeaderName, VARY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use logmon_core::field::FieldErrors;
use logmon_core::log::LogFilter;
use logmon_core::page::Page;
use logmon_core::python::{self, Int};
use logmon_store::db::logs::export::Walk;

use super::document::{FilterParameters, OrderName, RangeParameters};
use super::list::{End, ends_of, filter_of, pinned};
use crate::error::ApiError;
use crate::export::{Compression, Export, Format, Output};
use crate::openapi::shared::{Busy, Failing};
use crate::query::{Continued, Query};
use crate::state::State;

/// How many logs an export has at most.
const LIMIT: u64 = 1_000_000;
// The attribute below takes numbers only.
const _: () = assert!(LIMIT == 1_000_000);

const LIMIT_HEADER: HeaderName = HeaderName::from_static("x-logmon-limit");
/// Tells nginx to pass logs on as they come.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// All the logs that a filter lets through, as a CSV file or as NDJSON, compressed where the client takes gzip.
///
/// After `limit` logs it ends, and says behind them where it goes on. One that fails in the middle says so there, and its
/// transfer does not come to its regular end.
#[utoipa::path(
    get,
    path = "/api/logs/export/",
    params(
        FilterParameters,
        RangeParameters,
        ("order" = inline(Option<OrderName>), Query, description = "Which come first: the newest, or with `asc` the oldest."),
        ("format" = inline(Option<Format>), Query, description = "How each log is written."),
        ("limit" = Option<u64>, Query, description = "How many logs at most.", minimum = 1, maximum = 1_000_000),
        ("cursor" = Option<String>, Query, description = "Where it begins: from the end of an export that was cut."),
        ("Accept-Encoding" = Option<String>, Header, description = "With `gzip` it is compressed.")
    ),
    responses(
        (
            status = 200,
            description = "The logs, as a file to be saved. One that was cut ends with `cut_after`, how many logs it has, and \
                           `next`, where it goes on; in CSV a sentence in the column of the messages says so.",
            content(
                (String = "text/csv", example = "id,created_at,app,level,message,trace_id,span_id,attributes,received_at,timestamp_clamped\r\n1,2026-11-23T04:00:27.395147Z,1,ERROR,disk full,,,,,\r\n"),
                (String = "application/x-ndjson", example = "{\"id\":1,\"level\":\"ERROR\",\"message\":\"disk full\",\"created_at\":\"2026-11-23T04:00:27.395147Z\",\"app\":1}\n")
            ),
            headers(
                ("Content-Disposition" = String, description = "A name for the file."),
                ("X-LogMon-Limit" = u64, description = "How many logs it has at most."),
                ("X-LogMon-Since" = Option<DateTime<Utc>>, description = "From when on logs were looked at, where that is not for ever."),
                ("X-LogMon-Until" = Option<DateTime<Utc>>, description = "Until when.")
            )
        ),
        Busy,
        Failing
    )
)]
pub async fn export(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let query = Query::parse(request.query_string());
    let now = state.clock.now();
    let mut errors = FieldErrors::default();
    let format = errors.take("format", Format::from_query(query.last("format"))).unwrap_or_default();
    let limit = errors.take("limit", limit(query.last("limit"))).unwrap_or(LIMIT);
    let (filter, order) = errors.merge(filter_of(&query, now)).unwrap_or_default();
    let list = filter.fingerprint(order);
    let page = errors.merge(Page::of_list(None, query.last("cursor"), list));
    let after = errors.into_result(page)?.and_then(|page| page.after);

    let compression = compression(&request);
    let ends = ends_of(&filter);
    let continued = Continued::new(&request, &pinned(&ends));
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, format.content_type()));
    let name = file_name(&filter, format, now);
    response.insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")));
    response.insert_header((CACHE_CONTROL, "no-store"));
    response.insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    response.insert_header((NO_BUFFERING, "no"));
    response.insert_header((VARY, ACCEPT_ENCODING.as_str()));
    response.insert_header((LIMIT_HEADER, limit));
    for End { header, time, .. } in ends {
        response.insert_header((header, time));
    }
    if compression == Compression::Gzip {
        response.insert_header((CONTENT_ENCODING, "gzip"));
    }
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let (turn, conn) = state.export_turn().await?;
    let export = Export {
        walk: Walk::new(conn, filter, order, after, now),
        output: Output::new(format, compression),
        limit,
        continued,
        list,
        turn,
    };
    Ok(response.streaming(export.stream()))
}

fn limit(text: Option<&str>) -> Result<u64, Vec<String>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(LIMIT) };
    let number = match python::int(text) {
        Some(Int::Small(number)) => u64::try_from(number).ok().filter(|number| (1..=LIMIT).contains(number)),
        Some(Int::Big) | None => None,
    };
    number.ok_or_else(|| vec![format!("Expected a number from 1 to {LIMIT}.")])
}

fn compression(request: &HttpRequest) -> Compression {
    // What cannot be read asks for nothing, as what is not there does.
    let accepted = AcceptEncoding::parse(request).ok().filter(|_| request.headers().contains_key(ACCEPT_ENCODING));
    match accepted.and_then(|accepted| accepted.negotiate([Encoding::gzip(), Encoding::identity()].iter())) {
        Some(best) if best == Encoding::gzip() => Compression::Gzip,
        _ => Compression::None,
    }
}

/// Says what is in it: `logs-app-1-20261123T040000Z-20261124T040000Z.csv`.
fn file_name(filter: &LogFilter, format: Format, now: DateTime<Utc>) -> String {
    let mut name = "logs".to_owned();
    match filter.apps.as_slice() {
        [] => {}
        [app] => name.push_str(&format!("-app-{}", app.0)),
        _ => name.push_str("-apps"),
    }
    for time in filter.since.into_iter().chain([filter.until.unwrap_or(now)]) {
        name.push_str(&time.format("-%Y%m%dT%H%M%SZ").to_string());
    }
    format!("{name}.{}", format.extension())
}
