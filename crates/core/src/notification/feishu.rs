//! A robot of a Feishu or Lark group (open.feishu.cn, "Custom bot usage guide"): a card, and a signature in the body.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::{Answer, Call, Outgoing, Verdict};
use super::config::{ConfigFields, Secret, masked};
use super::event::{EventKind, Payload};
use super::kind::{Kind, Telling};
use super::{message, sign};

/// The configuration of a robot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feishu {
    /// The robot's address, which ends in its token.
    url: Secret,
    /// What its signatures are made with.
    #[serde(default)]
    secret: Option<Secret>,
}

/// The largest text, in bytes: the whole body may have 20 KB, and a letter may take six bytes in JSON.
const TEXT_MAX: usize = 12_000;
/// Too many requests; the frequency limit; the system is busy.
const BUSY: [i64; 4] = [9_499, 11_232, 11_233, -1];

impl Feishu {
    pub(super) fn read(fields: &mut ConfigFields<'_>, kept: Option<&Self>) -> Option<Self> {
        let url = fields.secret_url("url", kept.map(|kept| &kept.url));
        let secret = fields.secret("secret", kept.and_then(|kept| kept.secret.as_ref()));
        Some(Self { url: url?, secret })
    }
}

impl Kind for Feishu {
    /// The signature is base64 of HMAC-SHA256 over nothing, with the time in seconds, a line break and the secret as key.
    fn outgoing(&self, telling: &Telling<'_>) -> Outgoing {
        let events = telling.payload.events();
        let color = match telling.payload {
            Payload::Report(_) => "blue",
            _ if events.iter().all(|event| event.event == EventKind::Resolved) => "green",
            _ => "red",
        };
        let mut body = json!({
            "msg_type": "interactive",
            "card": {
                "header": {
                    "title": { "tag": "plain_text", "content": telling.message.title },
                    "template": color,
                },
                "elements": [{
                    "tag": "markdown",
                    "content": message::markdown_below_title(telling.message, "\n", entities, TEXT_MAX),
                }],
            },
        });
        if let (Some(secret), Value::Object(fields)) = (&self.secret, &mut body) {
            let timestamp = telling.now.timestamp().to_string();
            fields.insert("sign".to_owned(), sign::base64(&format!("{timestamp}\n{}", secret.expose()), "").into());
            fields.insert("timestamp".to_owned(), timestamp.into());
        }
        Outgoing::Http(Call { url: self.url.expose().to_owned(), headers: vec![], body: body.to_string() })
    }

    fn verdict(&self, answer: &Answer) -> Verdict {
        answer.by_code(&["code", "StatusCode"], &["msg", "StatusMessage"], &BUSY)
    }

    fn shown(&self) -> Value {
        json!({ "url": masked(&self.url), "has_secret": self.secret.is_some() })
    }

    fn has_secrets(&self) -> bool {
        true
    }

    fn url(&self) -> Option<&str> {
        Some(self.url.expose())
    }
}

/// Feishu's Markdown takes entities for the letters that would begin a tag, such as one that mentions everybody.
fn entities(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&#60;").replace('>', "&#62;").replace("](", "] (")
}
