//! A subscriber: who gets a report a day, of which apps, and through which channels.

use serde::{Deserialize, Serialize};

use crate::app::NAME_MAX;
use crate::field::{self, FieldErrors, Fields};
use crate::language::Language;
use crate::notification::ChannelId;

/// The id of a subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubscriberId(pub i64);

/// Whose apps a report is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scope {
    /// Every app.
    #[default]
    All,
    /// The apps of this owner.
    Owner(String),
}

impl Scope {
    /// Every app without an owner, else that owner's.
    pub fn of(owner: Option<String>) -> Self {
        owner.map_or(Self::All, Self::Owner)
    }

    /// The owner, if it is about one's.
    pub fn owner(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Owner(owner) => Some(owner),
        }
    }
}

/// A subscriber that people made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubscriber {
    /// Its name, which no other subscriber has.
    pub name: String,
    /// What its reports are about.
    pub scope: Scope,
    /// Through which channels they are sent; none are only kept to be read.
    pub channels: Vec<ChannelId>,
    /// Whether reports are made.
    pub enabled: bool,
    /// Their language; that of the settings when `None`.
    pub language: Option<Language>,
}

/// How many channels a subscriber has at most.
const CHANNELS_MAX: usize = 20;

impl NewSubscriber {
    /// Reads a subscriber: `name` is needed where there is no `base`, whose fields stay where none are sent.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub fn from_fields(fields: &Fields<'_>, base: Option<&Self>) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = match (fields.get("name"), base) {
            (None, Some(base)) => base.name.clone(),
            (value, _) => errors.take("name", field::text(value, NAME_MAX)).map(Into::into).unwrap_or_default(),
        };
        let scope = match fields.get("owner") {
            None => base.map(|base| base.scope.clone()).unwrap_or_default(),
            value => {
                let owner = errors.take("owner", field::optional_text(value, NAME_MAX)).flatten();
                Scope::of(owner.map(Into::into))
            }
        };
        let channels = match fields.get("channels") {
            None => base.map(|base| base.channels.clone()).unwrap_or_default(),
            Some(value) => {
                let mut ids = errors.take("channels", field::keys(value, CHANNELS_MAX)).unwrap_or_default();
                ids.sort_unstable();
                ids.dedup();
                ids.into_iter().map(ChannelId).collect()
            }
        };
        let enabled = match errors.take("enabled", field::flag(fields.get("enabled"))).flatten() {
            Some(enabled) => enabled,
            None => base.is_none_or(|base| base.enabled),
        };
        let language = match fields.get("language") {
            None => base.and_then(|base| base.language),
            Some(value) if field::is_null(value) => None,
            value => errors.take("language", field::choice(value, Language::from_name)),
        };
        errors.into_result(Self { name, scope, channels, enabled, language })
    }
}
