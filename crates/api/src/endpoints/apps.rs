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
use utoipa::ToSchema;

use super::tasks::{Accepted, accepted};
use super::{rfc3339, row_id};
use crate::body::Body;
use crate::error::ApiError;
use crate::openapi::shared::{NoSuch, Paging};
use crate::query::{Listing, Query};
use crate::state::State;

/// An app.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = App)]
pub struct AppView {
    /// Its id.
    #[schema(value_type = i64)]
    pub id: AppId,
    /// Its name.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// When it was made.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: DateTime<Utc>,
}

/// What an app is made from.
#[derive(Debug, ToSchema)]
pub struct NewAppBody {
    /// Its name, which no other app has.
    #[schema(min_length = 1, max_length = 100, example = "billing")]
    pub name: String,
    /// Who answers for it.
    #[schema(min_length = 1, max_length = 100, example = "bob")]
    pub owner: String,
}

/// A change of an app: what is left out stays.
#[derive(Debug, ToSchema)]
pub struct AppChangeBody {
    /// Its new name, which no other app has.
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// Who answers for it now.
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub owner: Option<String>,
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
#[utoipa::path(
    get,
    path = "/api/apps/",
    params(Paging),
    responses((status = 200, description = "A page of them.", body = [AppView]))
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let page = Query::parse(request.query_string()).page()?;
    let rows = state.database(move |conn| apps::list(conn, Listing::<AppView>::one_more(page))).await?;
    let place = |app: &App| Cursor { created_at: app.created_at, id: app.id.0 };
    Ok(Listing::new(rows, page, place, AppView::from))
}

/// Makes an app.
#[utoipa::path(
    post,
    path = "/api/apps/",
    request_body = NewAppBody,
    responses((status = 201, description = "The app.", body = AppView))
)]
pub async fn create(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let body = Body::read(&request, payload, &state).await?;
    let (app, now) = (NewApp::from_fields(&body.fields()?)?, state.clock.now());
    let app = state.database(move |conn| apps::create(conn, &app, now)).await?;
    Ok(HttpResponse::Created().json(AppView::from(app)))
}

/// One app.
#[utoipa::path(
    get,
    path = "/api/apps/{id}/",
    params(("id" = i64, Path, description = "The app's id.")),
    responses((status = 200, description = "The app.", body = AppView), NoSuch)
)]
pub async fn show(id: Path<String>, state: Data<State>) -> Result<impl Responder, ApiError> {
    let id = app_id(&id)?;
    let app = state.database(move |conn| apps::get(conn, id)).await?;
    Ok(Json(AppView::from(app.ok_or_else(|| ApiError::no_such("App"))?)))
}

/// Changes an app's name or owner.
#[utoipa::path(
    patch,
    path = "/api/apps/{id}/",
    params(("id" = i64, Path, description = "The app's id.")),
    request_body = AppChangeBody,
    responses((status = 200, description = "The app, changed.", body = AppView), NoSuch)
)]
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
#[utoipa::path(
    delete,
    path = "/api/apps/{id}/",
    params(("id" = i64, Path, description = "The app's id.")),
    responses((status = 202, description = "A task is queued that does it.", body = Accepted, headers(("Location" = String, description = "Where its result will be."))), NoSuch)
)]
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
