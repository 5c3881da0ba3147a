//! An incoming webhook of Slack (docs.slack.dev, "Sending messages using incoming webhooks"): blocks.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::{Answer, Call, Outgoing, Verdict};
use super::config::{ConfigFields, Secret, masked};
use super::kind::{Kind, Telling};
use super::message;

/// The configuration of an incoming webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slack {
    /// Its address, which is all that is needed to post.
    url: Secret,
}

/// The largest text of a section, in characters.
const SECTION_MAX: usize = 3_000;
/// The longest header, in characters.
const HEADER_MAX: usize = 150;

impl Slack {
    pub(super) fn read(fields: &mut ConfigFields<'_>, kept: Option<&Self>) -> Option<Self> {
        fields.secret_url("url", kept.map(|kept| &kept.url)).map(|url| Self { url })
    }
}

impl Kind for Slack {
    fn outgoing(&self, telling: &Telling<'_>) -> Outgoing {
        let message = telling.message;
        let lines: Vec<String> = message.lines.iter().map(|line| escape(line)).collect();
        let mut section: String = lines.join("\n");
        let link = message.link.as_ref().map(|link| format!("\n<{}|{}>", escape(&link.url), escape(&link.text)));
        let link = link.unwrap_or_default();
        message::cut_bytes(&mut section, SECTION_MAX.saturating_sub(link.len()));
        section.push_str(&link);
        let header: String = message.title.chars().take(HEADER_MAX).collect();
        let body = json!({
            "text": escape(&message.title),
            "blocks": [
                { "type": "header", "text": { "type": "plain_text", "text": header } },
                { "type": "section", "text": { "type": "mrkdwn", "text": section } },
            ],
        });
        Outgoing::Http(Call { url: self.url.expose().to_owned(), headers: vec![], body: body.to_string() })
    }

    fn verdict(&self, answer: &Answer) -> Verdict {
        match answer.by_status() {
            Verdict::Refused(status) => Verdict::Refused(format!("{status} {}", answer.body.trim())),
            verdict => verdict,
        }
    }

    fn shown(&self) -> Value {
        json!({ "url": masked(&self.url) })
    }

    fn has_secrets(&self) -> bool {
        true
    }

    fn url(&self) -> Option<&str> {
        Some(self.url.expose())
    }
}

/// The three letters that Slack wants escaped: what is left cannot mention anybody.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
