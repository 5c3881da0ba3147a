//! A robot of a WeCom group (developer.work.weixin.qq.com, "Group robot"): Markdown of at most 4,096 bytes.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::{Answer, Call, Outgoing, Verdict};
use super::config::{ConfigFields, Secret, masked};
use super::kind::{Kind, Telling};
use super::message;

/// The configuration of a robot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeCom {
    /// The robot's address with its `key`.
    url: Secret,
    /// The user ids of those that are mentioned.
    #[serde(default)]
    mentioned: Vec<String>,
}

/// The largest text, in bytes.
const TEXT_MAX: usize = 4_096;
/// The system is busy; too many messages were sent.
const BUSY: [i64; 2] = [-1, 45_009];

impl WeCom {
    pub(super) fn read(fields: &mut ConfigFields<'_>, kept: Option<&Self>) -> Option<Self> {
        let url = fields.secret_url("url", kept.map(|kept| &kept.url));
        let mentioned = fields.texts("mentioned");
        Some(Self { url: url?, mentioned })
    }
}

impl Kind for WeCom {
    fn outgoing(&self, telling: &Telling<'_>) -> Outgoing {
        let mentions: String = self.mentioned.iter().map(|user| format!("<@{user}>")).collect();
        let room = TEXT_MAX.saturating_sub(mentions.len() + 1);
        let mut text = message::markdown(telling.message, "\n", message::plain_brackets, room);
        if !mentions.is_empty() {
            text.push_str(&format!("\n{mentions}"));
        }
        let body = json!({ "msgtype": "markdown", "markdown": { "content": text } });
        Outgoing::Http(Call { url: self.url.expose().to_owned(), headers: vec![], body: body.to_string() })
    }

    fn verdict(&self, answer: &Answer) -> Verdict {
        answer.by_code(&["errcode"], &["errmsg"], &BUSY)
    }

    fn shown(&self) -> Value {
        json!({ "url": masked(&self.url), "mentioned": self.mentioned })
    }

    fn has_secrets(&self) -> bool {
        true
    }

    fn url(&self) -> Option<&str> {
        Some(self.url.expose())
    }
}
