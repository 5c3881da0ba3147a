//! `/api/logs/`: taking logs in and listing them.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, Responder};
use chrono::{DateTime, Utc};
use logmon_core::app::AppId;
use logmon_core::field::FieldErrors;
use logmon_core::log::{Level, Log, LogFilter, LogId, NewLog};
use logmon_core::page::Cursor;
use logmon_store::db::{Connection, apps, logs};
use serde::Serialize;
use serde_json::value::RawValue;

use super::rfc3339;
use crate::body::{self, Body, Input};
use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::query::{Listing, Query};
use crate::state::State;

/// What OPTIONS says of a POST, as DRF does.
pub const ACTIONS: &str = include_str!("logs_actions.json");

/// A log.
#[derive(Debug, Serialize)]
pub struct LogView {
    id: LogId,
    level: String,
    message: String,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
    app: AppId,
}

impl From<Log> for LogView {
    fn from(log: Log) -> Self {
        Self { id: log.id, level: log.level, message: log.message, created_at: log.created_at, app: log.app }
    }
}

/// What became of a batch.
#[derive(Debug, Serialize)]
struct BatchView {
    accepted: usize,
    duplicate: usize,
    rejected: Vec<Rejected>,
}

/// A record of a batch that was not stored.
#[derive(Debug, Serialize)]
struct Rejected {
    index: usize,
    errors: FieldErrors,
}

enum Stored {
    One(LogView),
    Batch(BatchView),
}

/// Stores one log, or each right one of a batch; answers when they are committed.
pub async fn create(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let body = Body::read(&request, payload, state.body_limit).await?;
    let now = state.clock.now();
    let stored = state.database(move |conn| store(conn, &body, now)).await?;
    match stored {
        Stored::One(log) => Ok(HttpResponse::Created().json(log)),
        Stored::Batch(batch) if batch.accepted == 0 && !batch.rejected.is_empty() => {
            Err(ApiError::json(ErrorCode::NothingUsable, &batch))
        }
        Stored::Batch(batch) => Ok(HttpResponse::Ok().json(batch)),
    }
}

fn store(conn: &mut Connection, body: &Body, now: DateTime<Utc>) -> Result<Stored, ApiError> {
    match body.input()? {
        Input::Record(fields) => {
            let wanted: Vec<AppId> = NewLog::named_app(&fields).into_iter().collect();
            let known = apps::known(conn, &wanted)?;
            let log = NewLog::from_fields(&fields, |app| known.contains(&app))?;
            let ids = logs::insert(conn, std::slice::from_ref(&log), now)?;
            let id = ids.first().copied().ok_or_else(|| ApiError::internal("an insert without an id"))?;
            let level = log.level.as_str().to_owned();
            Ok(Stored::One(LogView { id, level, message: log.message, created_at: now, app: log.app }))
        }
        Input::Batch(records) => store_batch(conn, &records, now).map(Stored::Batch),
    }
}

fn store_batch(conn: &mut Connection, records: &[&RawValue], now: DateTime<Utc>) -> Result<BatchView, ApiError> {
    let records: Vec<_> = records.iter().map(|raw| body::record(raw)).collect();
    let mut wanted: Vec<AppId> = records.iter().flatten().filter_map(NewLog::named_app).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let known = apps::known(conn, &wanted)?;
    let (mut good, mut rejected) = (Vec::with_capacity(records.len()), Vec::new());
    for (index, fields) in records.into_iter().enumerate() {
        let checked = fields.and_then(|fields| NewLog::from_fields(&fields, |app| known.contains(&app)));
        match checked {
            Ok(log) => good.push(log),
            Err(errors) => rejected.push(Rejected { index, errors }),
        }
    }
    if !good.is_empty() {
        logs::insert(conn, &good, now)?;
    }
    Ok(BatchView { accepted: good.len(), duplicate: 0, rejected })
}

/// The newest logs of any mix of `app` and `level`, each of which may repeat.
pub async fn list(request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let query = Query::parse(request.query_string());
    let mut errors = FieldErrors::default();
    let apps = errors.take("app", query.apps()).unwrap_or_default();
    let levels = errors.take("level", levels(&query)).unwrap_or_default();
    let filter = errors.into_result(LogFilter { apps, levels })?;
    let page = query.page()?;
    let rows = state.database(move |conn| logs::list(conn, &filter, Listing::<LogView>::one_more(page))).await?;
    let place = |log: &Log| Cursor { created_at: log.created_at, id: log.id.0 };
    Ok(Listing::new(rows, page, place, LogView::from))
}

fn levels(query: &Query) -> Result<Vec<Level>, Vec<String>> {
    let level = |text: &str| {
        Level::from_filter(text).ok_or_else(|| vec![format!("\"{text}\" is not a valid choice: INFO, WARN or ERROR.")])
    };
    query.all("level").map(level).collect()
}
