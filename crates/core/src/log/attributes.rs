//! The attributes of a record: what a sender knows of it beside the message.

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::field::FieldValue;
use crate::python::Kind;

/// A JSON object within bounds that is not empty, as compact text with its keys in order.
///
/// It has at most [`Attributes::MAX_BYTES`] bytes and [`Attributes::MAX_KEYS`] keys, and is nested at most
/// [`Attributes::MAX_DEPTH`] deep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes(Box<str>);

impl Attributes {
    /// How many bytes it may take as compact text.
    pub const MAX_BYTES: usize = 32 * 1024;
    /// How many keys it may have, those of nested objects not counted: OpenTelemetry's own limit.
    pub const MAX_KEYS: usize = 128;
    /// How deep it may be nested; an object of plain values is one deep. Databases follow JSON only so far.
    pub const MAX_DEPTH: usize = 16;

    /// Looks at the field: an object, in a form the text of one. One that was not sent, is null or is empty has no value.
    ///
    /// # Errors
    /// The messages for the field.
    pub(super) fn from_field(value: Option<&FieldValue<'_>>) -> Result<Option<Self>, Vec<String>> {
        let json = match value {
            None => return Ok(None),
            Some(FieldValue::Text(text)) if text.is_empty() => return Ok(None),
            Some(FieldValue::Text(text)) => text.as_ref(),
            Some(FieldValue::File(_)) => return not_an_object("InMemoryUploadedFile"),
            Some(FieldValue::Json(raw)) => match Kind::of(raw) {
                Kind::Null => return Ok(None),
                Kind::Dict => raw.get(),
                kind @ (Kind::Bool | Kind::Int | Kind::Float | Kind::Str | Kind::List) => {
                    return not_an_object(kind.type_name());
                }
            },
        };
        match serde_json::from_str(json) {
            Ok(Value::Object(object)) => Self::from_object(&object),
            Ok(_) => not_an_object("str"),
            // A lone surrogate, a number beyond all bounds, or nesting that no reader follows.
            Err(error) => Err(vec![format!("Value must be valid JSON: {error}.")]),
        }
    }

    fn from_object(object: &Map<String, Value>) -> Result<Option<Self>, Vec<String>> {
        if object.is_empty() {
            return Ok(None);
        }
        let mut messages = Vec::new();
        if object.len() > Self::MAX_KEYS {
            messages.push(format!("Ensure this field has no more than {} keys.", Self::MAX_KEYS));
        }
        if !is_flat_enough(object.values(), Self::MAX_DEPTH) {
            messages.push(format!("Ensure this field is nested no more than {} deep.", Self::MAX_DEPTH));
        }
        // What was parsed always serialises.
        let text = serde_json::to_string(object).unwrap_or_default();
        if text.len() > Self::MAX_BYTES {
            messages.push(format!("Ensure this field takes no more than {} bytes.", Self::MAX_BYTES));
        }
        if messages.is_empty() { Ok(Some(Self(text.into()))) } else { Err(messages) }
    }

    /// The attributes that were stored as this text; `None` when it is no JSON object, for another program may have
    /// written it.
    pub fn from_stored(text: String) -> Option<Self> {
        let raw: &RawValue = serde_json::from_str(&text).ok()?;
        (Kind::of(raw) == Kind::Dict).then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn not_an_object<T>(name: &str) -> Result<T, Vec<String>> {
    Err(vec![format!("Expected a dictionary of items but got type \"{name}\".")])
}

fn is_flat_enough<'a>(mut values: impl Iterator<Item = &'a Value>, depth: usize) -> bool {
    depth > 0
        && values.all(|value| match value {
            Value::Array(items) => is_flat_enough(items.iter(), depth - 1),
            Value::Object(object) => is_flat_enough(object.values(), depth - 1),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        })
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Box::<RawValue>::deserialize(deserializer)?.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<Option<String>, Vec<String>> {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        let found = Attributes::from_field(Some(&FieldValue::Json(raw)))?;
        Ok(found.map(|attributes| attributes.as_str().to_owned()))
    }

    #[test]
    fn an_object_is_kept_as_compact_text_and_the_last_of_two_same_keys_wins() {
        for (json, expected) in [
            (r#"{"b": [1, {"x": null}], "a" : "支'\\\"\n" }"#, Some(r#"{"a":"支'\\\"\n","b":[1,{"x":null}]}"#)),
            (r#"{"a":1,"a":2}"#, Some(r#"{"a":2}"#)),
            (r#"{"id":18446744073709551615,"cost":0.10}"#, Some(r#"{"cost":0.1,"id":18446744073709551615}"#)),
            ("{}", None),
            ("null", None),
        ] {
            assert_eq!(check(json), Ok(expected.map(str::to_owned)), "{json}");
        }
        let form = FieldValue::Text(r#"{"a": 1}"#.into());
        assert_eq!(Attributes::from_field(Some(&form)).unwrap().unwrap().as_str(), r#"{"a":1}"#);
    }

    #[test]
    fn what_is_no_object_or_beyond_its_bounds_is_told() {
        let keys = |count: usize| {
            let entries: Vec<String> = (0..count).map(|n| format!("\"k{n}\":1")).collect();
            format!("{{{}}}", entries.join(","))
        };
        let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        let long = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
        for right in [keys(128), deep(16), long(32 * 1024)] {
            assert!(check(&right).is_ok(), "{right}");
        }
        for (json, message) in [
            ("[1]", "Expected a dictionary of items but got type \"list\"."),
            ("\"{}\"", "Expected a dictionary of items but got type \"str\"."),
            (&keys(129), "Ensure this field has no more than 128 keys."),
            (&deep(17), "Ensure this field is nested no more than 16 deep."),
            (&long(32 * 1024 + 1), "Ensure this field takes no more than 32768 bytes."),
            (r#"{"a":"\ud800"}"#, "Value must be valid JSON: unexpected end of hex escape at line 1 column 13."),
            (r#"{"a":1e999}"#, "Value must be valid JSON: number out of range at line 1 column 10."),
        ] {
            assert_eq!(check(json), Err(vec![message.to_owned()]), "{json}");
        }
        assert!(check(&format!("{{\"a\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000))).is_err());
    }
}
