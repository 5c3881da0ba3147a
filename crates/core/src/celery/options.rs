//! A signature's options: what `apply_async` takes, as JSON, each value checked when it is read.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Malformed;
use super::envelope::text;
use super::message::parse_time;
use super::signature::Signature;
use crate::python::Entries;

/// The options of a signature, in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Options(pub(super) Vec<(String, Box<RawValue>)>);

/// What an option must be.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Whole,
    Flag,
    Time,
    NumberOrTime,
    Texts,
    Object,
    Signature,
    Signatures,
}

const KINDS: &[(&str, Kind)] = &[
    ("task_id", Kind::Text),
    ("queue", Kind::Text),
    ("exchange", Kind::Text),
    ("routing_key", Kind::Text),
    ("group_id", Kind::Text),
    ("root_id", Kind::Text),
    ("parent_id", Kind::Text),
    ("reply_to", Kind::Text),
    ("shadow", Kind::Text),
    ("countdown", Kind::Number),
    ("time_limit", Kind::Number),
    ("soft_time_limit", Kind::Number),
    ("priority", Kind::Whole),
    ("group_index", Kind::Whole),
    ("ignore_result", Kind::Flag),
    ("eta", Kind::Time),
    ("expires", Kind::NumberOrTime),
    ("stamped_headers", Kind::Texts),
    ("headers", Kind::Object),
    ("chord", Kind::Signature),
    ("chain", Kind::Signatures),
    ("link", Kind::Signatures),
    ("link_error", Kind::Signatures),
];

impl Options {
    pub(super) fn read(raw: &RawValue, depth: usize) -> Result<Self, Malformed> {
        let entries: Entries<'_> = serde_json::from_str(raw.get())
            .map_err(|e| Malformed::Signature(format!("the options of a signature must be an object: {e}")))?;
        let options = Self(entries.0.into_iter().map(|(name, raw)| (name.into_owned(), raw.to_owned())).collect());
        for (name, kind) in KINDS {
            if let Some(raw) = options.get(name) {
                kind.check(raw, depth).map_err(|expected| match expected {
                    Wrong::Type(expected) => {
                        Malformed::Signature(format!("the option `{name}` of a signature must be {expected}"))
                    }
                    Wrong::Within(malformed) => malformed,
                })?;
            }
        }
        Ok(options)
    }

    /// The value of an option; `null` is none.
    pub(super) fn get(&self, name: &str) -> Option<&RawValue> {
        let value = self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_ref());
        value.filter(|value| value.get() != "null")
    }

    pub(super) fn set(&mut self, name: &str, value: Box<RawValue>) {
        self.0.retain(|(own, _)| own != name);
        self.0.push((name.to_owned(), value));
    }

    pub(super) fn set_text(&mut self, name: &str, value: &str) {
        self.set(name, raw(Value::from(value).to_string()));
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Box<RawValue>> {
        let at = self.0.iter().position(|(own, _)| own == name)?;
        Some(self.0.remove(at).1).filter(|value| value.get() != "null")
    }

    /// These options, and those of `over` in their place where they have a value. A group and stamps stay: to change
    /// them would leave those who wait for the group waiting for ever.
    pub(super) fn merge(&self, over: &Self) -> Self {
        let mut merged = self.clone();
        let stamps = self.texts("stamped_headers");
        for (name, value) in &over.0 {
            let stays = ["group_id", "stamped_headers"].contains(&name.as_str()) || stamps.contains(name);
            if value.get() != "null" && !(stays && self.get(name).is_some()) {
                merged.set(name, value.clone());
            }
        }
        merged
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(text).map(std::borrow::Cow::into_owned)
    }

    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        self.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.get(name).and_then(|raw| raw.get().parse().ok())
    }

    pub(super) fn whole(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(|raw| raw.get().parse().ok())
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|raw| raw.get() == "true")
    }

    /// A moment: as such, or in so many seconds.
    pub(super) fn moment(&self, name: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let raw = self.get(name)?;
        time(raw).or_else(|| after(now, raw.get().parse().ok()?))
    }

    pub(super) fn signature(&self, name: &str) -> Option<Signature> {
        self.get(name).and_then(|raw| Signature::read(raw, 0).ok())
    }

    pub(super) fn signatures(&self, name: &str) -> Vec<Signature> {
        self.get(name).and_then(|raw| Signature::read_list(raw, 0).ok()).unwrap_or_default()
    }
}

/// So many seconds after a moment.
pub(super) fn after(moment: DateTime<Utc>, seconds: f64) -> Option<DateTime<Utc>> {
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "beyond its range it is its range's end"
    )]
    let micros = (seconds * 1_000_000.0) as i64;
    moment.checked_add_signed(TimeDelta::microseconds(micros))
}

/// JSON that was put together here.
pub(super) fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).unwrap_or_default()
}

enum Wrong {
    Type(&'static str),
    Within(Malformed),
}

impl Kind {
    fn check(self, raw: &RawValue, depth: usize) -> Result<(), Wrong> {
        let is = |right: bool, expected| if right { Ok(()) } else { Err(Wrong::Type(expected)) };
        let number = || raw.get().parse::<f64>().is_ok_and(f64::is_finite);
        match self {
            Self::Text => is(text(raw).is_some(), "text"),
            Self::Number => is(number(), "a number"),
            Self::Whole => is(raw.get().parse::<i64>().is_ok(), "a whole number"),
            Self::Flag => is(["true", "false"].contains(&raw.get()), "true or false"),
            Self::Time => is(time(raw).is_some(), "an ISO 8601 time"),
            Self::NumberOrTime => is(number() || time(raw).is_some(), "a number of seconds or an ISO 8601 time"),
            Self::Texts => is(serde_json::from_str::<Vec<String>>(raw.get()).is_ok(), "a list of text"),
            Self::Object => is(serde_json::from_str::<Entries<'_>>(raw.get()).is_ok(), "an object"),
            Self::Signature => Signature::read(raw, depth).map(drop).map_err(Wrong::Within),
            Self::Signatures => Signature::read_list(raw, depth).map(drop).map_err(Wrong::Within),
        }
    }
}

// As text, or as kombu's JSON has a datetime.
fn time(raw: &RawValue) -> Option<DateTime<Utc>> {
    if let Some(text) = text(raw) {
        return parse_time(&text);
    }
    let extended: Value = serde_json::from_str(raw.get()).ok()?;
    let is_time = extended.get("__type__").and_then(Value::as_str) == Some("datetime");
    extended.get("__value__").and_then(Value::as_str).filter(|_| is_time).and_then(parse_time)
}
