//! `/api/alerts/`: what waits for somebody, and resolving it.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, Responder};
use chrono::{DateTime, Utc};
use logmon_core::alert::{Alert, AlertId, AlertState};
use logmon_core::app::AppId;
use logmon_core::page::Cursor;
use logmon_store::db::alerts;
use serde::Serialize;

use super::{rfc3339, row_id};
use crate::error::ApiError;
use crate::query::{Listing, Query};
use crate::state::State;

/// An alert.
#[derive(Debug, Serialize)]
pub struct AlertView {
    id: AlertId,
    content: String,
    is_resolved: bool,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
    app: AppId,
}

impl From<Alert> for AlertView {
    fn from(alert: Alert) -> Self {
        let is_resolved = alert.state == AlertState::Resolved;
        Self { id: alert.id, content: alert.content, is_resolved, created_at: alert.created_at, app: alert.app }
    }
}

/// The open alerts, newest first.
pub async fn list(request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let page = Query::parse(request.query_string()).page()?;
    let rows = state.database(move |conn| alerts::open(conn, Listing::<AlertView>::one_more(page))).await?;
    let place = |alert: &Alert| Cursor { created_at: alert.created_at, id: alert.id.0 };
    Ok(Listing::new(rows, page, place, AlertView::from))
}

/// Resolves an alert; again, the same answer. The body is not looked at.
pub async fn resolve(id: Path<String>, state: Data<State>) -> Result<impl Responder, ApiError> {
    let id = AlertId(row_id(&id, "Alert")?);
    let alert = state.database(move |conn| alerts::resolve(conn, id)).await?;
    Ok(Json(AlertView::from(alert.ok_or_else(|| ApiError::no_such("Alert"))?)))
}
