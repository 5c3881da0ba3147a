//! `/api/deliveries/`: what was told through which channel, each try to, and what was given up.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse, Responder};
use chrono::{DateTime, Utc};
use logmon_core::alert::AlertId;
use logmon_core::field::FieldErrors;
use logmon_core::notification::{ChannelId, DeliveryId, DeliveryState};
use logmon_core::page::Cursor;
use logmon_core::tasks::{DispatchNotifications, NoInput, Task as _};
use logmon_store::db::deliveries::{self, Attempt, Delivery, DeliveryFilter};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{rfc3339, rfc3339_or_none, row_id};
use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::openapi::shared::{Detail, NoSuch, Paging};
use crate::query::{Listing, Query};
use crate::state::State;

/// A delivery.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    #[schema(value_type = i64)]
    id: DeliveryId,
    /// The same on every try.
    #[schema(value_type = String)]
    event_id: Uuid,
    #[schema(example = "alert.opened")]
    event: String,
    #[schema(value_type = Option<i64>)]
    alert: Option<AlertId>,
    #[schema(value_type = i64)]
    channel: ChannelId,
    /// `waiting`, `delivered`, `folded` or `dead`.
    #[schema(value_type = String)]
    state: DeliveryState,
    attempts: u32,
    #[serde(serialize_with = "rfc3339_or_none")]
    next_at: Option<DateTime<Utc>>,
    /// The delivery that tells it with others.
    #[schema(value_type = Option<i64>)]
    digest: Option<DeliveryId>,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339_or_none")]
    finished_at: Option<DateTime<Utc>>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            event_id: delivery.event_id,
            event: delivery.event,
            alert: delivery.alert,
            channel: delivery.channel,
            state: delivery.state,
            attempts: delivery.attempts,
            next_at: (delivery.state == DeliveryState::Waiting).then_some(delivery.next_at),
            digest: delivery.digest,
            created_at: delivery.created_at,
            finished_at: delivery.finished_at,
        }
    }
}

/// A delivery with each try.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WholeDelivery)]
pub struct WholeDeliveryView {
    #[serde(flatten)]
    delivery: DeliveryView,
    tries: Vec<AttemptView>,
}

/// A try.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub struct AttemptView {
    #[serde(serialize_with = "rfc3339")]
    at: DateTime<Utc>,
    status: Option<u16>,
    duration_ms: u32,
    answer: String,
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        Self { at: attempt.at, status: attempt.status, duration_ms: attempt.duration_ms, answer: attempt.answer }
    }
}

/// The deliveries of `channel`, about `alert`, in `state`, newest first.
#[utoipa::path(
    get,
    path = "/api/deliveries/",
    params(
        ("channel" = Option<i64>, Query, description = "The channel's id."),
        ("alert" = Option<i64>, Query, description = "The alert's id."),
        ("state" = Option<String>, Query, description = "`waiting`, `delivered`, `folded` or `dead`."),
        Paging
    ),
    responses((status = 200, description = "A page of them.", body = [DeliveryView]))
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let query = Query::parse(request.query_string());
    let (filter, page) = (filter(&query)?, query.page()?);
    let rows =
        state.database(move |conn| deliveries::list(conn, &filter, Listing::<DeliveryView>::one_more(page))).await?;
    let place = |delivery: &Delivery| Cursor { created_at: delivery.created_at, id: delivery.id.0 };
    Ok(Listing::new(rows, page, place, DeliveryView::from))
}

fn filter(query: &Query) -> Result<DeliveryFilter, FieldErrors> {
    let mut errors = FieldErrors::default();
    let channel = query.id("channel", &mut errors).map(ChannelId);
    let alert = query.id("alert", &mut errors).map(AlertId);
    let state = query.last("state").filter(|text| !text.is_empty()).and_then(|text| {
        let expected = format!("\"{text}\" is not a valid choice: waiting, delivered, folded or dead.");
        errors.take("state", DeliveryState::from_name(text).ok_or_else(|| vec![expected]))
    });
    errors.into_result(DeliveryFilter { channel, alert, state })
}

/// One delivery with each try, the oldest first.
#[utoipa::path(
    get,
    path = "/api/deliveries/{id}/",
    params(("id" = i64, Path, description = "The delivery's id.")),
    responses((status = 200, description = "The delivery with each try.", body = WholeDeliveryView), NoSuch)
)]
pub async fn show(id: Path<String>, state: Data<State>) -> Result<impl Responder, ApiError> {
    let id = delivery_id(&id)?;
    let found = state.database(move |conn| deliveries::show(conn, id)).await?;
    let (delivery, tries) = found.ok_or_else(|| ApiError::no_such("Delivery"))?;
    Ok(Json(WholeDeliveryView { delivery: delivery.into(), tries: tries.into_iter().map(AttemptView::from).collect() }))
}

/// Sends a delivery again that was given up. 409 for any other.
#[utoipa::path(
    post,
    path = "/api/deliveries/{id}/send/",
    params(("id" = i64, Path, description = "The delivery's id.")),
    responses(
        (status = 202, description = "It is sent again.", body = DeliveryView),
        NoSuch,
        (status = 409, description = "It is not dead.", body = Detail)
    )
)]
pub async fn send(id: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let (id, now) = (delivery_id(&id)?, state.clock.now());
    let (again, delivery) = state
        .database(move |conn| {
            let again = deliveries::send_again(conn, id, now)?;
            Ok::<_, logmon_store::db::DbError>((again, deliveries::show(conn, id)?))
        })
        .await?;
    let (delivery, _) = delivery.ok_or_else(|| ApiError::no_such("Delivery"))?;
    if !again {
        return Err(ApiError::detail(ErrorCode::Conflict, "Only a dead delivery can be sent again."));
    }
    dispatch(&state).await;
    Ok(HttpResponse::Accepted().json(DeliveryView::from(delivery)))
}

/// Has what waits in the outbox sent now. Without Redis it is sent a moment later, when beat says so.
pub async fn dispatch(state: &State) {
    let Ok(task) = DispatchNotifications::call(&NoInput {}) else { return };
    if let Err(error) = state.broker(move |broker| broker.enqueue(&task)).await {
        log::warn!("what is to be told waits for beat: {}", error.cause().unwrap_or_default());
    }
}

fn delivery_id(text: &str) -> Result<DeliveryId, ApiError> {
    row_id(text, "Delivery").map(DeliveryId)
}
