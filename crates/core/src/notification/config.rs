//! How the configuration of a channel is read from a request: each field by itself, and every wrong one named.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use super::target::{Target, TargetError, Targets};
use crate::field::{self, FieldErrors, FieldValue, Fields};
use crate::python::{self, Kind};

/// A text that is never shown again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a configuration is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// Fields are wrong.
    #[error("the configuration is wrong")]
    Invalid(FieldErrors),
    /// The fields are right, but lead to where channels may not reach.
    #[error("the address is not allowed")]
    Forbidden(FieldErrors),
}

/// The longest text in a configuration, in characters.
const TEXT_MAX: usize = 2_048;
/// The longest list in a configuration.
const LIST_MAX: usize = 100;

/// The fields of a configuration, and what is wrong with those that were read.
pub(super) struct ConfigFields<'a> {
    fields: Fields<'a>,
    targets: Targets,
    known: Vec<&'static str>,
    errors: FieldErrors,
    forbidden: FieldErrors,
}

impl<'a> ConfigFields<'a> {
    pub(super) fn new(raw: &'a RawValue, targets: Targets) -> Result<Self, ConfigError> {
        let not_an_object = || {
            let message = format!("Expected a dictionary of items but got type \"{}\".", Kind::of(raw).type_name());
            ConfigError::Invalid(FieldErrors::non_field(message))
        };
        let entries: python::Entries<'_> = serde_json::from_str(raw.get()).map_err(|_other| not_an_object())?;
        Ok(Self {
            fields: entries.into(),
            targets,
            known: Vec::new(),
            errors: FieldErrors::default(),
            forbidden: FieldErrors::default(),
        })
    }

    fn value(&mut self, name: &'static str) -> Option<FieldValue<'a>> {
        self.known.push(name);
        self.fields.get(name).cloned()
    }

    /// The address of a receiver that may be shown.
    pub(super) fn url(&mut self, name: &'static str) -> Option<String> {
        let value = self.value(name);
        let text = self.errors.take(name, field::text(value.as_ref(), TEXT_MAX))?.into_owned();
        self.check(name, &text)
    }

    /// The address of a receiver that is itself a secret. `kept` is the one that there is, which stays when none is sent,
    /// or when it comes back as it is shown.
    pub(super) fn secret_url(&mut self, name: &'static str, kept: Option<&Secret>) -> Option<Secret> {
        let value = self.value(name);
        if let Some(kept) = kept {
            let text = field::text(value.as_ref(), TEXT_MAX);
            if value.is_none() || text.is_ok_and(|text| text == masked(kept)) {
                return Some(kept.clone());
            }
        }
        let text = self.errors.take(name, field::text(value.as_ref(), TEXT_MAX))?.into_owned();
        self.check(name, &text).map(Secret)
    }

    fn check(&mut self, name: &'static str, text: &str) -> Option<String> {
        match Target::parse(text, self.targets) {
            Ok(target) => Some(target.as_str().to_owned()),
            Err(error @ TargetError::Malformed(_)) => {
                self.errors.add(name, vec![error.to_string()]);
                None
            }
            Err(error @ TargetError::Forbidden(_)) => {
                self.forbidden.add(name, vec![error.to_string()]);
                None
            }
        }
    }

    /// A secret that may be left out. `kept` is the one that there is, which stays when none is sent; null takes it away.
    pub(super) fn secret(&mut self, name: &'static str, kept: Option<&Secret>) -> Option<Secret> {
        let value = self.value(name);
        if value.is_none() {
            return kept.cloned();
        }
        let text = self.errors.take(name, field::optional_text(value.as_ref(), TEXT_MAX))?;
        text.map(|text| Secret(text.into_owned()))
    }

    /// A list of texts that may be left out.
    pub(super) fn texts(&mut self, name: &'static str) -> Vec<String> {
        let value = self.value(name);
        self.errors.take(name, texts(value.as_ref())).unwrap_or_default()
    }

    /// A list of texts, one at least.
    pub(super) fn some_texts(&mut self, name: &'static str) -> Vec<String> {
        let value = self.value(name);
        let found = match &value {
            None => Err(vec![field::REQUIRED.to_owned()]),
            value => texts(value.as_ref()).and_then(|texts| {
                if texts.is_empty() { Err(vec!["This list may not be empty.".to_owned()]) } else { Ok(texts) }
            }),
        };
        self.errors.take(name, found).unwrap_or_default()
    }

    /// A yes or no that may be left out, and is no then.
    pub(super) fn flag(&mut self, name: &'static str) -> bool {
        let value = self.value(name);
        self.errors.take(name, field::flag(value.as_ref())).flatten().unwrap_or_default()
    }

    /// Says that a field that was read is wrong.
    pub(super) fn wrong(&mut self, name: &'static str, message: String) {
        self.errors.add(name, vec![message]);
    }

    /// `config` when nothing is wrong.
    pub(super) fn finish<T>(mut self, config: Option<T>) -> Result<T, ConfigError> {
        let unknown: Vec<String> =
            self.fields.names().filter(|name| !self.known.contains(name)).map(str::to_owned).collect();
        for name in unknown {
            let message = format!("There is no such field: {} are expected.", self.known.join(", "));
            self.errors.add(name, vec![message]);
        }
        self.errors.into_result(()).map_err(ConfigError::Invalid)?;
        self.forbidden.into_result(()).map_err(ConfigError::Forbidden)?;
        config.ok_or_else(|| ConfigError::Invalid(FieldErrors::default()))
    }
}

fn texts(value: Option<&FieldValue<'_>>) -> Result<Vec<String>, Vec<String>> {
    let not_a_list = |name: &str| Err(vec![format!("Expected a list of items but got type \"{name}\".")]);
    let raw = match value {
        None => return Ok(Vec::new()),
        Some(FieldValue::Json(raw)) if Kind::of(raw) == Kind::Null => return Ok(Vec::new()),
        Some(FieldValue::Json(raw)) => raw,
        Some(_) => return not_a_list("str"),
    };
    let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(raw.get()) else {
        return not_a_list(Kind::of(raw).type_name());
    };
    if items.len() > LIST_MAX {
        return Err(vec![format!("Ensure this field has no more than {LIST_MAX} elements.")]);
    }
    items
        .into_iter()
        .map(|item| field::text(Some(&FieldValue::Json(item)), TEXT_MAX).map(std::borrow::Cow::into_owned))
        .collect()
}

/// An address as it is shown where all of it but its host is a secret.
pub(super) fn masked(url: &Secret) -> String {
    match url::Url::parse(url.expose()) {
        Ok(url) => format!("{}://{}/…", url.scheme(), url.host_str().unwrap_or_default()),
        Err(_) => "…".to_owned(),
    }
}
