//! Python's rules where a client can see them: `int()`, `str.strip()`, `str()` and `repr()` of what `json.loads` made.
//!
//! The original quotes a wrong value back in its errors, and Celery's headers carry the `repr` of a task's arguments.
//! JSON comes in as raw text, because a number that does not fit into 64 bits must come out as it went in.

mod json;
mod repr;
mod text;

pub use json::{Nan, strict_json};
pub use repr::{float_repr, repr, repr_of_str, str_of};
pub use text::{Entries, Text};

use serde_json::value::RawValue;

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
    fn an_object_has_so_many_keys_and_no_more() {
        let object = |keys: usize| {
            let entries: Vec<String> = (0..keys).map(|n| format!("\"{n}\":1")).collect();
            format!("{{{}}}", entries.join(","))
        };
        assert!(serde_json::from_str::<Entries<'_>>(&object(1_000)).is_ok());
        assert!(serde_json::from_str::<Entries<'_>>(&object(1_001)).is_err());
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(repr(raw(&deep)).contains("[...]"));
    }
}
