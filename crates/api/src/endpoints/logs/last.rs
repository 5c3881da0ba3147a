//! GET of `/api/logs/last/`: the newest log outside a range in which there is none.

use std::time::Instant;

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, Responder};
use logmon_store::db::logs::search;
use serde::Serialize;
use utoipa::ToSchema;

use super::document::{FilterParameters, RangeParameters};
use super::list::filter_of;
use super::{DEADLINE, LogView};
use crate::error::ApiError;
use crate::openapi::shared::Busy;
use crate::query::Query;
use crate::state::State;

/// The newest log outside a range.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LastLog)]
struct LastView {
    /// Null where there is none.
    #[schema(value_type = Option<LogView>)]
    log: Option<LogView>,
}

/// The newest log that the same parameters would list but for their range: where to look when a list is empty.
///
/// A list without a range leaves out nothing, so there is none.
#[utoipa::path(
    get,
    path = "/api/logs/last/",
    params(FilterParameters, RangeParameters),
    responses((status = 200, description = "The log.", body = LastView), Busy)
)]
pub async fn last(request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let (filter, _order) = filter_of(&Query::parse(request.query_string()), state.clock.now())?;
    let end = Instant::now() + DEADLINE;
    let turn = if filter.reads_text() { Some(state.search_turn(&filter.apps).await?) } else { None };
    let found = state.database(move |conn| {
        let _turn = turn;
        search::newest_outside(conn, &filter, end.saturating_duration_since(Instant::now()))
    });
    Ok(Json(LastView { log: found.await?.map(LogView::from) }))
}
