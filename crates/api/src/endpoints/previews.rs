//! `POST /api/channels/{id}/preview/`: what a channel would be sent.

use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, Responder};
use logmon_core::alert::AlertId;
use logmon_core::field::{self, FieldErrors, Fields};
use logmon_core::notification::{Link, Message, Notification, Payload as Told, TemplateError};
use logmon_store::db::channels::OpenChannelError;
use logmon_store::db::{alert_events, alerts, channels};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::channels::channel_id;
use crate::body::Body;
use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::openapi::shared::{Detail, NoSuch};
use crate::state::State;

/// What is shown, and in whose words. All of it may be left out.
#[derive(Debug, ToSchema)]
pub struct PreviewBody {
    /// The id of an alert that a rule raised; otherwise the newest one.
    pub alert: Option<i64>,
    /// `{"title":"…","text":"…"}` in Jinja, in the place of the channel's; null is our own words.
    #[schema(value_type = Option<Object>, example = json!({ "title": "{{ app.name }}", "text": "{{ text }}" }))]
    pub template: Option<Value>,
}

/// What a channel would be sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Preview)]
struct PreviewView {
    /// The alert.
    #[schema(value_type = i64)]
    alert: AlertId,
    title: String,
    text: String,
    /// Where its logs are, where `PUBLIC_URL` says where people find this server.
    link: Option<String>,
    /// The body of the request, its signature left out; or the mail with `to`, `subject`, `text` and `html`.
    #[schema(value_type = Object)]
    sent: Value,
}

/// What a channel would be sent when an alert is raised, without sending it. A template that cannot be read or filled in gets a
/// 400 that names its part, line and column.
#[utoipa::path(
    post,
    path = "/api/channels/{id}/preview/",
    params(("id" = i64, Path, description = "The channel's id.")),
    request_body = PreviewBody,
    responses(
        (status = 200, description = "What it would be sent.", body = PreviewView),
        NoSuch,
        (status = 409, description = "No rule has raised an alert yet, or the channel's secrets cannot be opened.", body = Detail)
    )
)]
pub async fn preview(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    state: Data<State>,
) -> Result<impl Responder, ApiError> {
    let id = channel_id(&id)?;
    let body = Body::read(&request, payload, &state).await?;
    let fields = body.fields()?;
    let mut errors = FieldErrors::default();
    let alert = match fields.get("alert").filter(|value| !field::is_null(value)) {
        Some(value) => errors.take("alert", field::key(Some(value))).map(|key| AlertId(key.id)),
        None => None,
    };
    errors.into_result(())?;
    let sealer = state.telling.sealer.clone();
    let (channel, event) = state
        .database(move |conn| {
            let channel = channels::open(conn, id, sealer.as_ref())?;
            let event = match alert {
                Some(alert) => alert_events::opening(conn, alert)?,
                None => alerts::newest(conn)?.map_or(Ok(None), |newest| alert_events::opening(conn, newest))?,
            };
            Ok::<_, OpenChannelError>((channel, event))
        })
        .await?;
    let mut channel = channel.ok_or_else(|| ApiError::no_such("Channel"))?;
    let event = event.ok_or_else(|| no_alert(alert))?;
    let mut template = Fields::default();
    if let Some(value) = fields.get("template") {
        template.set("template", value.clone());
    }
    channel.settings = channel.settings.changed(&template, state.telling.targets)?;
    let told = Told::One(Box::new(event));
    let (message, outgoing) =
        channel.preview(&told, &state.telling.wording, state.clock.now()).map_err(|error| wrong(&error))?;
    let Message { title, lines, link } = message;
    Ok(Json(PreviewView {
        alert: told.events().first().map_or(AlertId(0), |event: &Notification| event.alert.id),
        title,
        text: lines.join("\n"),
        link: link.map(|link: Link| link.url),
        sent: outgoing.shown(),
    }))
}

fn no_alert(asked: Option<AlertId>) -> ApiError {
    match asked {
        Some(AlertId(id)) => {
            FieldErrors::one("alert", format!("Invalid pk \"{id}\" - no rule has raised such an alert.")).into()
        }
        None => ApiError::detail(ErrorCode::Conflict, "No rule has raised an alert yet."),
    }
}

fn wrong(error: &TemplateError) -> ApiError {
    let mut errors = FieldErrors::default();
    errors.nest("template", FieldErrors::one(error.field, error.message.clone()));
    errors.into()
}
