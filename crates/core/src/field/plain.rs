//! Numbers and lists of keys.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use serde_json::value::RawValue;

use super::{FieldValue, NULL, key};
use crate::python::{self, Int, Kind};

/// DRF's `IntegerField` with a least and a greatest value: a number without a fraction, or text holding one.
///
/// # Errors
/// The messages for the field.
pub fn integer(value: &FieldValue<'_>, bounds: &RangeInclusive<i64>) -> Result<i64, Vec<String>> {
    let invalid = || vec!["A valid integer is required.".to_owned()];
    let text = match value {
        FieldValue::Json(raw) => match Kind::of(raw) {
            Kind::Null => return Err(vec![NULL.to_owned()]),
            Kind::Int | Kind::Float | Kind::Str => python::str_of(raw),
            Kind::Bool | Kind::List | Kind::Dict => return Err(invalid()),
        },
        FieldValue::Text(text) => Cow::Borrowed(text.as_ref()),
        FieldValue::File(_) => return Err(invalid()),
    };
    let whole = text.split_once('.').filter(|(_, rest)| rest.trim_end().bytes().all(|byte| byte == b'0'));
    let negative = text.trim_start().starts_with('-');
    let number = match python::int(whole.map_or(text.as_ref(), |(whole, _)| whole)).ok_or_else(invalid)? {
        Int::Small(number) => number,
        Int::Big if negative => i64::MIN,
        Int::Big => i64::MAX,
    };
    if number < *bounds.start() {
        return Err(vec![format!("Ensure this value is greater than or equal to {}.", bounds.start())]);
    }
    if number > *bounds.end() {
        return Err(vec![format!("Ensure this value is less than or equal to {}.", bounds.end())]);
    }
    Ok(number)
}

/// DRF's `PrimaryKeyRelatedField` with `many=True`: a list of at most `max` keys; in a form one key, or none.
///
/// # Errors
/// The messages for the field.
pub fn keys(value: &FieldValue<'_>, max: usize) -> Result<Vec<i64>, Vec<String>> {
    let not_a_list = |name: &str| vec![format!("Expected a list of items but got type \"{name}\".")];
    let raw = match value {
        FieldValue::Text(text) if text.is_empty() => return Ok(Vec::new()),
        FieldValue::Text(_) => return key(Some(value)).map(|key| vec![key.id]),
        FieldValue::File(_) => return Err(not_a_list("InMemoryUploadedFile")),
        FieldValue::Json(raw) => raw,
    };
    match Kind::of(raw) {
        Kind::Null => return Err(vec![NULL.to_owned()]),
        Kind::List => {}
        kind @ (Kind::Bool | Kind::Int | Kind::Float | Kind::Str | Kind::Dict) => {
            return Err(not_a_list(kind.type_name()));
        }
    }
    let items: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
    if items.len() > max {
        return Err(vec![format!("Ensure this field has no more than {max} elements.")]);
    }
    items.into_iter().map(|item| key(Some(&FieldValue::Json(item))).map(|key| key.id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> FieldValue<'_> {
        FieldValue::Json(serde_json::from_str(json).unwrap())
    }

    // As DRF 3.18 answers.
    #[test]
    fn numbers_are_drfs() {
        let bounds = 0..=100;
        for (json, expected) in [
            ("7", Ok(7)),
            ("\" 7 \"", Ok(7)),
            ("7.0", Ok(7)),
            ("7.5", Err("A valid integer is required.")),
            ("true", Err("A valid integer is required.")),
            ("[7]", Err("A valid integer is required.")),
            ("\"\"", Err("A valid integer is required.")),
            ("null", Err(NULL)),
            ("-1", Err("Ensure this value is greater than or equal to 0.")),
            ("-99999999999999999999", Err("Ensure this value is greater than or equal to 0.")),
            ("99999999999999999999", Err("Ensure this value is less than or equal to 100.")),
        ] {
            assert_eq!(integer(&raw(json), &bounds), expected.map_err(|e| vec![e.to_owned()]), "{json}");
        }
    }

    #[test]
    fn lists_of_keys_are_bounded() {
        assert_eq!(keys(&raw("[1, \"2\"]"), 2), Ok(vec![1, 2]));
        assert_eq!(keys(&raw("[1,2,3]"), 2), Err(vec!["Ensure this field has no more than 2 elements.".to_owned()]));
        assert_eq!(keys(&raw("\"1\""), 2), Err(vec!["Expected a list of items but got type \"str\".".to_owned()]));
        assert_eq!(keys(&FieldValue::Text("".into()), 2), Ok(Vec::new()));
        assert_eq!(keys(&FieldValue::Text("5".into()), 2), Ok(vec![5]));
        assert!(keys(&raw("[\"x\"]"), 2).is_err());
    }
}
