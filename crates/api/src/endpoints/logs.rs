//! `/api/logs/`: taking logs in and listing them.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, Responder};
use chrono::{DateTime, Utc};
use logmon_core::app::AppId;
use logmon_core::field::{FieldErrors, Fields};
use logmon_core::log::{Level, Log, LogFilter, LogId, NewLog};
use logmon_core::page::Cursor;
use logmon_store::db::logs;
use logmon_store::db::writer::{Record, Stored};
use serde::Serialize;

use super::rfc3339;
use crate::body::{Body, Input, RawRecord};
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

/// Stores one log, or each right one of a batch; answers when they are committed.
pub async fn create(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let body = Body::read(&request, payload, &state).await?;
    match body.input()? {
        Input::Record(fields) => store_one(&state, &fields).await,
        Input::Batch(records) => store_batch(&state, &records).await,
    }
}

async fn store_one(state: &State, fields: &Fields<'_>) -> Result<HttpResponse, ApiError> {
    let known = state.known_apps(NewLog::named_app(fields).as_slice()).await?;
    let log = NewLog::from_fields(fields, |app| known.contains(&app))?;
    let created_at = state.clock.now();
    let (app, level) = (log.app, log.level);
    let view = |id, message| LogView { id, level: level.as_str().to_owned(), message, created_at, app };
    let message = log.message.clone();
    let stored = state.store(vec![record(log, created_at)]).await?;
    match stored.first() {
        Some(Stored::Yes(id)) => Ok(HttpResponse::Created().json(view(*id, message))),
        Some(refused) => Err(errors_of(state, app, refused).into()),
        None => Err(ApiError::internal("nothing was said of a record")),
    }
}

/// How many records a batch may have: what is said of each that is wrong takes more room than the record itself.
const RECORDS_MAX: usize = 10_000;

async fn store_batch(state: &State, records: &[RawRecord<'_>]) -> Result<HttpResponse, ApiError> {
    if records.len() > RECORDS_MAX {
        let detail = format!("A batch of more than {RECORDS_MAX} records is not taken: send it in parts.");
        return Err(ApiError::detail(ErrorCode::TooLarge, detail));
    }
    let records: Vec<_> = records.iter().map(|raw| raw.fields()).collect();
    let mut wanted: Vec<AppId> = records.iter().flatten().filter_map(NewLog::named_app).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let known = state.known_apps(&wanted).await?;
    let created_at = state.clock.now();
    let (mut good, mut places, mut rejected) = (Vec::with_capacity(records.len()), Vec::new(), Vec::new());
    for (index, fields) in records.into_iter().enumerate() {
        match fields.and_then(|fields| NewLog::from_fields(&fields, |app| known.contains(&app))) {
            Ok(log) => {
                places.push((index, log.app));
                good.push(record(log, created_at));
            }
            Err(errors) => rejected.push(Rejected { index, errors }),
        }
    }
    let stored = if good.is_empty() { Vec::new() } else { state.store(good).await? };
    for ((index, app), stored) in places.into_iter().zip(&stored) {
        if !matches!(stored, Stored::Yes(_)) {
            rejected.push(Rejected { index, errors: errors_of(state, app, stored) });
        }
    }
    rejected.sort_by_key(|rejected| rejected.index);
    let accepted = stored.iter().filter(|stored| matches!(stored, Stored::Yes(_))).count();
    let batch = BatchView { accepted, duplicate: 0, rejected };
    if batch.accepted == 0 && !batch.rejected.is_empty() {
        return Err(ApiError::json(ErrorCode::NothingUsable, &batch));
    }
    Ok(HttpResponse::Ok().json(batch))
}

fn record(log: NewLog, created_at: DateTime<Utc>) -> Record {
    Record { app: log.app, level: log.level, message: log.message, created_at }
}

fn errors_of(state: &State, app: AppId, stored: &Stored) -> FieldErrors {
    match stored {
        Stored::UnknownApp => {
            state.forget_app(app);
            FieldErrors::one("app", format!("Invalid pk \"{}\" - object does not exist.", app.0))
        }
        Stored::Yes(_) | Stored::Refused => FieldErrors::non_field("The database does not take this record."),
    }
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
    let mut levels = query.all("level").map(level).collect::<Result<Vec<_>, _>>()?;
    levels.sort_unstable();
    levels.dedup();
    Ok(levels)
}
