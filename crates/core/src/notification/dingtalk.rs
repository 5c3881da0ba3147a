//! A robot of a DingTalk group (open.dingtalk.com, "Custom robot access"): Markdown, and a signature in the URL.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::{Answer, Call, Outgoing, Verdict};
use super::config::{ConfigFields, Secret, masked};
use super::kind::{Kind, Telling};
use super::{message, sign};

/// The configuration of a robot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DingTalk {
    /// The robot's address with its `access_token`.
    url: Secret,
    /// What its signatures are made with: `SEC…`.
    #[serde(default)]
    secret: Option<Secret>,
    /// The telephone numbers of those that are mentioned.
    #[serde(default)]
    at_mobiles: Vec<String>,
    /// Whether everybody is mentioned.
    #[serde(default)]
    at_all: bool,
}

/// The largest text, in bytes.
const TEXT_MAX: usize = 18_000;
/// The system is busy; too many messages were sent.
const BUSY: [i64; 3] = [-1, 130_101, 410_100];

impl DingTalk {
    pub(super) fn read(fields: &mut ConfigFields<'_>, kept: Option<&Self>) -> Option<Self> {
        let url = fields.secret_url("url", kept.map(|kept| &kept.url));
        let secret = fields.secret("secret", kept.and_then(|kept| kept.secret.as_ref()));
        let (at_mobiles, at_all) = (fields.texts("at_mobiles"), fields.flag("at_all"));
        Some(Self { url: url?, secret, at_mobiles, at_all })
    }
}

impl Kind for DingTalk {
    fn outgoing(&self, telling: &Telling<'_>) -> Outgoing {
        let mentions: Vec<String> = self.at_mobiles.iter().map(|mobile| format!("@{mobile}")).collect();
        let mut text = message::markdown(telling.message, "\n\n", message::plain_brackets, TEXT_MAX);
        if !mentions.is_empty() {
            // A mention counts only where the text names it, too.
            text.push_str(&format!("\n\n{}", mentions.join(" ")));
        }
        let body = json!({
            "msgtype": "markdown",
            "markdown": { "title": telling.message.title, "text": text },
            "at": { "atMobiles": self.at_mobiles, "isAtAll": self.at_all },
        });
        Outgoing::Http(Call {
            url: self.signed(telling.now.timestamp_millis()),
            headers: vec![],
            body: body.to_string(),
        })
    }

    fn verdict(&self, answer: &Answer) -> Verdict {
        answer.by_code(&["errcode"], &["errmsg"], &BUSY)
    }

    fn shown(&self) -> Value {
        json!({
            "url": masked(&self.url),
            "has_secret": self.secret.is_some(),
            "at_mobiles": self.at_mobiles,
            "at_all": self.at_all,
        })
    }

    fn has_secrets(&self) -> bool {
        true
    }

    fn url(&self) -> Option<&str> {
        Some(self.url.expose())
    }
}

impl DingTalk {
    /// The address with the time and its signature: base64 of HMAC-SHA256 with the secret over the time in milliseconds, a
    /// line break and the secret.
    fn signed(&self, millis: i64) -> String {
        let Some(secret) = &self.secret else { return self.url.expose().to_owned() };
        let signature = sign::base64(secret.expose(), &format!("{millis}\n{}", secret.expose()));
        match url::Url::parse(self.url.expose()) {
            Ok(mut url) => {
                url.query_pairs_mut().append_pair("timestamp", &millis.to_string()).append_pair("sign", &signature);
                url.into()
            }
            Err(_) => self.url.expose().to_owned(),
        }
    }
}
