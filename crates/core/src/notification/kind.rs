//! The kinds of channels: the one list.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::alertmanager::Alertmanager;
use super::call::{Answer, Outgoing, Verdict};
use super::config::{ConfigError, ConfigFields};
use super::dingtalk::DingTalk;
use super::email::Email;
use super::event::{Digest, Payload};
use super::feishu::Feishu;
use super::message::Message;
use super::slack::Slack;
use super::target::{Target, Targets};
use super::webhook::Webhook;
use super::wecom::WeCom;

/// What a kind of channel is asked to tell.
pub(super) struct Telling<'a> {
    /// What happened.
    pub(super) payload: &'a Payload,
    /// The same in words.
    pub(super) message: &'a Message,
    /// The name of the channel.
    pub(super) channel: &'a str,
    /// Where people find this server, if the settings say.
    pub(super) public_url: Option<&'a str>,
    /// The moment, where a signature holds for a while only.
    pub(super) now: DateTime<Utc>,
}

/// What a kind of channel does.
pub(super) trait Kind {
    /// What is sent.
    fn outgoing(&self, telling: &Telling<'_>) -> Outgoing;
    /// What an answer means.
    fn verdict(&self, answer: &Answer) -> Verdict;
    /// The configuration as it is shown: without secrets.
    fn shown(&self) -> Value;
    /// Whether it holds secrets.
    fn has_secrets(&self) -> bool;
    /// Where it leads, if that is a URL.
    fn url(&self) -> Option<&str>;
}

/// A kind of channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelKind {
    /// A POST of the whole event, signed.
    Webhook,
    /// The same as Alertmanager's webhooks.
    Alertmanager,
    /// Mail.
    Email,
    /// A robot of a DingTalk group.
    DingTalk,
    /// A robot of a WeCom group.
    WeCom,
    /// A robot of a Feishu or Lark group.
    Feishu,
    /// An incoming webhook of Slack.
    Slack,
}

impl ChannelKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Webhook, Self::Alertmanager, Self::Email, Self::DingTalk, Self::WeCom, Self::Feishu, Self::Slack];

    /// Its name in JSON and in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Alertmanager => "alertmanager",
            Self::Email => "email",
            Self::DingTalk => "dingtalk",
            Self::WeCom => "wecom",
            Self::Feishu => "feishu",
            Self::Slack => "slack",
        }
    }

    /// The kind of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// How many messages a minute the receiver takes, where its documentation says, and so how many it is sent.
    pub fn rate_limit(self) -> Option<u32> {
        match self {
            Self::DingTalk | Self::WeCom => Some(20),
            Self::Feishu => Some(100),
            Self::Slack => Some(60),
            Self::Webhook | Self::Alertmanager | Self::Email => None,
        }
    }

    /// For how long what happens waits for what happens with it, unless somebody says otherwise. A webhook gets each event by
    /// itself.
    pub fn group_wait(self) -> Option<Duration> {
        (self != Self::Webhook).then_some(Duration::from_secs(10))
    }

    /// How many events one message tells at most, where programs read it, which have to hear of each. People are told how many
    /// more there are.
    pub fn group_limit(self) -> Option<usize> {
        (self == Self::Alertmanager).then_some(Digest::EVENTS_MAX)
    }
}

/// The configuration of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ChannelConfig {
    /// See [`ChannelKind::Webhook`].
    Webhook(Webhook),
    /// See [`ChannelKind::Alertmanager`].
    Alertmanager(Alertmanager),
    /// See [`ChannelKind::Email`].
    Email(Email),
    /// See [`ChannelKind::DingTalk`].
    DingTalk(DingTalk),
    /// See [`ChannelKind::WeCom`].
    WeCom(WeCom),
    /// See [`ChannelKind::Feishu`].
    Feishu(Feishu),
    /// See [`ChannelKind::Slack`].
    Slack(Slack),
}

macro_rules! kept {
    ($kept:expr, $kind:ident) => {
        match $kept {
            Some(Self::$kind(config)) => Some(config),
            _ => None,
        }
    };
}

impl ChannelConfig {
    /// Reads what a client sent. `kept` is the configuration that it takes the place of, whose secrets stay where none
    /// are sent.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub fn parse(
        kind: ChannelKind,
        raw: &RawValue,
        kept: Option<&Self>,
        targets: Targets,
    ) -> Result<Self, ConfigError> {
        let mut fields = ConfigFields::new(raw, targets)?;
        let config = match kind {
            ChannelKind::Webhook => Webhook::read(&mut fields, kept!(kept, Webhook)).map(Self::Webhook),
            ChannelKind::Alertmanager => {
                Alertmanager::read(&mut fields, kept!(kept, Alertmanager)).map(Self::Alertmanager)
            }
            ChannelKind::Email => Email::read(&mut fields).map(Self::Email),
            ChannelKind::DingTalk => DingTalk::read(&mut fields, kept!(kept, DingTalk)).map(Self::DingTalk),
            ChannelKind::WeCom => WeCom::read(&mut fields, kept!(kept, WeCom)).map(Self::WeCom),
            ChannelKind::Feishu => Feishu::read(&mut fields, kept!(kept, Feishu)).map(Self::Feishu),
            ChannelKind::Slack => Slack::read(&mut fields, kept!(kept, Slack)).map(Self::Slack),
        };
        fields.finish(config)
    }

    /// As it is stored, secrets and all.
    ///
    /// # Errors
    /// None that its fields could cause.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Reads what [`ChannelConfig::to_json`] wrote.
    ///
    /// # Errors
    /// When it is something else.
    pub fn from_json(kind: ChannelKind, text: &str) -> Result<Self, serde_json::Error> {
        Ok(match kind {
            ChannelKind::Webhook => Self::Webhook(serde_json::from_str(text)?),
            ChannelKind::Alertmanager => Self::Alertmanager(serde_json::from_str(text)?),
            ChannelKind::Email => Self::Email(serde_json::from_str(text)?),
            ChannelKind::DingTalk => Self::DingTalk(serde_json::from_str(text)?),
            ChannelKind::WeCom => Self::WeCom(serde_json::from_str(text)?),
            ChannelKind::Feishu => Self::Feishu(serde_json::from_str(text)?),
            ChannelKind::Slack => Self::Slack(serde_json::from_str(text)?),
        })
    }

    /// Its kind.
    pub fn kind(&self) -> ChannelKind {
        match self {
            Self::Webhook(_) => ChannelKind::Webhook,
            Self::Alertmanager(_) => ChannelKind::Alertmanager,
            Self::Email(_) => ChannelKind::Email,
            Self::DingTalk(_) => ChannelKind::DingTalk,
            Self::WeCom(_) => ChannelKind::WeCom,
            Self::Feishu(_) => ChannelKind::Feishu,
            Self::Slack(_) => ChannelKind::Slack,
        }
    }

    fn as_kind(&self) -> &dyn Kind {
        match self {
            Self::Webhook(config) => config,
            Self::Alertmanager(config) => config,
            Self::Email(config) => config,
            Self::DingTalk(config) => config,
            Self::WeCom(config) => config,
            Self::Feishu(config) => config,
            Self::Slack(config) => config,
        }
    }

    pub(super) fn outgoing(&self, telling: &Telling<'_>) -> Outgoing {
        self.as_kind().outgoing(telling)
    }

    /// What an answer to it means.
    pub fn verdict(&self, answer: &Answer) -> Verdict {
        self.as_kind().verdict(answer)
    }

    /// The configuration as it is shown: without secrets.
    pub fn shown(&self) -> Value {
        self.as_kind().shown()
    }

    /// Where it leads, if that is a URL of its own.
    pub fn target(&self) -> Option<Target> {
        Target::parse(self.as_kind().url()?, Targets::Any).ok()
    }

    /// Whether it holds what must not be kept as it is.
    pub fn has_secrets(&self) -> bool {
        self.as_kind().has_secrets()
    }
}
