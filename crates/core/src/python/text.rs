//! JSON strings and objects as Python has them: lone surrogates are kept, and the last of two same keys wins.

use std::borrow::Cow;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The text of a JSON string. Python's may hold lone surrogates, Rust's may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text<'a> {
    /// Ordinary text.
    Plain(Cow<'a, str>),
    /// Text with lone surrogates: the first of them, and the text with U+FFFD in their place.
    Surrogates {
        /// The first lone surrogate's code.
        first: u16,
        /// The text, with U+FFFD for each lone surrogate.
        shown: String,
    },
}

impl<'a> Text<'a> {
    /// The text of `raw`; `None` when it is not a JSON string.
    pub fn of(raw: &'a RawValue) -> Option<Self> {
        let json = raw.get();
        if !json.starts_with('"') {
            return None;
        }
        if let Some(inner) = json.get(1..json.len() - 1).filter(|inner| !inner.contains('\\')) {
            return Some(Self::Plain(Cow::Borrowed(inner)));
        }
        if let Ok(text) = serde_json::from_str::<String>(json) {
            return Some(Self::Plain(Cow::Owned(text)));
        }
        let Wtf8(bytes) = serde_json::from_str(json).ok()?;
        Some(Self::from_wtf8(&bytes))
    }

    // In WTF-8 a lone surrogate is the three bytes ED A0..BF 80..BF, which UTF-8 never holds.
    fn from_wtf8(bytes: &[u8]) -> Self {
        let mut first = None;
        let mut shown = String::with_capacity(bytes.len());
        let mut rest = bytes;
        while !rest.is_empty() {
            match rest {
                [0xed, b @ 0xa0..=0xbf, c, tail @ ..] => {
                    let code = 0xd000 | (u16::from(b & 0x3f) << 6) | u16::from(c & 0x3f);
                    first.get_or_insert(code);
                    shown.push('\u{fffd}');
                    rest = tail;
                }
                _ => {
                    let end = rest.windows(2).position(|w| matches!(w, [0xed, 0xa0..=0xbf])).unwrap_or(rest.len());
                    let (plain, tail) = rest.split_at(end);
                    shown.push_str(&String::from_utf8_lossy(plain));
                    rest = tail;
                }
            }
        }
        match first {
            Some(first) => Self::Surrogates { first, shown },
            None => Self::Plain(Cow::Owned(shown)),
        }
    }

    /// The text as it can be shown: with U+FFFD for each lone surrogate.
    pub fn into_shown(self) -> Cow<'a, str> {
        match self {
            Self::Plain(text) => text,
            Self::Surrogates { shown, .. } => Cow::Owned(shown),
        }
    }
}

struct Wtf8(Vec<u8>);

impl<'de> serde::Deserialize<'de> for Wtf8 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Wtf8;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Wtf8, E> {
                Ok(Wtf8(bytes.to_vec()))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Wtf8, E> {
                Ok(Wtf8(text.as_bytes().to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// How many keys an object may have: each new one is compared with those before. Django's bound for the fields of a form.
const KEYS_MAX: usize = 1_000;

/// The entries of a JSON object as Python's dict has them: in the order of first appearance, the last value winning.
#[derive(Debug, Default)]
pub struct Entries<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Object<'a> {
            type Value = Entries<'a>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entries<'a>, M::Error> {
                let mut entries: Vec<(Cow<'a, str>, &'a RawValue)> = Vec::new();
                while let Some(key) = map.next_key::<&'a RawValue>()? {
                    let key = Text::of(key).ok_or_else(|| M::Error::custom("a key must be a string"))?.into_shown();
                    let value = map.next_value()?;
                    let count = entries.len();
                    match entries.iter_mut().find(|(seen, _)| *seen == key) {
                        Some(entry) => entry.1 = value,
                        None if count >= KEYS_MAX => {
                            return Err(M::Error::custom(format!(
                                "an object with more than {KEYS_MAX} keys is not taken"
                            )));
                        }
                        None => entries.push((key, value)),
                    }
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Object(std::marker::PhantomData))
    }
}
