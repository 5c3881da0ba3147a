//! Many alerts at once: resolved, and taken back.

use actix_web::web::{Data, Json, Payload};
use actix_web::{HttpRequest, Responder};
use chrono::{DateTime, Utc};
use logmon_core::alert::{AlertId, Chosen, Said, is_about};
use logmon_core::field::{self, FieldErrors};
use logmon_core::notification::EventId;
use logmon_store::db::Connection;
use logmon_store::db::alerts::{self, UNDO};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::rfc3339;
use crate::body::Body;
use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::openapi::shared::{Detail, NoSuch};
use crate::state::State;

/// Which alerts, and who says what to it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResolveBody)]
pub struct ResolveBody {
    /// These, up to 1,000; or a filter instead.
    ids: Option<Vec<i64>>,
    /// The open ones of `app`, `rule` and `severity`, each one value or a list: up to 10,000.
    #[schema(value_type = Option<Object>)]
    filter: Option<serde_json::Value>,
    /// How many the filter is thought to find: off by more than a tenth, nothing is done.
    expected: Option<u64>,
    /// Who does it.
    by: Option<String>,
    /// Why.
    note: Option<String>,
}

/// What was resolved.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResolvedAlerts)]
pub struct ResolvedView {
    resolved: usize,
    /// Alerts that were named and were not open.
    #[schema(value_type = Vec<i64>)]
    skipped: Vec<AlertId>,
    /// By what all of it is taken back.
    #[schema(value_type = String)]
    undo_token: EventId,
    /// Until when it can be taken back.
    #[serde(serialize_with = "rfc3339")]
    undo_until: DateTime<Utc>,
}

/// Resolves many alerts: those that are named, or those that a filter finds.
#[utoipa::path(
    post,
    path = "/api/alerts/resolve/",
    request_body = ResolveBody,
    responses(
        (status = 200, description = "How many.", body = ResolvedView),
        (status = 409, description = "The filter finds many more, or fewer, than were expected.", body = Detail)
    )
)]
pub async fn resolve_together(
    request: HttpRequest,
    payload: Payload,
    state: Data<State>,
) -> Result<impl Responder, ApiError> {
    let body = Body::read(&request, payload, &state).await?;
    let (chosen, said) = (Chosen::from_fields(&body.fields()?)?, Said::from_fields(&body.fields()?)?);
    let now = state.clock.now();
    let work = move |conn: &mut Connection| {
        let ids = match chosen {
            Chosen::Ids(ids) => ids,
            Chosen::Filter(filter, expected) => {
                let ids = alerts::open_ids(conn, &filter)?;
                let found = u64::try_from(ids.len()).unwrap_or(u64::MAX);
                if !is_about(expected, found) {
                    let detail = format!("{expected} were expected, and {found} are open: look again.");
                    return Err(ApiError::detail(ErrorCode::Conflict, detail));
                }
                ids
            }
        };
        Ok(alerts::resolve_together(conn, &ids, &said, now)?)
    };
    let done = state.database(work).await?;
    let (resolved, skipped) = (done.resolved.len(), done.skipped);
    Ok(Json(ResolvedView { resolved, skipped, undo_token: done.batch, undo_until: now + UNDO }))
}

/// What to take back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UndoBody)]
pub struct UndoBody {
    /// From the answer of the call that is taken back.
    undo_token: String,
    /// Who does it.
    by: Option<String>,
    /// Why.
    note: Option<String>,
}

/// What was taken back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReopenedAlerts)]
pub struct ReopenedView {
    reopened: usize,
    /// Alerts that something else has become of since.
    #[schema(value_type = Vec<i64>)]
    skipped: Vec<AlertId>,
}

/// Takes back what was resolved together, within 10 minutes.
#[utoipa::path(
    post,
    path = "/api/alerts/undo/",
    request_body = UndoBody,
    responses((status = 200, description = "How many.", body = ReopenedView), NoSuch)
)]
pub async fn undo(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<impl Responder, ApiError> {
    let body = Body::read(&request, payload, &state).await?;
    let (token, said) = {
        let fields = body.fields()?;
        let mut errors = FieldErrors::default();
        let token = errors.take("undo_token", field::text(fields.get("undo_token"), 100));
        let token = token.map(|token| token.parse().map(EventId).ok());
        (errors.into_result(token)?.flatten(), Said::from_fields(&fields)?)
    };
    let now = state.clock.now();
    let nothing = || ApiError::detail(ErrorCode::NotFound, "There is nothing to take back any more.");
    let token = token.ok_or_else(nothing)?;
    let done = state.database(move |conn| alerts::undo(conn, token, &said, now)).await?;
    let done = done.ok_or_else(nothing)?;
    Ok(Json(ReopenedView { reopened: done.reopened.len(), skipped: done.skipped }))
}
