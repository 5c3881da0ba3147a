//! Mail: text, and the same as HTML for those who see it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::{Answer, Outgoing, Verdict};
use super::config::ConfigFields;
use super::event::{EventId, Payload};
use super::kind::{Kind, Telling};
use super::message::Message;
use crate::report::{self, Shown};

/// The configuration of a channel that sends mail. The server it goes through is the settings' affair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    to: Vec<String>,
}

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The same on every attempt.
    pub event_id: EventId,
    /// Whom it goes to.
    pub to: Vec<String>,
    /// Its subject: one line.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

impl Email {
    pub(super) fn read(fields: &mut ConfigFields<'_>) -> Option<Self> {
        let to = fields.some_texts("to");
        for address in &to {
            if !is_address(address) {
                fields.wrong("to", format!("{address:?} is not a valid e-mail address."));
            }
        }
        Some(Self { to })
    }
}

/// As far as can be told from outside: something, an @, and a host.
fn is_address(text: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control() || [',', ';', '<', '>', '"', '(', ')'].contains(&c);
    match text.rsplit_once('@') {
        Some((name, host)) => {
            !name.is_empty() && !name.contains('@') && text.len() <= 254 && !text.contains(odd) && {
                host.split('.').all(|label| !label.is_empty()) && url::Host::parse(host).is_ok()
            }
        }
        None => false,
    }
}

impl Kind for Email {
    fn outgoing(&self, telling: &Telling<'_>) -> Outgoing {
        let message = telling.message;
        let (text, html) = match telling.payload {
            Payload::Report(notice) => {
                let link = telling.public_url.map(|url| notice.address(url));
                let shown = report::html(&notice.report, notice.language, Shown::InMail(link.as_deref()));
                (report::text(&notice.report, notice.language, link.as_deref()), shown)
            }
            Payload::One(_) | Payload::Many(_) => (text(message), html(message)),
        };
        Outgoing::Mail(Mail {
            event_id: telling.payload.event_id(),
            to: self.to.clone(),
            subject: message.title.clone(),
            text,
            html,
        })
    }

    fn verdict(&self, answer: &Answer) -> Verdict {
        // SMTP's replies (RFC 5321, 4.2.1): 4yz may pass, 5yz will not.
        match answer.status {
            200..=299 => Verdict::Delivered,
            500..=599 => Verdict::Refused(format!("SMTP {} {}", answer.status, answer.body)),
            status => Verdict::Retry(format!("SMTP {status} {}", answer.body)),
        }
    }

    fn shown(&self) -> Value {
        json!({ "to": self.to })
    }

    fn has_secrets(&self) -> bool {
        false
    }

    fn url(&self) -> Option<&str> {
        None
    }
}

fn text(message: &Message) -> String {
    let link = message.link.as_ref().map(|link| format!("{}: {}", link.text, link.url));
    let lines: Vec<&str> = message.lines.iter().map(String::as_str).chain(link.as_deref()).collect();
    lines.join("\n") + "\n"
}

fn html(message: &Message) -> String {
    let lines: String = message.lines.iter().map(|line| format!("<p>{}</p>\n", escape(line))).collect();
    let link = message
        .link
        .as_ref()
        .map(|link| format!("<p><a href=\"{}\">{}</a></p>\n", escape(&link.url), escape(&link.text)));
    format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<h1>{}</h1>\n{lines}{}",
        escape(&message.title),
        link.unwrap_or_default()
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
