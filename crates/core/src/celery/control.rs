//! Remote control: the requests that `celery inspect`, `celery control` and Flower broadcast, and a worker's replies.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::broadcast::{self, Address, Delivery};
use super::{LamportClock, Malformed, NodeName};

/// What Celery calls the mailbox of all workers; the channel's name ends in it.
pub const MAILBOX: &str = "celery.pidbox";

/// The exchange that replies to our own requests go through.
const REPLIES: &str = "reply.celery.pidbox";

/// A request to one worker, some, or all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// What is to be done.
    pub method: String,
    /// With which arguments, by their names.
    #[serde(default, deserialize_with = "or_default")]
    pub arguments: Map<String, Value>,
    /// The workers that are meant; without any, all are.
    #[serde(default)]
    pub destination: Option<Vec<NodeName>>,
    /// With `matcher`: the workers whose name fits are meant.
    #[serde(default)]
    pub pattern: Option<String>,
    /// How `pattern` is read: `glob` or `pcre`.
    #[serde(default)]
    pub matcher: Option<String>,
    /// By which the caller knows the replies to this request; it comes back as it went out.
    #[serde(default)]
    pub ticket: Value,
    /// Where replies go; without it the request is carried out in silence.
    #[serde(default)]
    pub reply_to: Option<ReplyTo>,
}

/// Where a caller waits for replies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyTo {
    /// The exchange; the list of replies is named after both.
    pub exchange: String,
    /// The caller's id.
    pub routing_key: String,
}

impl ReplyTo {
    /// The name of the queue that the caller reads.
    pub fn queue(&self) -> String {
        format!("{}.{}", self.routing_key, self.exchange)
    }
}

fn or_default<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[derive(Serialize)]
struct RequestHeaders {
    clock: u64,
    expires: f64,
}

#[derive(Serialize)]
struct ReplyHeaders<'a> {
    ticket: &'a Value,
    clock: u64,
}

impl Request {
    /// A request to all workers, whose replies come to a queue of its own.
    pub fn to_all(method: &str, arguments: Map<String, Value>) -> Self {
        let id = || uuid::Uuid::new_v4().to_string();
        Self {
            method: method.to_owned(),
            arguments,
            destination: None,
            pattern: None,
            matcher: None,
            ticket: Value::String(id()),
            reply_to: Some(ReplyTo { exchange: REPLIES.to_owned(), routing_key: id() }),
        }
    }

    /// How many replies come at most when so many listen.
    pub fn replies_of(&self, listeners: u64) -> u64 {
        let meant = self.destination.as_ref().filter(|nodes| !nodes.is_empty());
        meant.and_then(|nodes| u64::try_from(nodes.len()).ok()).map_or(listeners, |meant| meant.min(listeners))
    }

    /// Reads a request; the logical clock learns from it.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode(raw: &[u8], clock: &LamportClock) -> Result<Self, Malformed> {
        let (request, headers) = broadcast::decode(raw)?;
        clock.adjust(headers.get("clock").and_then(Value::as_u64).unwrap_or(0));
        Ok(request)
    }

    /// The request as it is published. `expires`, in seconds since 1970, is when its caller stops listening.
    ///
    /// # Errors
    /// When a number in it is not finite.
    pub fn encode(&self, clock: &LamportClock, expires: f64) -> serde_json::Result<String> {
        let headers = RequestHeaders { clock: clock.forward(), expires };
        broadcast::encode(self, &headers, Address { exchange: MAILBOX, routing_key: "" }, Delivery::Persistent)
    }

    /// Whether this worker is meant.
    pub fn is_for(&self, node: &NodeName) -> bool {
        if let Some(destination) = self.destination.as_ref().filter(|nodes| !nodes.is_empty()) {
            return destination.contains(node);
        }
        match (&self.pattern, &self.matcher) {
            (Some(pattern), Some(matcher)) if !pattern.is_empty() => node.matches(pattern, matcher),
            _ => true,
        }
    }

    /// The message with this worker's reply, and where it goes; `None` where nobody wants one.
    ///
    /// # Errors
    /// When a number in it is not finite.
    pub fn reply(
        &self,
        node: &NodeName,
        value: &Value,
        clock: &LamportClock,
    ) -> Option<serde_json::Result<(ReplyTo, String)>> {
        let to = self.reply_to.clone()?;
        let body = Map::from_iter([(node.as_str().to_owned(), value.clone())]);
        let headers = ReplyHeaders { ticket: &self.ticket, clock: clock.forward() };
        let address = Address { exchange: &to.exchange, routing_key: &to.routing_key };
        let message = broadcast::encode(&body, &headers, address, Delivery::Transient);
        Some(message.map(|message| (to, message)))
    }

    /// Reads a reply to this request: each worker that it is from, and what that says.
    ///
    /// # Errors
    /// When it is none, or one to another request.
    pub fn read_reply(&self, raw: &[u8], clock: &LamportClock) -> Result<Map<String, Value>, Malformed> {
        let (body, headers) = broadcast::decode(raw)?;
        clock.adjust(headers.get("clock").and_then(Value::as_u64).unwrap_or(0));
        if headers.get("ticket") != Some(&self.ticket) {
            return Err(Malformed::header("ticket", "that of the request"));
        }
        Ok(body)
    }
}

#[cfg(test)]
#[path = "control_tests.rs"]
mod tests;
