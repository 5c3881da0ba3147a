//! `/api/alerts/`: what waits for somebody, and resolving it.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, Responder};
use chrono::{DateTime, Utc};
use logmon_core::alert::{Alert, AlertId, AlertState};
use logmon_core::app::AppId;
use logmon_core::page::Cursor;
use logmon_store::db::alerts;
use serde::Serialize;
use utoipa::ToSchema;

use super::{rfc3339, row_id};
use crate::error::ApiError;
use crate::openapi::shared::{NoSuch, Paging};
use crate::query::{Listing, Query};
use crate::state::State;

/// An alert.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Alert)]
pub struct AlertView {
    #[schema(value_type = i64)]
    id: AlertId,
    #[schema(example = "102 error logs in the past 10 minutes")]
    content: String,
    is_resolved: bool,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
    #[schema(value_type = i64)]
    app: AppId,
}

impl From<Alert> for AlertView {
    fn from(alert: Alert) -> Self {
        let is_resolved = alert.state == AlertState::Resolved;
        Self { id: alert.id, content: alert.content, is_resolved, created_at: alert.created_at, app: alert.app }
    }
}

/// The open alerts, newest first.
#[utoipa::path(
    get,
    path = "/api/alerts/",
    params(Paging),
    responses((status = 200, description = "A page of them.", body = [AlertView]))
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let page = Query::parse(request.query_string()).page()?;
    let rows = state.database(move |conn| alerts::open(conn, Listing::<AlertView>::one_more(page))).await?;
    let place = |alert: &Alert| Cursor { created_at: alert.created_at, id: alert.id.0 };
    Ok(Listing::new(rows, page, place, AlertView::from))
}

/// Resolves an alert; again, the same answer. The body is not looked at.
#[utoipa::path(
    patch,
    path = "/api/alerts/{id}/resolve/",
    params(("id" = i64, Path, description = "The alert's id.")),
    responses((status = 200, description = "The alert, resolved.", body = AlertView), NoSuch)
)]
pub async fn resolve(id: Path<String>, state: Data<State>) -> Result<impl Responder, ApiError> {
    let id = AlertId(row_id(&id, "Alert")?);
    let alert = state.database(move |conn| alerts::resolve(conn, id)).await?;
    Ok(Json(AlertView::from(alert.ok_or_else(|| ApiError::no_such("Alert"))?)))
}
