//! What the `OpenAPI` document says of what the calls on logs take. The handlers take more than this, as DRF does, such as
//! a number that is written as text.

use logmon_core::log::{Attributes, EventId, SpanId, TraceId};
use serde_json::Value;
use utoipa::openapi::Schema;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{ObjectBuilder, OneOf, Type};
use utoipa::{IntoParams, ToSchema};

use super::create::BatchView;
use crate::openapi::shared::Detail;

/// Which logs are wanted: every condition must hold.
#[derive(Debug)]
pub struct FilterParameters;

impl IntoParams for FilterParameters {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = NamedParameters::into_params(place);
        parameters.push(attributes());
        parameters
    }
}

/// Those whose name is known beforehand.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct NamedParameters {
    /// Only logs of these apps, at most 100.
    pub app: Option<Vec<i64>>,
    /// Only logs of these levels.
    #[param(inline)]
    pub level: Option<Vec<LevelName>>,
    /// Only logs whose message contains these words, a `"phrase in quotes"`, and not a `-word`: any part of it, without
    /// regard to case and accents. At most 16 of them.
    #[param(max_length = 256, example = "\"disk full\" -sda1")]
    pub q: Option<String>,
    /// Only logs of this trace.
    #[param(max_length = 64)]
    pub trace_id: Option<String>,
}

// What `explode` makes of an object: each of its properties is a parameter of the URL.
fn attributes() -> Parameter {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let schema = ObjectBuilder::new()
        .property_names(Some(text().pattern(Some("^attr\\..+$"))))
        .additional_properties(Some(text()));
    ParameterBuilder::new()
        .name("attr.KEY")
        .parameter_in(ParameterIn::Query)
        .description(Some(
            "Only logs with these attributes, at most 8, each as a parameter of its own: `attr.host=web-1`.",
        ))
        .style(Some(ParameterStyle::Form))
        .explode(Some(true))
        .schema(Some(schema))
        .build()
}

/// From when to when.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RangeParameters {
    /// From this moment on: RFC 3339, the seconds or milliseconds since 1970, or `now-90m` (s, m, h, d, w).
    #[param(example = "now-1h")]
    pub since: Option<String>,
    /// Before this moment.
    #[param(example = "now")]
    pub until: Option<String>,
}

/// Which come first.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase", default = "desc")]
pub enum OrderName {
    /// The newest.
    Desc,
    /// The oldest.
    Asc,
}

/// How serious a log is.
#[derive(Debug, ToSchema)]
#[schema(as = Level, rename_all = "UPPERCASE")]
pub enum LevelName {
    /// All is well.
    Info,
    /// Worth a look.
    Warn,
    /// Something failed.
    Error,
}

/// A log to be stored.
#[derive(Debug, ToSchema)]
#[schema(as = NewLog)]
pub struct NewLogBody {
    /// The app's id.
    #[schema(example = 1)]
    pub app: i64,
    /// How serious it is.
    #[schema(example = "ERROR")]
    pub level: LevelName,
    /// Trimmed, and not blank then.
    #[schema(min_length = 1, example = "disk full")]
    pub message: String,
    /// The sender's own id of it: what has one is stored once for its app.
    #[schema(min_length = 1, max_length = 255)]
    pub event_id: Option<String>,
    /// When it happened, where that is not now.
    #[schema(schema_with = timestamp)]
    pub timestamp: Option<Value>,
    /// What is known of it beside the message: at most 128 keys, 32,768 bytes and 16 levels deep. In a form, its JSON text.
    #[schema(value_type = Option<Object>)]
    pub attributes: Option<Value>,
    /// The trace that it belongs to.
    #[schema(min_length = 1, max_length = 64, example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    pub trace_id: Option<String>,
    /// The span of that trace.
    #[schema(min_length = 1, max_length = 64, example = "b7ad6b7169203331")]
    pub span_id: Option<String>,
}

// The attributes above take numbers only.
const _: () = assert!(EventId::MAX_CHARS == 255 && TraceId::MAX_CHARS == 64 && SpanId::MAX_CHARS == 64);
const _: () = assert!(Attributes::MAX_KEYS == 128 && Attributes::MAX_BYTES == 32_768 && Attributes::MAX_DEPTH == 16);

fn timestamp() -> Schema {
    let about = "When it happened, where that is not now.";
    let text = "RFC 3339 with its zone.";
    let number = "Seconds, milli-, micro- or nanoseconds since 1970.";
    OneOf::builder()
        .description(Some(about))
        .item(ObjectBuilder::new().schema_type(Type::String).description(Some(text)).build())
        .item(ObjectBuilder::new().schema_type(Type::Number).description(Some(number)).build())
        .item(ObjectBuilder::new().schema_type(Type::Null).build())
        .build()
        .into()
}

/// One log, or a batch of them.
#[derive(Debug, ToSchema)]
#[schema(as = NewLogOrBatch)]
#[serde(untagged)]
pub enum NewLogOrBatch {
    /// One.
    One(NewLogBody),
    /// A batch of at most 10,000.
    Batch(Vec<NewLogBody>),
}

/// A batch, a log as a JSON object a line.
#[derive(Debug, ToSchema)]
#[schema(
    example = "{\"app\":1,\"level\":\"INFO\",\"message\":\"one\"}\n{\"app\":1,\"level\":\"INFO\",\"message\":\"two\"}\n"
)]
pub struct Lines(pub String);

/// What is said of a request of which nothing was stored.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
pub enum Unusable {
    /// No record is good.
    Batch(BatchView),
    /// The key had another body.
    Key(Detail),
}

/// What a client may ask for besides.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct CreateParameters {
    /// A key of the request: the same again within a day stores nothing, and gets the first answer with
    /// `Idempotent-Replayed: true`.
    #[param(rename = "Idempotency-Key", nullable = false, min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
    pub idempotency_key: Option<String>,
    /// `respond-async`: only put what is good on a queue, from which a worker stores it, and answer 202 (RFC 7240).
    #[param(rename = "Prefer", nullable = false, example = "respond-async")]
    pub prefer: Option<String>,
}

/// How many logs there are to be around one.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ContextParameters {
    /// How many older ones at most.
    #[param(minimum = 0, maximum = 500, default = 50)]
    pub before: Option<u32>,
    /// How many newer ones at most.
    #[param(minimum = 0, maximum = 500, default = 50)]
    pub after: Option<u32>,
}
