//! What people do with alerts, and which ones they look at.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::{AlertId, AlertState, RuleId, Severity};
use crate::app::AppId;
use crate::field::{self, FieldErrors, FieldValue, Fields};

/// How long a name may be, in characters.
const NAME_MAX: usize = 100;
/// How long a note may be, in characters.
const NOTE_MAX: usize = 1_000;
/// How long a text to look for may be, in characters.
const TEXT_MAX: usize = 256;
/// How many alerts may be named at once.
const IDS_MAX: usize = 1_000;

/// What somebody does with an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertChange {
    /// They look after it.
    Acknowledge,
    /// It is not over after all.
    Reopen,
    /// It is somebody's now, or nobody's.
    Assign(Option<String>),
}

/// Who says what to a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Who, as they call themselves.
    pub by: Option<String>,
    /// Why, or anything else.
    pub note: Option<String>,
}

impl Said {
    /// Checks the fields `by` (up to 100 characters) and `note` (up to 1,000), both optional.
    ///
    /// # Errors
    /// Every wrong field with its messages, in DRF's words.
    pub fn from_fields(fields: &Fields<'_>) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let by = errors.take("by", field::optional_text(fields.get("by"), NAME_MAX)).flatten();
        let note = errors.take("note", field::optional_text(fields.get("note"), NOTE_MAX)).flatten();
        errors.into_result(Self { by: by.map(Cow::into_owned), note: note.map(Cow::into_owned) })
    }
}

/// Checks the field `to`: a name of up to 100 characters, or null for nobody.
///
/// # Errors
/// The messages for the field.
pub fn assignee(fields: &Fields<'_>) -> Result<Option<String>, FieldErrors> {
    let value = fields.get("to").ok_or_else(|| FieldErrors::one("to", field::REQUIRED))?;
    let mut errors = FieldErrors::default();
    let to = errors.take("to", field::optional_text(Some(value), NAME_MAX)).flatten();
    errors.into_result(to.map(Cow::into_owned))
}

/// Which alerts are wanted; an empty list means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// Only in these states.
    pub states: Vec<AlertState>,
    /// Only of these apps.
    pub apps: Vec<AppId>,
    /// Only of these rules.
    pub rules: Vec<RuleId>,
    /// Only of these severities.
    pub severities: Vec<Severity>,
    /// Only assigned to this person.
    pub assigned_to: Option<String>,
    /// Only those that are under a silence, or are not.
    pub silenced: Option<Silenced>,
    /// Only those whose words contain this: their sentence, rule, note, or messages.
    pub text: Option<String>,
    /// Only those raised from this moment on.
    pub since: Option<DateTime<Utc>>,
    /// Only those raised before this moment.
    pub until: Option<DateTime<Utc>>,
}

/// Whether a silence keeps people from being told of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silenced {
    /// One does.
    Yes,
    /// None does.
    No,
}

impl AlertFilter {
    /// Reads the values of a list's parameters, given by their names. Without `state` those that are not resolved are wanted.
    ///
    /// # Errors
    /// Every wrong parameter, with what was expected.
    pub fn from_query<'a>(
        all: impl Fn(&'static str) -> Vec<&'a str>,
        time: impl Fn(&str) -> Option<DateTime<Utc>>,
    ) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let states = all("state").into_iter().map(|name| {
            AlertState::from_name(name)
                .ok_or_else(|| vec![format!("\"{name}\" is not a valid choice: open, acknowledged or resolved.")])
        });
        let states = errors.take("state", states.collect::<Result<Vec<_>, _>>()).unwrap_or_default();
        let severities = all("severity").into_iter().map(|name| {
            Severity::from_name(name)
                .ok_or_else(|| vec![format!("\"{name}\" is not a valid choice: info, warning or critical.")])
        });
        let severities = errors.take("severity", severities.collect::<Result<Vec<_>, _>>()).unwrap_or_default();
        let apps = errors.take("app", AppId::from_query(all("app").into_iter())).unwrap_or_default();
        let rules = errors.take("rule", field::ids(all("rule"), "a rule", RuleId)).unwrap_or_default();
        let mut moment = |name| {
            let text = all(name).pop()?;
            let expected = "Expected a time such as 2026-11-23T04:00:27Z, or now-90m.".to_owned();
            errors.take(name, time(text).ok_or_else(|| vec![expected]))
        };
        let (since, until) = (moment("since"), moment("until"));
        let assigned_to = all("assigned_to").pop().map(str::to_owned);
        let silenced = match all("silenced").pop() {
            None => Ok(None),
            Some("true") => Ok(Some(Silenced::Yes)),
            Some("false") => Ok(Some(Silenced::No)),
            Some(other) => Err(vec![format!("\"{other}\" is not a valid choice: true or false.")]),
        };
        let silenced = errors.take("silenced", silenced).flatten();
        let text = match all("q").pop().map(str::trim) {
            None | Some("") => Ok(None),
            Some(text) if text.chars().count() > TEXT_MAX => {
                Err(vec![format!("Expected at most {TEXT_MAX} characters.")])
            }
            Some(text) => Ok(Some(text.to_owned())),
        };
        let text = errors.take("q", text).flatten();
        let states = if states.is_empty() { vec![AlertState::Open, AlertState::Acknowledged] } else { states };
        errors.into_result(Self { states, apps, rules, severities, assigned_to, silenced, text, since, until })
    }
}

/// Which alerts are resolved together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// These.
    Ids(Vec<AlertId>),
    /// Those that a filter lets through, of which there are expected to be so many.
    Filter(AlertFilter, u64),
}

impl Chosen {
    /// Checks the fields `ids`, or `filter` (with `app`, `rule`, `severity`, each one value or a list) and `expected`.
    ///
    /// # Errors
    /// Every wrong field with its messages, in DRF's words.
    pub fn from_fields(fields: &Fields<'_>) -> Result<Self, FieldErrors> {
        match (fields.get("ids"), fields.get("filter")) {
            (Some(ids), None) => {
                let mut errors = FieldErrors::default();
                let ids = errors.take("ids", field::keys(ids, IDS_MAX)).unwrap_or_default();
                errors.into_result(Self::Ids(ids.into_iter().map(AlertId).collect()))
            }
            (None, Some(filter)) => {
                let mut errors = FieldErrors::default();
                let filter = errors.take("filter", read_filter(filter));
                let expected = fields.get("expected").ok_or_else(|| vec![field::REQUIRED.to_owned()]);
                let expected =
                    errors.take("expected", expected.and_then(|value| field::integer(value, &(0..=1_000_000))));
                match (filter, expected) {
                    (Some(filter), Some(expected)) => {
                        errors.into_result(Self::Filter(filter, u64::try_from(expected).unwrap_or(0)))
                    }
                    _ => Err(errors),
                }
            }
            _ => Err(FieldErrors::non_field("Expected either ids, or filter and expected.")),
        }
    }
}

fn read_filter(value: &FieldValue<'_>) -> Result<AlertFilter, Vec<String>> {
    const EXPECTED: &str = "Expected an object with app, rule and severity, each one value or a list.";
    let FieldValue::Json(raw) = value else { return Err(vec![EXPECTED.to_owned()]) };
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(raw.get()).map_err(|_wrong| vec![EXPECTED.to_owned()])?;
    if object.keys().any(|key| !["app", "rule", "severity"].contains(&key.as_str())) {
        return Err(vec![EXPECTED.to_owned()]);
    }
    let values = |name: &str| -> Vec<String> {
        let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match object.get(name) {
            None | Some(serde_json::Value::Null) => Vec::new(),
            Some(serde_json::Value::Array(list)) => list.iter().map(text).collect(),
            Some(value) => vec![text(value)],
        }
    };
    let texts = [("app", values("app")), ("rule", values("rule")), ("severity", values("severity"))];
    let all = |name: &'static str| -> Vec<&str> {
        let found = texts.iter().filter(|(given, _)| *given == name);
        found.flat_map(|(_, values)| values.iter().map(String::as_str)).collect()
    };
    AlertFilter::from_query(all, |_| None).map_err(|errors| vec![serde_json::to_string(&errors).unwrap_or_default()])
}

/// Whether so many are about as many as were expected: within a tenth.
pub fn is_about(expected: u64, found: u64) -> bool {
    expected.abs_diff(found).saturating_mul(10) <= expected
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::python::Entries;

    fn chosen(body: &serde_json::Value) -> Result<Chosen, serde_json::Value> {
        let text = body.to_string();
        let entries: Entries<'_> = serde_json::from_str(&text).unwrap();
        Chosen::from_fields(&entries.into()).map_err(|errors| serde_json::to_value(errors).unwrap())
    }

    #[test]
    fn what_is_resolved_together_is_named_or_filtered() {
        assert_eq!(chosen(&json!({"ids": [1, "2"]})), Ok(Chosen::Ids(vec![AlertId(1), AlertId(2)])));
        let Ok(Chosen::Filter(filter, 5)) = chosen(&json!({"filter": {"app": [7], "severity": "info"}, "expected": 5}))
        else {
            panic!("no filter")
        };
        assert_eq!((filter.apps, filter.severities), (vec![AppId(7)], vec![Severity::Info]));
        for wrong in [
            json!({}),
            json!({"ids": [1], "filter": {}}),
            json!({"filter": {}}),
            json!({"filter": {"text": "x"}, "expected": 1}),
            json!({"filter": {"app": "x"}, "expected": 1}),
            json!({"filter": [], "expected": 1}),
            json!({"ids": "1"}),
        ] {
            assert!(chosen(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_tenth_more_or_less_is_about_as_many() {
        for (expected, found, is) in
            [(240, 264, true), (240, 265, false), (240, 216, true), (0, 0, true), (0, 1, false), (5, 4, false)]
        {
            assert_eq!(is_about(expected, found), is, "{expected} {found}");
        }
    }
}
