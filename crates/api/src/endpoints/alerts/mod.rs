//! `/api/alerts/`: what waits for somebody, and what is done about it.

mod act;
mod together;
mod view;

pub use act::*;
pub use together::*;
pub use view::{AlertView, EventView, FindingView, PatternView, PlaceView, WholeAlertView};

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, Responder};
use logmon_core::alert::{Alert, AlertFilter, AlertId};
use logmon_core::log::moment;
use logmon_core::page::Cursor;
use logmon_store::db::{Connection, alert_events, alerts};

use super::row_id;
use crate::error::ApiError;
use crate::openapi::shared::{NoSuch, Paging};
use crate::query::{Listing, Query};
use crate::state::State;

/// The alerts, newest first: those that are not resolved, unless `state` says otherwise.
#[utoipa::path(
    get,
    path = "/api/alerts/",
    params(
        ("state" = Option<Vec<String>>, Query, description = "Only in these: `open`, `acknowledged`, `resolved`."),
        ("app" = Option<Vec<i64>>, Query, description = "Only of these apps."),
        ("rule" = Option<Vec<i64>>, Query, description = "Only of these rules."),
        ("severity" = Option<Vec<String>>, Query, description = "Only of these: `info`, `warning`, `critical`."),
        ("silenced" = Option<bool>, Query, description = "Only those that are under a silence, or are not."),
        ("q" = Option<String>, Query, description = "Only those that contain this, without regard to case: in what they say, in the name of their rule, in their note or in their messages."),
        ("assigned_to" = Option<String>, Query, description = "Only of this person."),
        ("since" = Option<String>, Query, description = "Only those raised from this moment on."),
        ("until" = Option<String>, Query, description = "Only those raised before this moment."),
        Paging
    ),
    responses((status = 200, description = "A page of them.", body = [AlertView]))
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let query = Query::parse(request.query_string());
    let now = state.clock.now();
    let filter = AlertFilter::from_query(|name| query.all(name).collect(), |text| moment(text, now))?;
    let page = query.page()?;
    let rows = state.database(move |conn| alerts::list(conn, &filter, Listing::<AlertView>::one_more(page))).await?;
    let place = |alert: &Alert| Cursor { created_at: alert.created_at, id: alert.id.0 };
    Ok(Listing::new(rows, page, place, AlertView::from))
}

/// One alert, with what became of it.
#[utoipa::path(
    get,
    path = "/api/alerts/{id}/",
    params(("id" = i64, Path, description = "The alert's id.")),
    responses((status = 200, description = "The alert.", body = WholeAlertView), NoSuch)
)]
pub async fn show(id: Path<String>, state: Data<State>) -> Result<impl Responder, ApiError> {
    let id = alert_id(&id)?;
    let work = move |conn: &mut Connection| {
        let alert = alerts::get(conn, id)?.ok_or_else(none)?;
        Ok::<_, ApiError>((alert, alert_events::of_alert(conn, id)?))
    };
    Ok(Json(WholeAlertView::from(state.database(work).await?)))
}

/// Resolves an alert; again, the same answer. The body is not looked at.
#[utoipa::path(
    patch,
    path = "/api/alerts/{id}/resolve/",
    params(("id" = i64, Path, description = "The alert's id.")),
    responses((status = 200, description = "The alert, resolved.", body = AlertView), NoSuch)
)]
pub async fn resolve(id: Path<String>, state: Data<State>) -> Result<impl Responder, ApiError> {
    let (id, now) = (alert_id(&id)?, state.clock.now());
    let alert = state.database(move |conn| alerts::resolve(conn, id, now)).await?;
    Ok(Json(AlertView::from(alert.ok_or_else(none)?)))
}

fn alert_id(text: &str) -> Result<AlertId, ApiError> {
    row_id(text, "Alert").map(AlertId)
}

fn none() -> ApiError {
    ApiError::no_such("Alert")
}
