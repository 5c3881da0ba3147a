//! `/api/subscribers/`: who gets a report a day.

use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, Responder};
use chrono::{DateTime, Utc};
use logmon_core::field::FieldErrors;
use logmon_core::language::Language;
use logmon_core::notification::ChannelId;
use logmon_core::page::Cursor;
use logmon_core::report::{NewSubscriber, SubscriberId};
use logmon_store::db::subscribers::{self, SaveSubscriberError, Subscriber};
use serde::Serialize;
use utoipa::ToSchema;

use super::{rfc3339, row_id};
use crate::body::Body;
use crate::error::ApiError;
use crate::openapi::shared::{NoSuch, Paging};
use crate::query::{Listing, Query};
use crate::state::State;

/// A subscriber of daily reports.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Subscriber)]
pub struct SubscriberView {
    #[schema(value_type = i64)]
    id: SubscriberId,
    #[schema(example = "payments team")]
    name: String,
    /// Whose apps the reports are about; everybody's when null.
    owner: Option<String>,
    /// Through which channels they are sent.
    #[schema(value_type = Vec<i64>)]
    channels: Vec<ChannelId>,
    enabled: bool,
    /// `en` or `zh-CN`; that of the settings when null.
    #[schema(value_type = Option<String>)]
    language: Option<Language>,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
}

/// What a subscriber says. What is left out has its default; in a change it stays.
#[derive(Debug, ToSchema)]
pub struct SubscriberBody {
    /// Its name, which no other subscriber has; required but in a change.
    #[schema(min_length = 1, max_length = 100, example = "payments team")]
    pub name: Option<String>,
    /// Whose apps the reports are about, as `owner` of the apps has it; everybody's when null.
    #[schema(max_length = 100)]
    pub owner: Option<String>,
    /// The ids of at most 20 channels; without any the reports are only kept to be read.
    #[schema(default = json!([]))]
    pub channels: Option<Vec<i64>>,
    /// Whether reports are made.
    #[schema(default = true)]
    pub enabled: Option<bool>,
    /// `en` or `zh-CN`; that of the settings when null.
    pub language: Option<String>,
}

impl From<Subscriber> for SubscriberView {
    fn from(subscriber: Subscriber) -> Self {
        let Subscriber { id, says, created_at } = subscriber;
        let owner = says.scope.owner().map(str::to_owned);
        let NewSubscriber { name, channels, enabled, language, .. } = says;
        Self { id, name, owner, channels, enabled, language, created_at }
    }
}

impl From<SaveSubscriberError> for ApiError {
    fn from(error: SaveSubscriberError) -> Self {
        let wrong = |field, message: String| Self::from(FieldErrors::one(field, message));
        match error {
            SaveSubscriberError::NameTaken => wrong("name", "subscriber with this name already exists.".to_owned()),
            SaveSubscriberError::NoSuchChannel(id) => {
                wrong("channels", format!("Invalid pk \"{}\" - object does not exist.", id.0))
            }
            SaveSubscriberError::AlertsOnly(id) => {
                wrong("channels", format!("The channel {} takes alerts only, for that is what its kind is.", id.0))
            }
            SaveSubscriberError::Db(error) => error.into(),
        }
    }
}

/// The subscribers, newest first.
#[utoipa::path(
    get,
    path = "/api/subscribers/",
    params(Paging),
    responses((status = 200, description = "A page of them.", body = [SubscriberView]))
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let page = Query::parse(request.query_string()).page()?;
    let rows = state.database(move |conn| subscribers::list(conn, Listing::<SubscriberView>::one_more(page))).await?;
    let place = |subscriber: &Subscriber| Cursor { created_at: subscriber.created_at, id: subscriber.id.0 };
    Ok(Listing::new(rows, page, place, SubscriberView::from))
}

/// Makes a subscriber: from the day that runs on, it gets a report of each day once it is over.
#[utoipa::path(
    post,
    path = "/api/subscribers/",
    request_body = SubscriberBody,
    responses((status = 201, description = "The subscriber.", body = SubscriberView))
)]
pub async fn create(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let body = Body::read(&request, payload, &state).await?;
    let says = NewSubscriber::from_fields(&body.fields()?, None)?;
    let now = state.clock.now();
    let made = state.database(move |conn| subscribers::create(conn, &says, now)).await?;
    Ok(HttpResponse::Created().json(SubscriberView::from(made)))
}

/// One subscriber.
#[utoipa::path(
    get,
    path = "/api/subscribers/{id}/",
    params(("id" = i64, Path, description = "The subscriber's id.")),
    responses((status = 200, description = "The subscriber.", body = SubscriberView), NoSuch)
)]
pub async fn show(id: Path<String>, state: Data<State>) -> Result<impl Responder, ApiError> {
    let id = subscriber_id(&id)?;
    let found = state.database(move |conn| subscribers::get(conn, id)).await?;
    Ok(Json(SubscriberView::from(found.ok_or_else(|| ApiError::no_such("Subscriber"))?)))
}

/// Changes a subscriber. What is not sent stays.
#[utoipa::path(
    patch,
    path = "/api/subscribers/{id}/",
    params(("id" = i64, Path, description = "The subscriber's id.")),
    request_body = SubscriberBody,
    responses((status = 200, description = "The subscriber as it is now.", body = SubscriberView), NoSuch)
)]
pub async fn change(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    state: Data<State>,
) -> Result<impl Responder, ApiError> {
    let id = subscriber_id(&id)?;
    let body = Body::read(&request, payload, &state).await?;
    let kept = state.database(move |conn| subscribers::get(conn, id)).await?;
    let kept = kept.ok_or_else(|| ApiError::no_such("Subscriber"))?;
    let says = NewSubscriber::from_fields(&body.fields()?, Some(&kept.says))?;
    let changed = state.database(move |conn| subscribers::update(conn, id, &says)).await?;
    Ok(Json(SubscriberView::from(changed.ok_or_else(|| ApiError::no_such("Subscriber"))?)))
}

/// Deletes a subscriber with its reports.
#[utoipa::path(
    delete,
    path = "/api/subscribers/{id}/",
    params(("id" = i64, Path, description = "The subscriber's id.")),
    responses((status = 204, description = "It is gone."), NoSuch)
)]
pub async fn delete(id: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let id = subscriber_id(&id)?;
    if state.database(move |conn| subscribers::delete(conn, id)).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(ApiError::no_such("Subscriber"))
    }
}

fn subscriber_id(text: &str) -> Result<SubscriberId, ApiError> {
    row_id(text, "Subscriber").map(SubscriberId)
}
