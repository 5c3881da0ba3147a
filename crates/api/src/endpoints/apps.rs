//! `/api/apps/`: the business systems whose logs are kept.

use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, Responder};
use chrono::{DateTime, Utc};
use logmon_core::app::{App, AppChange, AppId, NewApp};
use logmon_core::field::FieldErrors;
use logmon_core::page::Cursor;
use logmon_core::tasks::{DeleteApp, DeletedApp, Task as _};
use logmon_store::db::apps::{self, SaveAppError};
use serde::Serialize;

use super::tasks::accepted;
use super::{rfc3339, row_id};
use crate::body::Body;
use crate::error::ApiError;
use crate::query::{Listing, Query};
use crate::state::State;

/// An app.
#[derive(Debug, Serialize)]
pub struct AppView {
    /// Its id.
    pub id: AppId,
    /// Its name.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// When it was made.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: DateTime<Utc>,
}

impl From<App> for AppView {
    fn from(app: App) -> Self {
        Self { id: app.id, name: app.name, owner: app.owner, created_at: app.created_at }
    }
}

impl From<SaveAppError> for ApiError {
    fn from(error: SaveAppError) -> Self {
        match error {
            SaveAppError::NameTaken => FieldErrors::one("name", "app with this name already exists.").into(),
            SaveAppError::Db(error) => error.into(),
        }
    }
}

/// The apps, newest first.
pub async fn list(request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let page = Query::parse(request.query_string()).page()?;
    let rows = state.database(move |conn| apps::list(conn, Listing::<AppView>::one_more(page))).await?;
    let place = |app: &App| Cursor { created_at: app.created_at, id: app.id.0 };
    Ok(Listing::new(rows, page, place, AppView::from))
}

/// Makes an app.
pub async fn create(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let body = Body::read(&request, payload, &state).await?;
    let (app, now) = (NewApp::from_fields(&body.fields()?)?, state.clock.now());
    let app = state.database(move |conn| apps::create(conn, &app, now)).await?;
    Ok(HttpResponse::Created().json(AppView::from(app)))
}

/// One app.
pub async fn show(id: Path<String>, state: Data<State>) -> Result<impl Responder, ApiError> {
    let id = app_id(&id)?;
    let app = state.database(move |conn| apps::get(conn, id)).await?;
    Ok(Json(AppView::from(app.ok_or_else(|| ApiError::no_such("App"))?)))
}

/// Changes an app's name or owner.
pub async fn change(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    state: Data<State>,
) -> Result<impl Responder, ApiError> {
    let id = app_id(&id)?;
    let body = Body::read(&request, payload, &state).await?;
    let change = AppChange::from_fields(&body.fields()?)?;
    let app = state.database(move |conn| apps::update(conn, id, &change)).await?;
    Ok(Json(AppView::from(app.ok_or_else(|| ApiError::no_such("App"))?)))
}

/// Queues the removal of an app with everything that is kept of it. It is there until the task is done.
pub async fn delete(id: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let id = app_id(&id)?;
    let app = state.database(move |conn| apps::get(conn, id)).await?;
    app.ok_or_else(|| ApiError::no_such("App"))?;
    let task = DeleteApp::call(&DeletedApp { app: id }).map_err(|e| ApiError::internal(e.to_string()))?;
    accepted(&state, task).await
}

fn app_id(text: &str) -> Result<AppId, ApiError> {
    row_id(text, "App").map(AppId)
}
