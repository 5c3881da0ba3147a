//! Mail, through the server that the settings name.

use std::time::Duration;

use anyhow::Context as _;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::Error;
use lettre::{Message, SmtpTransport, Transport as _};
use logmon_core::notification::{Answer, Mail};

use super::NoAnswer;

/// How long each step of the conversation may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends mail.
pub(super) struct Mailer {
    transport: SmtpTransport,
    from: Mailbox,
}

impl Mailer {
    pub(super) fn new(url: &str, from: &str) -> anyhow::Result<Self> {
        // Its own words may hold the password.
        let transport = SmtpTransport::from_url(url).ok().context("SMTP_URL is no address of a mail server")?;
        let from = from.parse().context("MAIL_FROM is no address such as LogMon <logmon@example.com>")?;
        Ok(Self { transport: transport.timeout(Some(PATIENCE)).build(), from })
    }

    pub(super) fn send(&self, mail: &Mail) -> Result<Answer, NoAnswer> {
        let message = self.message(mail).map_err(|e| NoAnswer::Forbidden(e.to_string()))?;
        match self.transport.send(&message) {
            Ok(response) => Ok(answer(&response.code().to_string(), response.message().collect())),
            Err(error) => refused(&error),
        }
    }

    fn message(&self, mail: &Mail) -> anyhow::Result<Message> {
        let id = format!("<{}@logmon>", mail.event_id.0);
        let mut message =
            Message::builder().from(self.from.clone()).subject(&mail.subject).message_id(Some(id)).date_now();
        for address in &mail.to {
            let to = address.parse().with_context(|| format!("{address:?} is no e-mail address"))?;
            message = message.to(Mailbox::new(None, to));
        }
        Ok(message.multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))?)
    }
}

fn refused(error: &Error) -> Result<Answer, NoAnswer> {
    match error.status() {
        Some(code) => Ok(answer(&code.to_string(), error.to_string())),
        None => Err(NoAnswer::Unreachable(error.to_string())),
    }
}

fn answer(code: &str, body: String) -> Answer {
    Answer { status: code.parse().unwrap_or(0), retry_after: None, body }
}
