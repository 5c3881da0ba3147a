//! How people are told.

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::values;
use crate::language::Language;
use crate::notification::{Targets, Wording};
use crate::seal::Sealer;

/// Notifications.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Notifications")]
pub struct NotificationSettings {
    /// The key that the secrets of channels are sealed with at rest, the same for all processes; needed once a channel has secrets
    #[arg(long, env = "SECRET_KEY", hide_env_values = true, value_parser = values::secret)]
    pub secret_key: Option<SecretString>,

    /// The language in which people are addressed: en or zh-CN
    #[arg(long, env = "LANGUAGE", default_value = "en", value_parser = language)]
    pub language: Language,

    /// Where people find this server, for links in messages: its https address
    #[arg(long, env = "PUBLIC_URL", value_parser = public_url)]
    pub public_url: Option<String>,

    /// Let channels reach private addresses, plain http and any port: for tests and closed networks
    #[arg(
        long, env = "ALLOW_PRIVATE_TARGETS", default_value = "false", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = values::yes_or_no
    )]
    pub allow_private_targets: bool,

    /// The mail server: smtps://USER:PASSWORD@HOST, or smtp://USER:PASSWORD@HOST:587?tls=required for STARTTLS
    #[arg(long, env = "SMTP_URL", hide_env_values = true, value_parser = smtp_url)]
    pub smtp_url: Option<SecretString>,

    /// Whom mail comes from
    #[arg(long, env = "MAIL_FROM", default_value = "LogMon <logmon@localhost>", value_parser = sender)]
    pub mail_from: String,
}

impl NotificationSettings {
    /// What channels may reach.
    pub fn targets(&self) -> Targets {
        if self.allow_private_targets { Targets::Any } else { Targets::Public }
    }

    /// What secrets are sealed with, if anything.
    pub fn sealer(&self) -> Option<Sealer> {
        self.secret_key.as_ref().map(Sealer::new)
    }

    /// How messages are worded.
    pub fn wording(&self, zone: chrono_tz::Tz) -> Wording {
        Wording { language: self.language, zone, public_url: self.public_url.clone() }
    }

    /// The address of the mail server.
    pub fn smtp_url(&self) -> Option<&str> {
        self.smtp_url.as_ref().map(SecretString::expose_secret)
    }
}

fn language(text: &str) -> Result<Language, String> {
    Language::from_name(text).ok_or_else(|| "en or zh-CN is expected".to_owned())
}

fn public_url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.query().is_none());
    url.map(|url| url.as_str().trim_end_matches('/').to_owned())
        .ok_or_else(|| "an address such as https://logmon.example.com is expected".to_owned())
}

fn smtp_url(text: &str) -> Result<SecretString, String> {
    let url = Url::parse(text).ok().filter(|url| ["smtp", "smtps"].contains(&url.scheme()) && url.has_host());
    url.map(|_| text.to_owned().into())
        .ok_or_else(|| "an address such as smtps://USER:PASSWORD@HOST is expected".to_owned())
}

fn sender(text: &str) -> Result<String, String> {
    if text.contains('@') && !text.contains(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err("an address such as LogMon <logmon@example.com> is expected".to_owned())
    }
}
