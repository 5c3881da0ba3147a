//! How people are told.

use std::net::IpAddr;

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

    /// The mail server: smtps://USER:PASSWORD@HOST, or smtp://USER:PASSWORD@HOST:587?tls=required for STARTTLS; tls=none sends even a password unencrypted
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

/// A password goes to another machine by TLS only, unless the address says that it need not.
fn smtp_url(text: &str) -> Result<SecretString, String> {
    let url = Url::parse(text).ok().filter(|url| ["smtp", "smtps"].contains(&url.scheme()) && url.has_host());
    let mut url = url.ok_or_else(|| "an address such as smtps://USER:PASSWORD@HOST is expected".to_owned())?;
    let tls = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
    match (url.scheme(), tls.as_deref()) {
        ("smtps", None) | ("smtp", Some("required")) => {}
        // Opportunistic is what whoever is in between wants it to be.
        ("smtp", None | Some("opportunistic")) if url.password().is_none() || is_this_machine(&url) => {}
        ("smtp", None | Some("opportunistic")) => {
            let unencrypted = "its password may be sent unencrypted";
            return Err(format!("{unencrypted}: tls=required, or tls=none where that is wanted, is expected"));
        }
        // For the client of the worker that is an address without the word.
        ("smtp", Some("none")) => url.set_query(None),
        _ => return Err("smtps://, or smtp:// with tls=required, opportunistic or none is expected".to_owned()),
    }
    Ok(url.as_str().to_owned().into())
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn sender(text: &str) -> Result<String, String> {
    if text.contains('@') && !text.contains(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err("an address such as LogMon <logmon@example.com> is expected".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<String, String> {
        smtp_url(url).map(|url| url.expose_secret().to_owned())
    }

    #[test]
    fn a_password_goes_to_another_machine_by_tls_unless_the_address_says_otherwise() {
        for url in [
            "smtps://u:p%40@mail.example",
            "smtp://u:p%40@mail.example:587?tls=required",
            "smtp://mail.example",
            "smtp://u@mail.example?tls=opportunistic",
            "smtp://u:p@localhost:1025",
            "smtp://u:p@127.0.0.1:1025?tls=opportunistic",
            "smtp://u:p@[::1]",
        ] {
            assert_eq!(read(url), Ok(url.to_owned()), "{url}");
        }
        assert_eq!(read("smtp://u:p@mail.example:25?tls=none"), Ok("smtp://u:p@mail.example:25".to_owned()));
        for url in [
            "smtp://u:hunter2@mail.example",
            "smtp://:hunter2@mail.example:587?tls=opportunistic",
            "smtp://u:hunter2@10.0.0.1",
            "smtp://u:hunter2@localhost.example",
        ] {
            let refused = read(url).unwrap_err();
            assert!(
                refused.starts_with("its password may be sent unencrypted: tls=required, or tls=none"),
                "{refused}"
            );
            assert!(!refused.contains("hunter2"), "{url}: {refused}");
        }
        for url in ["smtp://u:p@h?tls=perhaps", "smtp://h?tls", "smtps://u:p@h?tls=none", "http://h", "smtp:h"] {
            assert!(read(url).is_err_and(|refused| refused.ends_with("is expected")), "{url}");
        }
    }
}
