//! Python's rules where a client can see them: `int()`, `str.strip()`, `str()` and `repr()` of what `json.loads` made.
//!
//! The original quotes a wrong value back in its errors, and Celery's headers carry the `repr` of a task's arguments.
//! JSON comes in as raw text, because a number that does not fit into 64 bits must come out as it went in.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// How deep [`repr`] follows nested lists and objects; what lies deeper is shown as `...`.
const REPR_DEPTH: usize = 64;

/// An integer as Python's `int()` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Int {
    /// It fits into 64 bits, as the database's keys do.
    Small(i64),
    /// It does not.
    Big,
}

/// What kind of JSON value a raw text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`, `false`
    Bool,
    /// A number without fraction and exponent.
    Int,
    /// Any other number.
    Float,
    /// A string.
    Str,
    /// An array.
    List,
    /// An object.
    Dict,
}

impl Kind {
    /// The kind of `raw`, which must be valid JSON.
    pub fn of(raw: &RawValue) -> Self {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Bool,
            Some(b'"') => Self::Str,
            Some(b'[') => Self::List,
            Some(b'{') => Self::Dict,
            _ if text.contains(['.', 'e', 'E']) => Self::Float,
            _ => Self::Int,
        }
    }

    /// The name of Python's type, as error messages show it.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Str => "str",
            Self::List => "list",
            Self::Dict => "dict",
        }
    }
}

/// Whether `str.strip()` takes `c` away: Unicode's white space and the four ASCII separators.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// `str.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `int(text)`: surrounding white space, a sign, single underscores between digits, and full-width digits are taken.
pub fn int(text: &str) -> Option<Int> {
    let text = strip(text);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut value = Some(0_i64);
    let mut after_digit = false;
    for c in digits.chars() {
        if c == '_' && after_digit {
            after_digit = false;
            continue;
        }
        let digit = i64::from(digit_value(c)?);
        let digit = if negative { -digit } else { digit };
        value = value.and_then(|v| v.checked_mul(10)).and_then(|v| v.checked_add(digit));
        after_digit = true;
    }
    after_digit.then(|| value.map_or(Int::Big, Int::Small))
}

fn digit_value(c: char) -> Option<u32> {
    c.to_digit(10).or_else(|| matches!(c, '０'..='９').then(|| u32::from(c) - u32::from('０')))
}

/// `int(value)` of a JSON number: the fraction is cut off; `None` where Python raises (infinity).
pub fn int_of_number(raw: &RawValue) -> Option<Int> {
    match Kind::of(raw) {
        Kind::Int => int(raw.get()),
        Kind::Null | Kind::Bool | Kind::Float | Kind::Str | Kind::List | Kind::Dict => {
            let whole = raw.get().parse::<f64>().ok().filter(|f| f.is_finite())?.trunc();
            // A whole float prints without exponent, so the integer's own parser decides whether it fits.
            int(&format!("{whole:.0}"))
        }
    }
}

/// `str(value)` of what `json.loads` makes of `raw`.
pub fn str_of(raw: &RawValue) -> Cow<'_, str> {
    match Kind::of(raw) {
        Kind::Str => Text::of(raw).map_or(Cow::Borrowed(""), Text::into_shown),
        Kind::Null | Kind::Bool | Kind::Int | Kind::Float | Kind::List | Kind::Dict => Cow::Owned(repr(raw)),
    }
}

/// `repr(value)` of what `json.loads` makes of `raw`.
pub fn repr(raw: &RawValue) -> String {
    let mut out = String::new();
    write_repr(&mut out, raw, 0);
    out
}

fn write_repr(out: &mut String, raw: &RawValue, depth: usize) {
    match Kind::of(raw) {
        Kind::Null => out.push_str("None"),
        Kind::Bool => out.push_str(if raw.get() == "true" { "True" } else { "False" }),
        Kind::Int => out.push_str(if raw.get() == "-0" { "0" } else { raw.get() }),
        Kind::Float => out.push_str(&float_repr(raw.get().parse().unwrap_or(f64::NAN))),
        Kind::Str => write_str_repr(out, &Text::of(raw).map_or(Cow::Borrowed(""), Text::into_shown)),
        Kind::List | Kind::Dict if depth >= REPR_DEPTH => out.push_str("..."),
        Kind::List => {
            let items: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
            write_items(out, ('[', ']'), &items, |out, item| write_repr(out, item, depth + 1));
        }
        Kind::Dict => {
            let entries = serde_json::from_str::<Entries<'_>>(raw.get()).map(|e| e.0).unwrap_or_default();
            write_items(out, ('{', '}'), &entries, |out, (key, value)| {
                write_str_repr(out, key);
                out.push_str(": ");
                write_repr(out, value, depth + 1);
            });
        }
    }
}

fn write_items<T>(out: &mut String, around: (char, char), items: &[T], mut write: impl FnMut(&mut String, &T)) {
    out.push(around.0);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write(out, item);
    }
    out.push(around.1);
}

/// `repr(float)`: the shortest digits that read back as the same number, an exponent below 1e-4 and from 1e16 on.
pub fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{value}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

fn write_str_repr(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            c => write_escape(out, u32::from(c)),
        }
    }
    out.push(quote);
}

fn is_printable(c: char) -> bool {
    c == ' ' || c == '"' || c == '\'' || !(c.is_control() || c.is_whitespace() || c.escape_debug().count() > 1)
}

fn write_escape(out: &mut String, code: u32) {
    // Writing to a String cannot fail.
    let written = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
    debug_assert!(written.is_ok());
}

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
                    match entries.iter_mut().find(|(seen, _)| *seen == key) {
                        Some(entry) => entry.1 = value,
                        None => entries.push((key, value)),
                    }
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Object(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn int_reads_what_python_reads() {
        for (text, expected) in [
            ("1", Some(Int::Small(1))),
            (" +1 ", Some(Int::Small(1))),
            ("-9223372036854775808", Some(Int::Small(i64::MIN))),
            ("9223372036854775808", Some(Int::Big)),
            ("1_0", Some(Int::Small(10))),
            ("1__0", None),
            ("_1", None),
            ("1_", None),
            ("１", Some(Int::Small(1))),
            ("1.0", None),
            ("0x1", None),
            ("", None),
            ("-", None),
            ("\u{1f}7\u{a0}", Some(Int::Small(7))),
        ] {
            assert_eq!(int(text), expected, "{text:?}");
        }
    }

    #[test]
    fn int_of_number_cuts_the_fraction() {
        for (json, expected) in [
            ("1.5", Some(Int::Small(1))),
            ("-1.5", Some(Int::Small(-1))),
            ("1e3", Some(Int::Small(1000))),
            ("1e22", Some(Int::Big)),
            ("1e400", None),
            ("99999999999999999999", Some(Int::Big)),
        ] {
            assert_eq!(int_of_number(raw(json)), expected, "{json}");
        }
    }

    // Each pair as CPython 3.11 prints `str(json.loads(...))`.
    #[test]
    fn str_is_pythons() {
        for (json, expected) in [
            ("5", "5"),
            ("-0", "0"),
            ("-0.0", "-0.0"),
            ("1.50", "1.5"),
            ("1e16", "1e+16"),
            ("123456789012345680000.0", "1.2345678901234568e+20"),
            ("1e-5", "1e-05"),
            ("0.0001", "0.0001"),
            ("9999999999999998.0", "9999999999999998.0"),
            ("5e-324", "5e-324"),
            ("1e400", "inf"),
            ("-1e400", "-inf"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("true", "True"),
            ("null", "None"),
            ("\"a'b\"", "a'b"),
            ("[\"a'b\", 1, null]", "[\"a'b\", 1, None]"),
            (r#"{"a":"\n\u00e9\u0001\"'","a":2,"b":{}}"#, "{'a': 2, 'b': {}}"),
            (r#"["\n\u00e9\u0001\"'\u200b\ud83d\ude00"]"#, "['\\né\\x01\"\\'\\u200b😀']"),
        ] {
            assert_eq!(str_of(raw(json)), expected, "{json}");
        }
    }

    #[test]
    fn a_lone_surrogate_is_found() {
        assert_eq!(
            Text::of(raw(r#""x\udfff\ud800 支""#)),
            Some(Text::Surrogates { first: 0xdfff, shown: "x\u{fffd}\u{fffd} 支".to_owned() })
        );
        assert_eq!(Text::of(raw(r#""\ud83d\ude00""#)), Some(Text::Plain("😀".into())));
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(repr(raw(&deep)).contains("[...]"));
    }
}
