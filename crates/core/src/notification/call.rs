//! What goes out, what comes back, and what that means.

use std::time::Duration;

use serde_json::{Value, json};

use super::email::Mail;

/// What is sent to a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// An HTTP request.
    Http(Call),
    /// A mail.
    Mail(Mail),
}

impl Outgoing {
    /// What is sent, as it may be shown: the body of a request without its signature, or a mail.
    pub fn shown(&self) -> Value {
        match self {
            Self::Http(call) => {
                let mut body = serde_json::from_str(&call.body).unwrap_or(Value::Null);
                if let Some(sign) = body.get_mut("sign") {
                    *sign = Value::from("…");
                }
                body
            }
            Self::Mail(mail) => {
                json!({ "to": mail.to, "subject": mail.subject, "text": mail.text, "html": mail.html })
            }
        }
    }
}

/// A POST with a JSON body.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// Where to.
    pub url: String,
    /// Its headers beside `Content-Type`.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: String,
}

// The URL and the headers may hold secrets.
impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("body", &self.body).finish_non_exhaustive()
    }
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// How long it asks to be left alone.
    pub retry_after: Option<Duration>,
    /// The first bytes of its body, as text.
    pub body: String,
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has been told.
    Delivered,
    /// It may take it later.
    Retry(String),
    /// It will never take it as it is: somebody has to change the channel first.
    Refused(String),
}

impl Answer {
    /// What the status alone means.
    pub(super) fn by_status(&self) -> Verdict {
        match self.status {
            200..=299 => Verdict::Delivered,
            300..=399 => Verdict::Refused(format!("HTTP {}: redirects are not followed", self.status)),
            408 | 425 | 429 | 500..=599 => Verdict::Retry(format!("HTTP {}", self.status)),
            status => Verdict::Refused(format!("HTTP {status}")),
        }
    }

    /// What the number in the body means, where a receiver says there whether it took it: `code` and what it is called,
    /// of which 0 is success and `busy` are worth another try.
    pub(super) fn by_code(&self, code_names: &[&str], text_names: &[&str], busy: &[i64]) -> Verdict {
        let by_status = self.by_status();
        if by_status != Verdict::Delivered {
            return by_status;
        }
        let body: Value = match serde_json::from_str(&self.body) {
            Ok(body) => body,
            Err(_) => return Verdict::Refused("the answer is not what this kind of channel answers".to_owned()),
        };
        let Some(code) = code_names.iter().find_map(|name| body.get(name)?.as_i64()) else {
            return Verdict::Refused("the answer is not what this kind of channel answers".to_owned());
        };
        let text = text_names.iter().find_map(|name| body.get(name)?.as_str()).unwrap_or_default();
        match code {
            0 => Verdict::Delivered,
            code if busy.contains(&code) => Verdict::Retry(format!("{code} {text}")),
            code => Verdict::Refused(format!("{code} {text}")),
        }
    }
}
