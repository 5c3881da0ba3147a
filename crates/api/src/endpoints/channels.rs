//! `/api/channels/`: where people are told, and trying it out.

use std::net::ToSocketAddrs as _;
use std::time::Duration;

use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, Responder};
use chrono::{DateTime, Utc};
use logmon_core::alert::short;
use logmon_core::field::FieldErrors;
use logmon_core::notification::{
    ChannelConfig, ChannelId, ChannelKind, ConfigError, NewChannel, RateLimit, Target, TargetError, Targets,
};
use logmon_core::page::Cursor;
use logmon_core::tasks::{ChannelInput, Task as _, TestChannel, Tested};
use logmon_store::db::channels::{self, Deleted, OpenChannelError, SaveChannelError, ShownChannel};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

// What `utoipa::path` makes beside a handler goes with it.
pub use super::previews::{__path_preview, preview};
use super::tasks::{Accepted, Ended, finished};
use super::{rfc3339, row_id};
use crate::body::Body;
use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::openapi::shared::{Detail, Fields, NoSuch, Paging};
use crate::query::{Listing, Query};
use crate::state::State;

/// How long somebody who tries a channel out waits for what its receiver says: longer than a worker waits for it.
const TEST_PATIENCE: Duration = Duration::from_secs(15);
/// How long the addresses of a host are waited for; who has none by then is asked for them when it is dialled.
const RESOLUTION: Duration = Duration::from_secs(1);

/// A channel, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Channel)]
pub struct ChannelView {
    #[schema(value_type = i64)]
    id: ChannelId,
    #[schema(value_type = String, example = "webhook")]
    kind: ChannelKind,
    #[schema(example = "on call")]
    name: String,
    /// As its kind has it, without secrets.
    #[schema(value_type = Object)]
    config: Value,
    enabled: bool,
    /// Messages a minute.
    #[schema(value_type = Option<u32>)]
    rate_limit: Option<RateLimit>,
    #[schema(example = "10s")]
    group_wait: Option<String>,
    /// `{"from":"22:00","to":"07:30"}`
    #[schema(value_type = Option<Object>)]
    quiet_hours: Option<Value>,
    #[schema(example = "4h")]
    repeat_after: Option<String>,
    /// `{"title":"…","text":"…"}`
    #[schema(value_type = Option<Object>)]
    template: Option<Value>,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
}

/// What a channel says. What is left out has its default; in a change it stays.
#[derive(Debug, ToSchema)]
pub struct ChannelBody {
    /// `webhook`, `alertmanager`, `email`, `dingtalk`, `wecom`, `feishu` or `slack`; required but in a change, where it stays.
    #[schema(example = "webhook")]
    pub kind: Option<String>,
    /// Its name, which no other channel has; required but in a change.
    #[schema(min_length = 1, max_length = 100, example = "on call")]
    pub name: Option<String>,
    /// As its kind has it; required but in a change, where secrets that are left out stay.
    #[schema(value_type = Option<Object>, example = json!({ "url": "https://example.com/hook", "secret": "…" }))]
    pub config: Option<Value>,
    /// Whether it is used.
    #[schema(default = true)]
    pub enabled: Option<bool>,
    /// How many messages a minute at most; null is as many as there are.
    #[schema(minimum = 1, maximum = 1_000)]
    pub rate_limit: Option<u32>,
    /// For how long, from `1s` to `10m`, what happens waits for what happens with it, to be told in one message; null is not at
    /// all. 10s unless said otherwise, but for a webhook, which gets each event by itself.
    #[schema(example = "10s")]
    pub group_wait: Option<String>,
    /// `{"from":"22:00","to":"07:30"}` in `TIME_ZONE`: what happens then waits.
    #[schema(value_type = Option<Object>, example = json!({ "from": "22:00", "to": "07:30" }))]
    pub quiet_hours: Option<Value>,
    /// After how long, from `1m` to `7d`, an alert is told again that is still open and not acknowledged; null is never.
    #[schema(example = "4h")]
    pub repeat_after: Option<String>,
    /// `{"title":"…","text":"…"}` in Jinja.
    #[schema(value_type = Option<Object>, example = json!({ "title": "{{ app.name }}", "text": "{{ text }}" }))]
    pub template: Option<Value>,
}

/// What came of a test.
#[derive(Debug, ToSchema)]
#[schema(as = Tested)]
pub struct TestedView {
    /// Whether the receiver took it.
    pub delivered: bool,
    /// Why not, in words.
    pub reason: Option<String>,
    /// The receiver's status, if it answered.
    pub status: Option<u16>,
    /// How long it took.
    pub duration_ms: u32,
    /// The first characters of its answer.
    pub answer: String,
}

impl From<ShownChannel> for ChannelView {
    fn from(channel: ShownChannel) -> Self {
        Self {
            id: channel.id,
            kind: channel.kind,
            name: channel.name,
            config: channel.config,
            enabled: channel.enabled,
            rate_limit: channel.rate_limit,
            group_wait: channel.group_wait.map(short),
            quiet_hours: channel.quiet_hours.map(logmon_core::notification::QuietHours::to_value),
            repeat_after: channel.repeat_after.map(short),
            template: channel.template,
            created_at: channel.created_at,
        }
    }
}

impl From<SaveChannelError> for ApiError {
    fn from(error: SaveChannelError) -> Self {
        match error {
            SaveChannelError::NameTaken => FieldErrors::one("name", "channel with this name already exists.").into(),
            SaveChannelError::NoKey => {
                Self::detail(ErrorCode::Conflict, "SECRET_KEY is not set, so no secrets can be kept.")
            }
            SaveChannelError::Db(error) => error.into(),
        }
    }
}

impl From<OpenChannelError> for ApiError {
    fn from(error: OpenChannelError) -> Self {
        match error {
            OpenChannelError::Db(error) => error.into(),
            error => Self::detail(ErrorCode::Conflict, error.to_string()),
        }
    }
}

impl From<ConfigError> for ApiError {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Invalid(errors) => errors.into(),
            ConfigError::Forbidden(errors) => Self::fields(ErrorCode::TargetForbidden, errors),
        }
    }
}

/// The channels, newest first.
#[utoipa::path(
    get,
    path = "/api/channels/",
    params(Paging),
    responses((status = 200, description = "A page of them.", body = [ChannelView]))
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> Result<impl Responder, ApiError> {
    let page = Query::parse(request.query_string()).page()?;
    let rows = state.database(move |conn| channels::list(conn, Listing::<ChannelView>::one_more(page))).await?;
    let place = |channel: &ShownChannel| Cursor { created_at: channel.created_at, id: channel.id.0 };
    Ok(Listing::new(rows, page, place, ChannelView::from))
}

/// Makes a channel.
#[utoipa::path(
    post,
    path = "/api/channels/",
    request_body = ChannelBody,
    responses(
        (status = 201, description = "The channel.", body = ChannelView),
        (status = 409, description = "`SECRET_KEY` is not set, or another than what its secrets were sealed with.", body = Detail),
        (status = 422, description = "Channels may not reach this address.", body = Fields)
    )
)]
pub async fn create(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let body = Body::read(&request, payload, &state).await?;
    let channel = NewChannel::from_fields(&body.fields()?, state.telling.targets)?;
    check_addresses(&state, &channel.config).await?;
    let (sealer, now) = (state.telling.sealer.clone(), state.clock.now());
    let made = state
        .database(move |conn| {
            let id = channels::create(conn, &channel, sealer.as_ref(), now)?;
            Ok::<_, SaveChannelError>(channels::show(conn, id)?)
        })
        .await?;
    Ok(HttpResponse::Created().json(ChannelView::from(made.ok_or_else(|| ApiError::no_such("Channel"))?)))
}

/// One channel.
#[utoipa::path(
    get,
    path = "/api/channels/{id}/",
    params(("id" = i64, Path, description = "The channel's id.")),
    responses((status = 200, description = "The channel.", body = ChannelView), NoSuch)
)]
pub async fn show(id: Path<String>, state: Data<State>) -> Result<impl Responder, ApiError> {
    let id = channel_id(&id)?;
    let channel = state.database(move |conn| channels::show(conn, id)).await?;
    Ok(Json(ChannelView::from(channel.ok_or_else(|| ApiError::no_such("Channel"))?)))
}

/// Changes a channel. What is not sent stays, and so do the secrets within `config`.
#[utoipa::path(
    patch,
    path = "/api/channels/{id}/",
    params(("id" = i64, Path, description = "The channel's id.")),
    request_body = ChannelBody,
    responses(
        (status = 200, description = "The channel as it is now.", body = ChannelView),
        NoSuch,
        (status = 409, description = "`SECRET_KEY` is not set, or another than what its secrets were sealed with.", body = Detail),
        (status = 422, description = "Channels may not reach this address.", body = Fields)
    )
)]
pub async fn change(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    state: Data<State>,
) -> Result<impl Responder, ApiError> {
    let id = channel_id(&id)?;
    let body = Body::read(&request, payload, &state).await?;
    let sealer = state.telling.sealer.clone();
    let kept = state.database(move |conn| channels::open(conn, id, sealer.as_ref())).await?;
    let kept = kept.ok_or_else(|| ApiError::no_such("Channel"))?.settings;
    let channel = kept.changed(&body.fields()?, state.telling.targets)?;
    if channel.config != kept.config {
        check_addresses(&state, &channel.config).await?;
    }
    let sealer = state.telling.sealer.clone();
    let changed = state
        .database(move |conn| {
            channels::update(conn, id, &channel, sealer.as_ref())?;
            Ok::<_, SaveChannelError>(channels::show(conn, id)?)
        })
        .await?;
    Ok(Json(ChannelView::from(changed.ok_or_else(|| ApiError::no_such("Channel"))?)))
}

/// Deletes a channel with its deliveries, unless a rule or a subscriber has it: what it has not told yet is not told.
#[utoipa::path(
    delete,
    path = "/api/channels/{id}/",
    params(("id" = i64, Path, description = "The channel's id.")),
    responses(
        (status = 204, description = "It is gone."),
        NoSuch,
        (status = 409, description = "Rules or subscribers have it.", body = Detail)
    )
)]
pub async fn delete(id: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let id = channel_id(&id)?;
    match state.database(move |conn| channels::delete(conn, id)).await? {
        Deleted::Yes => Ok(HttpResponse::NoContent().finish()),
        Deleted::NoSuch => Err(ApiError::no_such("Channel")),
        Deleted::InUse(users) => {
            let named = [("rules", users.rules), ("subscribers", users.subscribers)];
            let named = named.iter().filter(|(_, names)| !names.is_empty());
            let named: Vec<_> = named.map(|(who, names)| format!("{who}: {}", names.join(", "))).collect();
            let detail = format!("It is in use, take it out of these first: {}.", named.join("; "));
            Err(ApiError::detail(ErrorCode::Conflict, detail))
        }
    }
}

/// Sends a test message, and answers with what the receiver said. 202 with the task when no worker has sent it in time.
#[utoipa::path(
    post,
    path = "/api/channels/{id}/test/",
    params(("id" = i64, Path, description = "The channel's id.")),
    responses(
        (status = 200, description = "What the receiver said.", body = TestedView),
        (status = 202, description = "No worker has sent it yet.", body = Accepted, headers(("Location" = String, description = "Where the result will be."))),
        NoSuch
    )
)]
pub async fn test(id: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let channel = channel_id(&id)?;
    let found = state.database(move |conn| channels::show(conn, channel)).await?;
    found.ok_or_else(|| ApiError::no_such("Channel"))?;
    let task = TestChannel::call(&ChannelInput { channel }).map_err(|e| ApiError::internal(e.to_string()))?;
    Ok(match finished::<Tested>(&state, task, TEST_PATIENCE).await? {
        Ended::With(tested) => HttpResponse::Ok().json(tested),
        Ended::NotYet(accepted) => accepted,
    })
}

/// Whether the host of a channel stands for addresses that it may reach. One that has none now is asked again, when it is
/// dialled.
async fn check_addresses(state: &State, config: &ChannelConfig) -> Result<(), ApiError> {
    let Some(target) = config.target() else { return Ok(()) };
    let targets = state.telling.targets;
    if targets == Targets::Any {
        return Ok(());
    }
    let resolve = tokio::task::spawn_blocking(move || refused(&target, targets));
    match tokio::time::timeout(RESOLUTION, resolve).await {
        Ok(Ok(Some(error))) => {
            let mut errors = FieldErrors::default();
            errors.nest("config", FieldErrors::one("url", error.to_string()));
            Err(ApiError::fields(ErrorCode::TargetForbidden, errors))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

fn refused(target: &Target, targets: Targets) -> Option<TargetError> {
    let addresses = (target.host(), target.port()).to_socket_addrs().ok()?;
    targets.allow(addresses.map(|address| address.ip())).err()
}

pub(super) fn channel_id(text: &str) -> Result<ChannelId, ApiError> {
    row_id(text, "Channel").map(ChannelId)
}
