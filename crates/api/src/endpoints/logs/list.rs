//! GET of `/api/logs/`: which logs are wanted, and a page of them.

use actix_web::web::Data;
use actix_web::{HttpRequest, Responder};
use logmon_core::field::FieldErrors;
use logmon_core::log::{Level, Log, LogFilter};
use logmon_core::page::Cursor;
use logmon_store::db::logs;

use super::LogView;
use crate::error::ApiError;
use crate::query::{Listing, Query};
use crate::state::State;

/// The newest logs of any mix of `app` and `level`, each of which may repeat.
pub async fn list(request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let query = Query::parse(request.query_string());
    let filter = filter(&query)?;
    let page = query.page()?;
    let rows = state.database(move |conn| logs::list(conn, &filter, Listing::<LogView>::one_more(page))).await?;
    let place = |log: &Log| Cursor { created_at: log.created_at, id: log.id.0 };
    Ok(Listing::new(rows, page, place, LogView::from))
}

/// What `app` and `level` ask for.
pub(super) fn filter(query: &Query) -> Result<LogFilter, FieldErrors> {
    let mut errors = FieldErrors::default();
    let apps = errors.take("app", query.apps()).unwrap_or_default();
    let levels = errors.take("level", levels(query)).unwrap_or_default();
    errors.into_result(LogFilter { apps, levels })
}

fn levels(query: &Query) -> Result<Vec<Level>, Vec<String>> {
    let level = |text: &str| {
        Level::from_filter(text).ok_or_else(|| vec![format!("\"{text}\" is not a valid choice: INFO, WARN or ERROR.")])
    };
    let mut levels = query.all("level").map(level).collect::<Result<Vec<_>, _>>()?;
    levels.sort_unstable();
    levels.dedup();
    Ok(levels)
}
