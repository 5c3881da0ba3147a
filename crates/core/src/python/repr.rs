//! `str()` and `repr()` of what `json.loads` makes of a JSON text.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use super::{Entries, Kind, Text};

/// How deep [`repr`] follows nested lists and objects; what lies deeper is shown as `...`.
const DEPTH_MAX: usize = 64;

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

/// `repr(text)` of a `str`.
pub fn repr_of_str(text: &str) -> String {
    let mut out = String::new();
    write_str_repr(&mut out, text);
    out
}

fn write_repr(out: &mut String, raw: &RawValue, depth: usize) {
    match Kind::of(raw) {
        Kind::Null => out.push_str("None"),
        Kind::Bool => out.push_str(if raw.get() == "true" { "True" } else { "False" }),
        Kind::Int => out.push_str(if raw.get() == "-0" { "0" } else { raw.get() }),
        Kind::Float => out.push_str(&float_repr(raw.get().parse().unwrap_or(f64::NAN))),
        Kind::Str => write_str_repr(out, &Text::of(raw).map_or(Cow::Borrowed(""), Text::into_shown)),
        Kind::List | Kind::Dict if depth >= DEPTH_MAX => out.push_str("..."),
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
    // Behind a letter, where a combining mark is nothing to be escaped.
    let escapes = |c: char| ['a', c].iter().collect::<String>().escape_debug().count() > 2;
    c == ' ' || c == '"' || c == '\'' || !(c.is_control() || c.is_whitespace() || escapes(c))
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
