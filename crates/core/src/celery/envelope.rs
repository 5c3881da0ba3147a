//! The envelope of a message: read in place, and written again with a few values changed.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::Malformed;
use crate::python::Entries;

/// A message, its values not looked at yet. `null` counts as absent.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) body: Option<&'a RawValue>,
    #[serde(borrow, rename = "content-encoding")]
    pub(super) content_encoding: Option<&'a RawValue>,
    #[serde(borrow, rename = "content-type")]
    pub(super) content_type: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "headers")]
    pub(super) headers: Headers<'a>,
    #[serde(borrow, deserialize_with = "properties")]
    pub(super) properties: Properties<'a>,
}

/// The headers that decide how a message is run.
#[derive(Debug, Deserialize)]
pub(super) struct Headers<'a> {
    #[serde(borrow)]
    pub(super) task: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) root_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) parent_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) group: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) group_index: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) retries: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) eta: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) expires: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) timelimit: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) ignore_result: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) stamps: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) stamped_headers: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) argsrepr: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) kwargsrepr: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) compression: Option<&'a RawValue>,
}

/// The properties that decide where a message lies.
#[derive(Debug, Deserialize)]
pub(super) struct Properties<'a> {
    #[serde(borrow)]
    pub(super) delivery_tag: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) delivery_info: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) priority: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) body_encoding: Option<&'a RawValue>,
}

/// Where a message was sent.
#[derive(Debug, Deserialize)]
pub(super) struct DeliveryInfo<'a> {
    #[serde(borrow)]
    pub(super) routing_key: Option<&'a RawValue>,
}

// A derived struct would be read from an array as well.
struct Object<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

pub(super) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(Object(PhantomData))
}

fn headers<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Headers<'a>, D::Error> {
    object(deserializer).map_err(|e| D::Error::custom(format!("its headers: {e}")))
}

fn properties<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Properties<'a>, D::Error> {
    object(deserializer).map_err(|e| D::Error::custom(format!("its properties: {e}")))
}

impl<'a> Envelope<'a> {
    pub(super) fn read(raw: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = serde_json::Deserializer::from_slice(raw);
        let envelope = object(&mut reader).and_then(|envelope| reader.end().map(|()| envelope));
        envelope.map_err(|e| Malformed::Envelope(e.to_string()))
    }
}

/// The text of a JSON string; `None` when it is something else, or holds what is no text.
pub(super) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let json = raw.get();
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(json).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

/// Some of a message's headers and its delivery tag replaced, everything else left as it is, byte by byte.
pub(super) fn with_headers(message: &str, changes: &[(&str, String)], tag: &str) -> Option<String> {
    let tag = [("delivery_tag", serde_json::Value::from(tag).to_string())];
    let envelope: Entries<'_> = serde_json::from_str(message).ok()?;
    write_object(envelope.0.iter().map(|(name, value)| {
        let changed = match name.as_ref() {
            "headers" => Some(with_entries(value, changes)?),
            "properties" => Some(with_entries(value, &tag)?),
            _ => None,
        };
        Some((name.as_ref(), changed.map_or(Cow::Borrowed(value.get()), Cow::Owned)))
    }))
}

fn with_entries(object: &RawValue, changes: &[(&str, String)]) -> Option<String> {
    let entries: Entries<'_> = serde_json::from_str(object.get()).ok()?;
    let change_of = |name: &str| changes.iter().find(|(changed, _)| *changed == name);
    let kept = entries.0.iter().filter(|(name, _)| change_of(name).is_none());
    let kept = kept.map(|(name, value)| Some((name.as_ref(), Cow::Borrowed(value.get()))));
    write_object(kept.chain(changes.iter().map(|(name, json)| Some((*name, Cow::Borrowed(json.as_str()))))))
}

/// An object of these entries; `None` when one of them is.
pub(super) fn write_object<'a>(entries: impl Iterator<Item = Option<(&'a str, Cow<'a, str>)>>) -> Option<String> {
    let mut json = String::from("{");
    for entry in entries {
        let (name, value) = entry?;
        if json.len() > 1 {
            json.push_str(", ");
        }
        json.push_str(&serde_json::Value::from(name).to_string());
        json.push_str(": ");
        json.push_str(&value);
    }
    json.push('}');
    Some(json)
}
