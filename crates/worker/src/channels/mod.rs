//! The way out: what is to be told goes to its receiver, by HTTP or by mail.

mod http;
mod mail;

use std::fmt;
use std::time::Instant;

use logmon_core::clock::Clock;
use logmon_core::config::NotificationSettings;
use logmon_core::language::Language;
use logmon_core::notification::{Answer, Channel, Outgoing, Payload, Verdict, Wording};
use logmon_core::seal::Sealer;
use logmon_store::db::deliveries::Attempt;

/// How much of a receiver's answer is kept, in characters.
const ANSWER_MAX: usize = 1_024;

/// Tells receivers what happened.
pub struct Channels {
    http: http::Http,
    mail: Option<mail::Mailer>,
    wording: Wording,
    /// What the secrets of channels are sealed with.
    pub sealer: Option<Sealer>,
}

/// Nobody answered.
#[derive(Debug)]
enum NoAnswer {
    /// They may later.
    Unreachable(String),
    /// They are not to be asked.
    Forbidden(String),
}

impl Channels {
    /// The language in which people are addressed.
    pub fn language(&self) -> Language {
        self.wording.language
    }

    /// What the settings allow.
    ///
    /// # Errors
    /// When the mail server or the sender of mail are not such.
    pub fn new(settings: &NotificationSettings, zone: chrono_tz::Tz) -> anyhow::Result<Self> {
        let mail = settings.smtp_url().map(|url| mail::Mailer::new(url, &settings.mail_from)).transpose()?;
        Ok(Self {
            http: http::Http::new(settings.targets()),
            mail,
            wording: settings.wording(zone),
            sealer: settings.sealer(),
        })
    }

    /// The words in which people are addressed.
    pub fn wording(&self) -> &Wording {
        &self.wording
    }

    /// Tells a channel's receiver, once, and gives the attempt with what it means.
    pub fn tell(&self, channel: &Channel, payload: &Payload, clock: &dyn Clock) -> (Attempt, Verdict, Option<Answer>) {
        let (at, begin) = (clock.now(), Instant::now());
        let answer = match channel.outgoing(payload, &self.wording, at) {
            Ok(outgoing) => self.send(&outgoing),
            // Somebody has to mend the template first.
            Err(error) => Err(NoAnswer::Forbidden(error.to_string())),
        };
        let duration_ms = u32::try_from(begin.elapsed().as_millis()).unwrap_or(u32::MAX);
        match answer {
            Ok(answer) => {
                let verdict = channel.settings.config.verdict(&answer);
                let kept = answer.body.chars().take(ANSWER_MAX).collect();
                (Attempt { at, status: Some(answer.status), duration_ms, answer: kept }, verdict, Some(answer))
            }
            Err(error) => {
                let text = error.to_string();
                let verdict = match error {
                    NoAnswer::Unreachable(_) => Verdict::Retry(text.clone()),
                    NoAnswer::Forbidden(_) => Verdict::Refused(text.clone()),
                };
                (Attempt { at, status: None, duration_ms, answer: text }, verdict, None)
            }
        }
    }

    fn send(&self, outgoing: &Outgoing) -> Result<Answer, NoAnswer> {
        match outgoing {
            Outgoing::Http(call) => self.http.send(call),
            Outgoing::Mail(mail) => match &self.mail {
                Some(mailer) => mailer.send(mail),
                None => Err(NoAnswer::Unreachable("SMTP_URL is not set, so no mail can be sent".to_owned())),
            },
        }
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(reason) | Self::Forbidden(reason) => f.write_str(reason),
        }
    }
}
