//! The fields of a request and what is wrong with them, in the words of Django REST Framework's serializers.

mod parameter;
mod plain;

pub use parameter::ids;
pub use plain::{integer, keys};

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::python::{self, Int, Kind, Text};

/// One value of a request's body.
#[derive(Debug, Clone)]
pub enum FieldValue<'a> {
    /// From a JSON body.
    Json(&'a RawValue),
    /// From a form: always text.
    Text(Cow<'a, str>),
    /// A file of a multipart form: its name. No field takes one.
    File(String),
}

impl FieldValue<'_> {
    fn share(&self) -> FieldValue<'_> {
        match self {
            Self::Json(raw) => FieldValue::Json(raw),
            Self::Text(text) => FieldValue::Text(Cow::Borrowed(text)),
            Self::File(name) => FieldValue::File(name.clone()),
        }
    }
}

/// The fields of a request's body, the last value of each name.
#[derive(Debug, Default)]
pub struct Fields<'a>(Vec<(Cow<'a, str>, FieldValue<'a>)>);

impl<'a> Fields<'a> {
    /// Sets a field; a name that is there already takes the new value, as Python's dicts and Django's forms have it.
    pub fn set(&mut self, name: impl Into<Cow<'a, str>>, value: FieldValue<'a>) {
        let name = name.into();
        match self.0.iter_mut().find(|(seen, _)| *seen == name) {
            Some(entry) => entry.1 = value,
            None => self.0.push((name, value)),
        }
    }

    /// The same fields, borrowed.
    pub fn share(&self) -> Fields<'_> {
        Fields(self.0.iter().map(|(name, value)| (Cow::Borrowed(name.as_ref()), value.share())).collect())
    }

    /// The names of the fields that were sent.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_ref())
    }

    /// The value of a field, if it was sent.
    pub fn get(&self, name: &str) -> Option<&FieldValue<'a>> {
        self.0.iter().find(|(seen, _)| seen == name).map(|(_, value)| value)
    }
}

impl<'a> From<python::Entries<'a>> for Fields<'a> {
    fn from(entries: python::Entries<'a>) -> Self {
        Self(entries.0.into_iter().map(|(name, value)| (name, FieldValue::Json(value))).collect())
    }
}

/// What is wrong, field by field: serialises as DRF's `{"field":["message"]}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(Vec<(Cow<'static, str>, Wrong)>);

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Wrong {
    /// These messages.
    Messages(Vec<String>),
    /// Fields within it.
    Within(FieldErrors),
}

impl FieldErrors {
    /// One field with one message.
    pub fn one(field: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self(vec![(field.into(), Wrong::Messages(vec![message.into()]))])
    }

    /// An error that belongs to no single field: DRF's `non_field_errors`.
    pub fn non_field(message: impl Into<String>) -> Self {
        Self::one("non_field_errors", message)
    }

    /// Adds a field's messages.
    pub fn add(&mut self, field: impl Into<Cow<'static, str>>, messages: Vec<String>) {
        self.0.push((field.into(), Wrong::Messages(messages)));
    }

    /// Adds what is wrong within a field that holds fields itself: `{"field":{"inner":["message"]}}`.
    pub fn nest(&mut self, field: impl Into<Cow<'static, str>>, errors: Self) {
        self.0.push((field.into(), Wrong::Within(errors)));
    }

    /// The value of a field that is right; keeps the messages of one that is wrong.
    pub fn take<T>(&mut self, field: &'static str, checked: Result<T, Vec<String>>) -> Option<T> {
        checked.map_err(|messages| self.add(field, messages)).ok()
    }

    /// A value whose errors are these as well where it is wrong.
    pub fn merge<T>(&mut self, checked: Result<T, Self>) -> Option<T> {
        checked.map_err(|errors| self.0.extend(errors.0)).ok()
    }

    /// `value` when nothing is wrong.
    ///
    /// # Errors
    /// These errors, when there are any.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl Serialize for FieldErrors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (field, wrong) in &self.0 {
            map.serialize_entry(field, wrong)?;
        }
        map.end()
    }
}

/// DRF's words for a field that was not sent.
pub const REQUIRED: &str = "This field is required.";
/// DRF's words for a field that is null.
pub const NULL: &str = "This field may not be null.";
const BLANK: &str = "This field may not be blank.";
const NOT_TEXT: &str = "Not a valid string.";
const NUL_CHARACTER: &str = "Null characters are not allowed.";

/// DRF's `CharField`: required, trimmed, not blank, no NUL and no lone surrogate; numbers become text. At most
/// `max_chars` characters.
///
/// # Errors
/// The messages for the field.
pub fn text<'a>(value: Option<&FieldValue<'a>>, max_chars: usize) -> Result<Cow<'a, str>, Vec<String>> {
    let one = |message: &str| Err(vec![message.to_owned()]);
    let (text, surrogate) = match value {
        None => return one(REQUIRED),
        Some(FieldValue::File(_)) => return one(NOT_TEXT),
        Some(FieldValue::Text(text)) => (text.clone(), None),
        Some(FieldValue::Json(raw)) => match Kind::of(raw) {
            Kind::Null => return one(NULL),
            Kind::Bool | Kind::List | Kind::Dict => return one(NOT_TEXT),
            Kind::Int | Kind::Float => (python::str_of(raw), None),
            Kind::Str => match Text::of(raw) {
                Some(Text::Plain(text)) => (text, None),
                Some(Text::Surrogates { first, shown }) => (Cow::Owned(shown), Some(first)),
                None => return one(NOT_TEXT),
            },
        },
    };
    let text = strip(text);
    if text.is_empty() {
        return one(BLANK);
    }
    let mut messages = Vec::new();
    if max_chars < text.len() && text.chars().count() > max_chars {
        messages.push(format!("Ensure this field has no more than {max_chars} characters."));
    }
    if text.contains('\0') {
        messages.push(NUL_CHARACTER.to_owned());
    }
    if let Some(code) = surrogate {
        messages.push(format!("Surrogate characters are not allowed: U+{code:X}."));
    }
    if messages.is_empty() { Ok(text) } else { Err(messages) }
}

/// DRF's `CharField` with `required=False` and `allow_null=True`: as [`text`], but a field that was not sent, is null, or
/// is left empty in a form has no value.
///
/// # Errors
/// The messages for the field.
pub fn optional_text<'a>(
    value: Option<&FieldValue<'a>>,
    max_chars: usize,
) -> Result<Option<Cow<'a, str>>, Vec<String>> {
    match value {
        None => Ok(None),
        Some(value) if is_null(value) => Ok(None),
        Some(value) => text(Some(value), max_chars).map(Some),
    }
}

/// DRF's `BooleanField` with `required=False`: `None` when it was not sent.
///
/// # Errors
/// The messages for the field.
pub fn flag(value: Option<&FieldValue<'_>>) -> Result<Option<bool>, Vec<String>> {
    let text = match value {
        None => return Ok(None),
        Some(FieldValue::Text(text)) => text.as_ref(),
        Some(FieldValue::File(name)) => name.as_str(),
        Some(FieldValue::Json(raw)) if Kind::of(raw) == Kind::Null => return Err(vec![NULL.to_owned()]),
        Some(FieldValue::Json(raw)) => raw.get().trim_matches('"'),
    };
    match text {
        "t" | "T" | "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" | "1" => {
            Ok(Some(true))
        }
        "f" | "F" | "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" | "0" => {
            Ok(Some(false))
        }
        _ => Err(vec!["Must be a valid boolean.".to_owned()]),
    }
}

fn strip(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(python::strip(text)),
        Cow::Owned(text) if python::strip(&text).len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(python::strip(&text).to_owned()),
    }
}

/// DRF's `ChoiceField`: `parse` knows the choices.
///
/// # Errors
/// The messages for the field.
pub fn choice<T>(value: Option<&FieldValue<'_>>, parse: impl Fn(&str) -> Option<T>) -> Result<T, Vec<String>> {
    let shown = match value {
        None => return Err(vec![REQUIRED.to_owned()]),
        Some(FieldValue::Text(text)) => Cow::Borrowed(text.as_ref()),
        Some(FieldValue::File(name)) => Cow::Borrowed(name.as_str()),
        Some(FieldValue::Json(raw)) if Kind::of(raw) == Kind::Null => return Err(vec![NULL.to_owned()]),
        Some(FieldValue::Json(raw)) => python::str_of(raw),
    };
    parse(&shown).ok_or_else(|| vec![format!("\"{shown}\" is not a valid choice.")])
}

/// A primary key that a field holds, of which nobody has asked whether it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub id: i64,
    /// As the client wrote it, where that is not the key's digits.
    written: Option<Box<str>>,
}

impl Key {
    /// The messages for the field when no row has that key.
    pub fn missing(&self) -> Vec<String> {
        match &self.written {
            Some(written) => no_such_row(written),
            None => no_such_row(&self.id.to_string()),
        }
    }
}

fn no_such_row(written: &str) -> Vec<String> {
    vec![format!("Invalid pk \"{written}\" - object does not exist.")]
}

/// DRF's `PrimaryKeyRelatedField`: a number, or text holding one. Whether a row with that key exists is for the caller
/// to find out.
///
/// # Errors
/// The messages for the field.
pub fn key(value: Option<&FieldValue<'_>>) -> Result<Key, Vec<String>> {
    let value = value.ok_or_else(|| vec![REQUIRED.to_owned()])?;
    let number = key_number(value)?;
    let written = match value {
        FieldValue::Json(raw) => python::str_of(raw),
        FieldValue::Text(text) => Cow::Borrowed(text.as_ref()),
        FieldValue::File(name) => Cow::Borrowed(name.as_str()),
    };
    match number {
        Int::Small(id) => {
            let as_written = id.to_string() == written;
            Ok(Key { id, written: (!as_written).then(|| written.into()) })
        }
        Int::Big => Err(no_such_row(&written)),
    }
}

fn key_number(value: &FieldValue<'_>) -> Result<Int, Vec<String>> {
    let wrong_type = |name: &str| vec![format!("Incorrect type. Expected pk value, received {name}.")];
    let from_text = |text: &str| match text {
        "" => Err(vec![NULL.to_owned()]),
        text => python::int(text).ok_or_else(|| wrong_type("str")),
    };
    match value {
        FieldValue::Text(text) => from_text(text),
        FieldValue::File(_) => Err(wrong_type("InMemoryUploadedFile")),
        FieldValue::Json(raw) => match Kind::of(raw) {
            Kind::Null => Err(vec![NULL.to_owned()]),
            Kind::Str => from_text(&python::str_of(raw)),
            kind @ (Kind::Int | Kind::Float) => python::int_of_number(raw).ok_or_else(|| wrong_type(kind.type_name())),
            kind @ (Kind::Bool | Kind::List | Kind::Dict) => Err(wrong_type(kind.type_name())),
        },
    }
}

/// Whether a field was sent as null, or left empty in a form.
pub fn is_null(value: &FieldValue<'_>) -> bool {
    match value {
        FieldValue::Json(raw) => Kind::of(raw) == Kind::Null,
        FieldValue::Text(text) => text.is_empty(),
        FieldValue::File(_) => false,
    }
}

/// Whether a field holds nothing but white space.
pub fn is_blank(value: &FieldValue<'_>) -> bool {
    match value {
        FieldValue::Json(raw) => Kind::of(raw) == Kind::Str && python::strip(&python::str_of(raw)).is_empty(),
        FieldValue::Text(text) => python::strip(text).is_empty(),
        FieldValue::File(_) => false,
    }
}
