//! The envelope of what is no task: events, control requests and their replies. As a task's, but with a body of any shape.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Malformed;

/// Whom a message is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Address<'a> {
    pub(super) exchange: &'a str,
    pub(super) routing_key: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Out<'a, H> {
    body: String,
    content_encoding: &'static str,
    content_type: &'static str,
    headers: &'a H,
    properties: Properties<'a>,
}

#[derive(Serialize)]
struct Properties<'a> {
    delivery_mode: u8,
    delivery_info: DeliveryInfo<'a>,
    priority: u8,
    body_encoding: &'static str,
    delivery_tag: String,
}

#[derive(Serialize)]
struct DeliveryInfo<'a> {
    exchange: &'a str,
    routing_key: &'a str,
}

/// How long a message is kept: AMQP's delivery mode. Redis knows no difference, but Celery writes it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Delivery {
    Transient,
    Persistent,
}

pub(super) fn encode(
    body: &impl Serialize,
    headers: &impl Serialize,
    to: Address<'_>,
    delivery: Delivery,
) -> serde_json::Result<String> {
    let message = Out {
        body: STANDARD.encode(serde_json::to_vec(body)?),
        content_encoding: "utf-8",
        content_type: "application/json",
        headers,
        properties: Properties {
            delivery_mode: match delivery {
                Delivery::Transient => 1,
                Delivery::Persistent => 2,
            },
            delivery_info: DeliveryInfo { exchange: to.exchange, routing_key: to.routing_key },
            priority: 0,
            body_encoding: "base64",
            delivery_tag: uuid::Uuid::new_v4().to_string(),
        },
    };
    serde_json::to_string(&message)
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct In {
    body: String,
    content_type: Option<String>,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    properties: Map<String, Value>,
}

/// The body and the headers of a message.
pub(super) fn decode<T: DeserializeOwned>(raw: &[u8]) -> Result<(T, Map<String, Value>), Malformed> {
    let message: In = serde_json::from_slice(raw).map_err(|e| Malformed::Envelope(e.to_string()))?;
    if message.content_type.as_deref() != Some("application/json") {
        return Err(Malformed::ContentType(message.content_type.unwrap_or_else(|| "none".to_owned())));
    }
    let encoding = message.properties.get("body_encoding").map(|encoding| encoding.as_str().unwrap_or_default());
    let body = super::body::decode(message.body.into(), encoding)?;
    let body = serde_json::from_slice(&body).map_err(|e| Malformed::Body(format!("is not as expected: {e}")))?;
    Ok((body, message.headers))
}
