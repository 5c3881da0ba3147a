//! GET of `/api/logs/histogram/`: how many logs of each level there are, over time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, Responder};
use chrono::{DateTime, TimeDelta, Utc};
use logmon_core::field::FieldErrors;
use logmon_core::log::{Buckets, Level, LogFilter};
use logmon_core::python::{self, Int};
use logmon_store::db::logs::histogram::{self, Counted};
use logmon_store::db::{Connection, log_counts};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, ArrayItems, Schema, SchemaFormat, Type};
use utoipa::openapi::{KnownFormat, ObjectBuilder};

use super::document::{FilterParameters, RangeParameters};
use crate::endpoints::{RangeView, rfc3339};
use crate::error::ApiError;
use crate::openapi::shared::Busy;
use crate::query::Query;
use crate::state::State;

/// How far back logs are counted where nothing is said.
const RANGE: TimeDelta = TimeDelta::hours(24);
/// How many buckets there are at most where nothing is said.
const BUCKETS: usize = 60;
// The attribute below takes numbers only.
const _: () = assert!(BUCKETS == 60 && Buckets::MAX == 240);
/// How long the database counts rows at most.
const BUDGET: Duration = Duration::from_millis(1_400);

/// The logs that a filter lets through, counted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Histogram)]
struct HistogramView {
    /// What the buckets cover: what was asked for, as far as whole buckets reach.
    range: RangeView,
    /// How long each bucket is.
    bucket_ms: i64,
    /// The oldest first, each with the moment that it begins at. None is left out but those that nobody looked at.
    #[schema(schema_with = buckets_schema)]
    buckets: Vec<Bucket>,
    /// By level.
    #[schema(value_type = BTreeMap<String, u64>, example = json!({"INFO": 120, "WARN": 4, "ERROR": 1}))]
    total: BTreeMap<Level, u64>,
    /// Whether only a part of the range was looked at.
    approx: bool,
    /// That part.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = RangeView, required = false)]
    looked_at: Option<RangeView>,
}

/// When it begins, and how many INFO, WARN and ERROR there are.
#[derive(Debug, Serialize)]
struct Bucket(#[serde(serialize_with = "rfc3339")] DateTime<Utc>, u64, u64, u64);

fn buckets_schema() -> Array {
    let moment =
        ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    let count = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    let [info, warn, error] = [count(), count(), count()];
    let items = [moment, info, warn, error].map(|item| Schema::from(item.build()));
    let bucket = ArrayBuilder::new().items(ArrayItems::False).prefix_items(items);
    let about = "The oldest first: the moment that each begins at, and how many INFO, WARN and ERROR there are. None is left \
                 out but those that nobody looked at.";
    ArrayBuilder::new().items(bucket).description(Some(about)).build()
}

/// How many logs of each level a filter lets through, over time.
///
/// They come from the counts, exact, whatever the range. Where the text of the logs has to be read, the newest are
/// counted first and as many as there is time for.
#[utoipa::path(
    get,
    path = "/api/logs/histogram/",
    params(
        FilterParameters,
        RangeParameters,
        ("buckets" = Option<u32>, Query, description = "How many buckets at most; otherwise 60.", minimum = 2, maximum = 240)
    ),
    responses((status = 200, description = "The counts.", body = HistogramView), Busy)
)]
pub async fn histogram(request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let query = Query::parse(request.query_string());
    let (filter, buckets) = parameters(&query, state.clock.now())?;
    let (began, shape) = (Instant::now(), buckets.clone());
    let counted = if filter.reads_text() {
        let turn = state.search_turn(&filter.apps).await?;
        let left = move || BUDGET.checked_sub(began.elapsed());
        let count = move |conn: &mut Connection| {
            let _turn = turn;
            histogram::in_buckets(conn, &buckets, &filter, left)
        };
        state.database(count).await?
    } else {
        let since = buckets.range().start;
        let count = move |conn: &mut Connection| log_counts::in_buckets(conn, &buckets, &filter.apps, &filter.levels);
        Counted { counts: state.counts(count).await?, since }
    };
    Ok(Json(view(&shape, counted)))
}

fn parameters(query: &Query, now: DateTime<Utc>) -> Result<(LogFilter, Buckets), FieldErrors> {
    let mut errors = FieldErrors::default();
    let most = errors.take("buckets", buckets_at_most(query.last("buckets"))).unwrap_or(BUCKETS);
    let read = errors.merge(LogFilter::from_query(query.pairs(), now));
    let (filter, _order) = errors.into_result(read)?.unwrap_or_default();
    let until = filter.until.unwrap_or_else(|| filter.since.map_or(now, |since| since.max(now)));
    let since = filter.since.unwrap_or(until - RANGE);
    let buckets = Buckets::over(&(since..until), most);
    let beyond = || {
        let field = if filter.since.is_some() { "since" } else { "until" };
        FieldErrors::one(field, "Expected a time within the years 1678 to 2261.")
    };
    let buckets = buckets.ok_or_else(beyond)?;
    Ok((filter, buckets))
}

fn buckets_at_most(text: Option<&str>) -> Result<usize, Vec<String>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(BUCKETS) };
    let number = match python::int(text) {
        Some(Int::Small(number)) => usize::try_from(number).ok().filter(|number| (2..=Buckets::MAX).contains(number)),
        Some(Int::Big) | None => None,
    };
    number.ok_or_else(|| vec![format!("Expected a number from 2 to {}.", Buckets::MAX)])
}

fn view(shape: &Buckets, counted: Counted) -> HistogramView {
    let range = shape.range();
    let approx = counted.since > range.start;
    let mut total = BTreeMap::from(Level::ALL.map(|level| (level, 0)));
    let mut buckets: Vec<Bucket> = shape.starts().map(|start| Bucket(start, 0, 0, 0)).collect();
    for (place, level, count) in counted.counts {
        *total.entry(level).or_default() += count;
        if let Some(Bucket(_, info, warn, error)) = buckets.get_mut(place) {
            *match level {
                Level::Info => info,
                Level::Warn => warn,
                Level::Error => error,
            } += count;
        }
    }
    buckets.retain(|bucket| bucket.0 >= counted.since);
    HistogramView {
        bucket_ms: shape.width().num_milliseconds(),
        buckets,
        total,
        approx,
        looked_at: approx.then_some(RangeView { since: counted.since, until: range.end }),
        range: RangeView { since: range.start, until: range.end },
    }
}
