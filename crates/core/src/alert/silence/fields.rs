//! What a silence says, from the fields of a request.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::super::RuleId;
use super::{NewSilence, Recurrence, SilenceState, recurrence};
use crate::app::AppId;
use crate::field::{self, FieldErrors, FieldValue, Fields};
use crate::log::time_field;

const NAME_MAX: usize = 100;
const COMMENT_MAX: usize = 1_000;
/// How far ahead a silence may begin or end.
const AHEAD: TimeDelta = TimeDelta::days(3_660);

impl NewSilence {
    /// Checks the fields of a silence that is made at `now`: `created_by` and `comment` are required, and `ends_at` unless it
    /// is `recurring`. One that would have begun before begins now. `zone` is that of `recurring` where it names none.
    ///
    /// Whether the app and the rule exist is for the caller to find out.
    ///
    /// # Errors
    /// Every wrong field with its messages, in DRF's words.
    pub fn from_fields(fields: &Fields<'_>, now: DateTime<Utc>, zone: Tz) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let app = errors.take("app", key(fields.get("app"))).map(|app| app.map(AppId));
        let rule = errors.take("rule", key(fields.get("rule"))).map(|rule| rule.map(RuleId));
        let starts_at = errors
            .take("starts_at", time(fields.get("starts_at"), now))
            .map(|time| time.map_or(now, |time| time.max(now)));
        let ends_at = errors.take("ends_at", time(fields.get("ends_at"), now));
        let recurring = match fields.get("recurring") {
            None => Some(None),
            Some(value) => errors.merge(recurrence::from_field(value, zone)),
        };
        let created_by = errors.take("created_by", field::text(fields.get("created_by"), NAME_MAX));
        let comment = errors.take("comment", field::text(fields.get("comment"), COMMENT_MAX));
        if let (Some(starts_at), Some(ends_at), Some(recurring)) = (starts_at, ends_at, &recurring) {
            errors.take("ends_at", check_end(starts_at, ends_at, recurring.as_ref(), now));
        }
        let read = app.zip(rule).zip(starts_at).zip(ends_at).zip(recurring).zip(created_by).zip(comment);
        let Some(((((((app, rule), starts_at), ends_at), recurring), created_by), comment)) = read else {
            return Err(errors);
        };
        let (created_by, comment) = (created_by.into_owned(), comment.into_owned());
        errors.into_result(Self { app, rule, starts_at, ends_at, recurring, created_by, comment })
    }
}

/// What may be changed of a silence, and who changes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SilenceChange {
    ends_at: Option<Option<DateTime<Utc>>>,
    comment: Option<String>,
    /// Who, if they said so.
    pub by: Option<String>,
}

impl SilenceChange {
    /// Checks the fields `ends_at`, `comment` and `by`; each may be left out. The rest of a silence stays as it was made.
    ///
    /// # Errors
    /// Every wrong field with its messages, in DRF's words.
    pub fn from_fields(fields: &Fields<'_>, now: DateTime<Utc>) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        for name in ["app", "rule", "starts_at", "recurring", "created_by"] {
            if fields.get(name).is_some() {
                errors.add(name, vec!["It stays as it was made: end this silence, and make another.".to_owned()]);
            }
        }
        let ends_at = match fields.get("ends_at") {
            None => None,
            value => errors.take("ends_at", time(value, now)),
        };
        let comment = match fields.get("comment") {
            None => None,
            value => errors.take("comment", field::text(value, COMMENT_MAX)),
        };
        let by = errors.take("by", field::optional_text(fields.get("by"), NAME_MAX)).flatten();
        let (comment, by) = (comment.map(Cow::into_owned), by.map(Cow::into_owned));
        errors.into_result(Self { ends_at, comment, by })
    }

    /// What a silence says with it.
    ///
    /// # Errors
    /// When it could not end so.
    pub fn over(&self, kept: &NewSilence, now: DateTime<Utc>) -> Result<NewSilence, FieldErrors> {
        let mut changed = kept.clone();
        if let Some(ends_at) = self.ends_at {
            let mut errors = FieldErrors::default();
            errors.take("ends_at", check_end(kept.starts_at, ends_at, kept.recurring.as_ref(), now));
            errors.into_result(())?;
            changed.ends_at = ends_at;
        }
        if let Some(comment) = &self.comment {
            changed.comment.clone_from(comment);
        }
        Ok(changed)
    }
}

fn check_end(
    starts_at: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
    recurring: Option<&Recurrence>,
    now: DateTime<Utc>,
) -> Result<(), Vec<String>> {
    let one = |message: &str| Err(vec![message.to_owned()]);
    match ends_at {
        None if recurring.is_none() => return one("Required for a silence that does not recur."),
        Some(end) if end <= now => return one("It must not be over yet. DELETE ends a silence now."),
        Some(end) if end <= starts_at => return one("It must end after starts_at."),
        _ => {}
    }
    let says = NewSilence {
        app: None,
        rule: None,
        starts_at,
        ends_at,
        recurring: recurring.cloned(),
        created_by: String::new(),
        comment: String::new(),
    };
    match says.state(now) {
        SilenceState::Ended => one("None of its hours comes before it ends."),
        SilenceState::Active | SilenceState::Upcoming => Ok(()),
    }
}

fn key(value: Option<&FieldValue<'_>>) -> Result<Option<i64>, Vec<String>> {
    match value {
        None => Ok(None),
        Some(value) if field::is_null(value) => Ok(None),
        value => field::key(value).map(|key| Some(key.id)),
    }
}

fn time(value: Option<&FieldValue<'_>>, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Vec<String>> {
    match time_field(value)? {
        Some(time) if time > now + AHEAD => Err(vec!["Expected a time within the next ten years.".to_owned()]),
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::python::Entries;

    fn now() -> DateTime<Utc> {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn read(body: &Value) -> Result<NewSilence, Value> {
        let text = body.to_string();
        let entries: Entries<'_> = serde_json::from_str(&text).unwrap();
        NewSilence::from_fields(&entries.into(), now(), Tz::Asia__Shanghai)
            .map_err(|errors| serde_json::to_value(errors).unwrap())
    }

    fn change(kept: &NewSilence, body: &Value) -> Result<NewSilence, Value> {
        let text = body.to_string();
        let entries: Entries<'_> = serde_json::from_str(&text).unwrap();
        let changed = SilenceChange::from_fields(&entries.into(), now());
        changed.and_then(|change| change.over(kept, now())).map_err(|errors| serde_json::to_value(errors).unwrap())
    }

    fn good() -> Value {
        json!({"ends_at": "2026-11-24T14:00:00Z", "created_by": "li", "comment": "deploy"})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut body = good();
        body[name] = value;
        body
    }

    #[test]
    fn what_is_not_sent_is_for_all_and_begins_now() {
        let silence = read(&good()).unwrap();
        assert_eq!((silence.app, silence.rule, silence.starts_at), (None, None, now()));
        assert_eq!(read(&with("starts_at", json!("2026-11-24T11:00:00Z"))).unwrap().starts_at, now());
        let one =
            read(&json!({"app": 1, "rule": "2", "starts_at": 1_795_525_200, "ends_at": "2026-11-24T22:00:00+08:00",
            "created_by": " li ", "comment": "deploy"}));
        let one = one.unwrap();
        assert_eq!((one.app, one.rule, one.created_by.as_str()), (Some(AppId(1)), Some(RuleId(2)), "li"));
        assert_eq!(one.period(now()).unwrap().start.to_rfc3339(), "2026-11-24T13:00:00+00:00");
        let mut nights = with("recurring", json!({"weekdays": ["sat"], "from": "22:00", "to": "06:00"}));
        nights["ends_at"] = Value::Null;
        assert_eq!(read(&nights).unwrap().ends_at, None);
    }

    #[test]
    fn every_wrong_field_is_named() {
        let wrong =
            json!({"app": "x", "rule": true, "starts_at": "soon", "ends_at": 1e300, "recurring": [], "comment": " "});
        let errors = read(&wrong).unwrap_err();
        let names: Vec<_> = errors.as_object().unwrap().keys().collect();
        assert_eq!(names, ["app", "comment", "created_by", "ends_at", "recurring", "rule", "starts_at"]);
        let hours = |weekdays: Value| json!({"weekdays": weekdays, "from": "22:00", "to": "06:00"});
        let within = read(&with("recurring", hours(json!(["x"])))).unwrap_err();
        assert!(within["recurring"]["weekdays"].is_array(), "{within}");
        for (field, value, message) in [
            ("ends_at", Value::Null, "Required for a silence that does not recur."),
            ("ends_at", json!("2026-11-24T12:00:00Z"), "It must not be over yet. DELETE ends a silence now."),
            ("ends_at", json!("2126-11-24T12:00:00Z"), "Expected a time within the next ten years."),
            ("starts_at", json!("2026-11-24T15:00:00Z"), "It must end after starts_at."),
            ("recurring", hours(json!(["sun"])), "None of its hours comes before it ends."),
        ] {
            assert_eq!(read(&with(field, value)).unwrap_err(), json!({"ends_at": [message]}));
        }
    }

    #[test]
    fn only_the_end_and_the_comment_change() {
        let kept = read(&good()).unwrap();
        let changed =
            change(&kept, &json!({"ends_at": "2026-11-24T13:00:00Z", "comment": "longer", "by": "wang"})).unwrap();
        assert_eq!(
            (changed.ends_at.unwrap().to_rfc3339().as_str(), changed.comment.as_str()),
            ("2026-11-24T13:00:00+00:00", "longer")
        );
        assert_eq!(change(&kept, &json!({})).unwrap(), kept);
        for field in ["app", "rule", "starts_at", "recurring", "created_by"] {
            assert!(change(&kept, &json!({field: 1})).unwrap_err()[field].is_array(), "{field}");
        }
        for wrong in [json!({"ends_at": null}), json!({"ends_at": "2026-11-24T11:00:00Z"}), json!({"comment": ""})] {
            assert!(change(&kept, &wrong).is_err(), "{wrong}");
        }
    }
}
