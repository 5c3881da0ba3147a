//! Business systems: the apps whose logs are kept.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::field::{self, FieldErrors, FieldValue, Fields, text};

/// The id of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AppId(pub i64);

/// How many apps may be asked for at once.
const ASKED_MAX: usize = 100;

impl AppId {
    /// Reads the values of the parameter `app`: in order, and each once. A number past 64 bits is an app that does not exist.
    ///
    /// # Errors
    /// The messages for the parameter.
    pub fn from_query<'a>(values: impl Iterator<Item = &'a str>) -> Result<Vec<Self>, Vec<String>> {
        let mut apps = field::ids(values, "an app", Self)?;
        apps.sort_unstable();
        apps.dedup();
        if apps.len() > ASKED_MAX {
            return Err(vec![format!("At most {ASKED_MAX} apps can be asked for at once.")]);
        }
        Ok(apps)
    }
}

/// A business system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Its id.
    pub id: AppId,
    /// What people call it; at most [`NAME_MAX`] characters, unique among the apps made through the API.
    pub name: String,
    /// Who answers for it; at most [`NAME_MAX`] characters.
    pub owner: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The longest name and owner, in characters: the seed's `max_length`.
pub const NAME_MAX: usize = 100;

/// What an app is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApp {
    /// See [`App::name`].
    pub name: String,
    /// See [`App::owner`].
    pub owner: String,
}

/// A change of an app: what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppChange {
    /// The new name.
    pub name: Option<String>,
    /// The new owner.
    pub owner: Option<String>,
}

impl NewApp {
    /// Checks the fields `name` and `owner`, both required.
    ///
    /// # Errors
    /// Every wrong field with its messages, in DRF's words.
    pub fn from_fields(fields: &Fields<'_>) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = errors.take("name", short_text(fields.get("name")));
        let owner = errors.take("owner", short_text(fields.get("owner")));
        match (name, owner) {
            (Some(name), Some(owner)) => Ok(Self { name, owner }),
            (Some(_), None) | (None, _) => Err(errors),
        }
    }
}

impl AppChange {
    /// Checks the fields `name` and `owner`, either of which may be absent.
    ///
    /// # Errors
    /// Every wrong field with its messages, in DRF's words.
    pub fn from_fields(fields: &Fields<'_>) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut optional = |field| fields.get(field).and_then(|value| errors.take(field, short_text(Some(value))));
        let (name, owner) = (optional("name"), optional("owner"));
        errors.into_result(Self { name, owner })
    }
}

fn short_text(value: Option<&FieldValue<'_>>) -> Result<String, Vec<String>> {
    text(value, NAME_MAX).map(Into::into)
}
