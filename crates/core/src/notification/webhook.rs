//! A webhook: the whole event as JSON, signed, for programs.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::{Answer, Call, Outgoing, Verdict};
use super::config::{ConfigFields, Secret};
use super::kind::{Kind, Telling};
use super::sign;

/// The configuration of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    url: String,
    #[serde(default)]
    secret: Option<Secret>,
}

impl Webhook {
    pub(super) fn read(fields: &mut ConfigFields<'_>, kept: Option<&Self>) -> Option<Self> {
        let url = fields.url("url");
        let secret = fields.secret("secret", kept.and_then(|kept| kept.secret.as_ref()));
        Some(Self { url: url?, secret })
    }
}

impl Kind for Webhook {
    /// The receiver checks `X-LogMon-Signature`: HMAC-SHA256 over the timestamp, a dot and the body.
    fn outgoing(&self, telling: &Telling<'_>) -> Outgoing {
        let body = serde_json::to_string(telling.payload).unwrap_or_default();
        let timestamp = telling.now.timestamp().to_string();
        let mut headers = vec![("X-LogMon-Event-Id", telling.payload.event_id().0.to_string())];
        if let Some(secret) = &self.secret {
            let signature = sign::hex(secret.expose(), &format!("{timestamp}.{body}"));
            headers.push(("X-LogMon-Signature", format!("sha256={signature}")));
        }
        headers.push(("X-LogMon-Timestamp", timestamp));
        Outgoing::Http(Call { url: self.url.clone(), headers, body })
    }

    fn verdict(&self, answer: &Answer) -> Verdict {
        answer.by_status()
    }

    fn shown(&self) -> Value {
        json!({ "url": self.url, "has_secret": self.secret.is_some() })
    }

    fn has_secrets(&self) -> bool {
        self.secret.is_some()
    }

    fn url(&self) -> Option<&str> {
        Some(&self.url)
    }
}
