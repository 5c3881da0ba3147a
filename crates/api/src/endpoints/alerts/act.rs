//! What is done with one alert.

use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, Responder};
use logmon_core::alert::{AlertChange, AlertId, Said, assignee};
use logmon_store::db::alerts::{self, ChangeAlertError};
use serde::Serialize;
use utoipa::ToSchema;

use super::{AlertView, alert_id, none};
use crate::body::Body;
use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::openapi::shared::{Detail, NoSuch};
use crate::state::State;

/// Who does it, and why; both may be left out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SaidBody)]
pub struct SaidBody {
    /// Who.
    #[schema(max_length = 100, example = "li")]
    by: Option<String>,
    /// Why, or anything else.
    #[schema(max_length = 1_000)]
    note: Option<String>,
}

/// To whom an alert is given.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AssignBody)]
pub struct AssignBody {
    /// To whom; null to nobody.
    #[schema(max_length = 100, example = "li")]
    to: Option<String>,
    /// Who does it.
    #[schema(max_length = 100)]
    by: Option<String>,
    /// Why, or anything else.
    #[schema(max_length = 1_000)]
    note: Option<String>,
}

impl From<ChangeAlertError> for ApiError {
    fn from(error: ChangeAlertError) -> Self {
        match error {
            ChangeAlertError::NoSuch => none(),
            ChangeAlertError::IsResolved => {
                Self::detail(ErrorCode::Conflict, "The alert is resolved: reopen it first.")
            }
            ChangeAlertError::AnotherIsOpen(AlertId(id)) => {
                Self::detail(ErrorCode::Conflict, format!("Alert {id} of the same rule and app is open."))
            }
            ChangeAlertError::Db(error) => error.into(),
        }
    }
}

/// Says that somebody looks after an alert; again, the same answer.
#[utoipa::path(
    post,
    path = "/api/alerts/{id}/acknowledge/",
    params(("id" = i64, Path, description = "The alert's id.")),
    request_body = SaidBody,
    responses(
        (status = 200, description = "The alert.", body = AlertView),
        NoSuch,
        (status = 409, description = "It is resolved.", body = Detail)
    )
)]
pub async fn acknowledge(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    state: Data<State>,
) -> Result<impl Responder, ApiError> {
    let body = Body::read(&request, payload, &state).await?;
    change(&id, AlertChange::Acknowledge, Said::from_fields(&body.fields()?)?, &state).await
}

/// Says that an alert is not over after all; again, the same answer.
#[utoipa::path(
    post,
    path = "/api/alerts/{id}/reopen/",
    params(("id" = i64, Path, description = "The alert's id.")),
    request_body = SaidBody,
    responses(
        (status = 200, description = "The alert.", body = AlertView),
        NoSuch,
        (status = 409, description = "Another alert of the same rule and app is open.", body = Detail)
    )
)]
pub async fn reopen(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    state: Data<State>,
) -> Result<impl Responder, ApiError> {
    let body = Body::read(&request, payload, &state).await?;
    change(&id, AlertChange::Reopen, Said::from_fields(&body.fields()?)?, &state).await
}

/// Gives an alert to somebody, or to nobody.
#[utoipa::path(
    post,
    path = "/api/alerts/{id}/assign/",
    params(("id" = i64, Path, description = "The alert's id.")),
    request_body = AssignBody,
    responses((status = 200, description = "The alert.", body = AlertView), NoSuch)
)]
pub async fn assign(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    state: Data<State>,
) -> Result<impl Responder, ApiError> {
    let body = Body::read(&request, payload, &state).await?;
    let (to, said) = (assignee(&body.fields()?)?, Said::from_fields(&body.fields()?)?);
    change(&id, AlertChange::Assign(to), said, &state).await
}

async fn change(id: &str, change: AlertChange, said: Said, state: &State) -> Result<Json<AlertView>, ApiError> {
    let (id, now) = (alert_id(id)?, state.clock.now());
    let alert = state.database(move |conn| alerts::change(conn, id, &change, &said, now)).await?;
    Ok(Json(alert.into()))
}
