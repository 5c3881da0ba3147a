//! What a log is made from: the three fields of the original's serializer, and those that a record may also carry.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::{Arrival, Attributes, EventId, Extra, Level, Record, SpanId, TraceId, timestamp};
use crate::app::AppId;
use crate::field::{self, FieldErrors, Fields, Key};

/// A log that is right and not yet stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLog {
    /// The app that it belongs to.
    pub app: AppId,
    /// How serious it is.
    pub level: Level,
    /// What happened: trimmed, not blank.
    pub message: String,
    /// By which its sender knows it.
    pub event_id: Option<EventId>,
    /// When it happened, where its sender says so.
    pub timestamp: Option<DateTime<Utc>>,
    /// What its sender knows of it beside the message.
    pub attributes: Option<Attributes>,
    /// The trace that it belongs to.
    pub trace_id: Option<TraceId>,
    /// The span that it belongs to.
    pub span_id: Option<SpanId>,
}

impl NewLog {
    /// What is stored of it: under its own time where it has one, else under that of its arrival.
    pub fn arrived(self, arrival: &Arrival) -> Record {
        let Self { app, level, message, event_id, timestamp, attributes, trace_id, span_id } = self;
        let placed = arrival.place(timestamp);
        let extra = Extra {
            attributes,
            trace_id,
            span_id,
            received_at: (placed.created_at != arrival.at).then_some(arrival.at),
            timestamp_clamped: placed.clamped,
        };
        let extra = (extra != Extra::default()).then(|| Box::new(extra));
        Record { app, level, message, created_at: placed.created_at, event_id, extra }
    }
}

/// A log whose fields were looked at, but of whose app nobody has asked whether it exists.
#[derive(Debug)]
pub struct Draft {
    app: Result<Key, Vec<String>>,
    level: Result<Level, Vec<String>>,
    message: Result<String, Vec<String>>,
    event_id: Result<Option<EventId>, Vec<String>>,
    timestamp: Result<Option<DateTime<Utc>>, Vec<String>>,
    attributes: Result<Option<Attributes>, Vec<String>>,
    trace_id: Result<Option<TraceId>, Vec<String>>,
    span_id: Result<Option<SpanId>, Vec<String>>,
}

impl Draft {
    /// Looks at `app`, `level`, `message` and what a record may also carry; other fields are left alone.
    pub fn from_fields(fields: &Fields<'_>) -> Self {
        let event_id = field::optional_text(fields.get("event_id"), EventId::MAX_CHARS);
        let trace_id = field::optional_text(fields.get("trace_id"), TraceId::MAX_CHARS);
        let span_id = field::optional_text(fields.get("span_id"), SpanId::MAX_CHARS);
        Self {
            app: field::key(fields.get("app")),
            level: field::choice(fields.get("level"), Level::from_name),
            message: field::text(fields.get("message"), usize::MAX).map(Cow::into_owned),
            event_id: event_id.map(|id| id.map(|text| EventId::new(&text))),
            timestamp: timestamp::from_field(fields.get("timestamp")),
            attributes: Attributes::from_field(fields.get("attributes")),
            trace_id: trace_id.map(|id| id.map(|text| TraceId::new(&text))),
            span_id: span_id.map(|id| id.map(|text| SpanId::new(&text))),
        }
    }

    /// The app that it names, whether or not it exists: what has to be looked up before [`Draft::resolve`].
    pub fn app(&self) -> Option<AppId> {
        self.app.as_ref().ok().map(|key| AppId(key.id))
    }

    /// The log, if all of it is right. Which apps there are is for `is_known` to say.
    ///
    /// # Errors
    /// Every wrong field with its messages, in DRF's words.
    pub fn resolve(self, is_known: impl Fn(AppId) -> bool) -> Result<NewLog, FieldErrors> {
        let app = self.app.and_then(|key| if is_known(AppId(key.id)) { Ok(AppId(key.id)) } else { Err(key.missing()) });
        let mut errors = FieldErrors::default();
        let level = errors.take("level", self.level);
        let message = errors.take("message", self.message);
        let app = errors.take("app", app);
        let event_id = errors.take("event_id", self.event_id).flatten();
        let timestamp = errors.take("timestamp", self.timestamp).flatten();
        let attributes = errors.take("attributes", self.attributes).flatten();
        let trace_id = errors.take("trace_id", self.trace_id).flatten();
        let span_id = errors.take("span_id", self.span_id).flatten();
        match (app, level, message) {
            (Some(app), Some(level), Some(message)) => {
                errors.into_result(NewLog { app, level, message, event_id, timestamp, attributes, trace_id, span_id })
            }
            _ => Err(errors),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<NewLog, String> {
        let entries: crate::python::Entries<'_> = serde_json::from_str(json).unwrap();
        let draft = Draft::from_fields(&entries.into());
        draft.resolve(|app| app == AppId(1)).map_err(|e| serde_json::to_string(&e).unwrap())
    }

    #[test]
    fn a_right_record_is_trimmed() {
        assert_eq!(
            check(r#"{"app":"1","level":"WARN","message":" two  words\n","extra":[1]}"#),
            Ok(NewLog {
                app: AppId(1),
                level: Level::Warn,
                message: "two  words".to_owned(),
                event_id: None,
                timestamp: None,
                attributes: None,
                trace_id: None,
                span_id: None,
            })
        );
    }

    #[test]
    fn an_event_id_is_text_as_any_other_or_missing() {
        let with =
            |event_id: &str| check(&format!(r#"{{"app":1,"level":"INFO","message":"m","event_id":{event_id}}}"#));
        let id = |json: &str| with(json).map(|log| log.event_id.map(|id| id.as_str().to_owned()));
        let longest = "支".repeat(EventId::MAX_CHARS);
        for (json, expected) in [("null", None), ("\" a-1\\n\"", Some("a-1")), ("7", Some("7")), ("1.50", Some("1.5"))]
        {
            assert_eq!(id(json), Ok(expected.map(str::to_owned)), "{json}");
        }
        assert_eq!(id(&format!("\"{longest}\"")), Ok(Some(longest.clone())));
        for (json, message) in [
            ("true", "Not a valid string."),
            ("[1]", "Not a valid string."),
            ("\"\"", "This field may not be blank."),
            ("\"  \"", "This field may not be blank."),
            ("\"a\\u0000\"", "Null characters are not allowed."),
            (&format!("\"{longest}x\""), "Ensure this field has no more than 255 characters."),
        ] {
            assert_eq!(with(json).unwrap_err(), format!(r#"{{"event_id":["{message}"]}}"#), "{json}");
        }
        let mut form = Fields::default();
        for (name, value) in [("app", "1"), ("level", "INFO"), ("message", "m"), ("event_id", "")] {
            form.set(name, field::FieldValue::Text(value.into()));
        }
        assert_eq!(Draft::from_fields(&form).resolve(|_| true).unwrap().event_id, None, "an empty field of a form");
    }

    #[test]
    fn an_app_that_is_missing_is_quoted_as_it_was_written() {
        for (written, shown) in [
            ("9", "9"),
            ("\" 09\"", " 09"),
            ("9.0", "9.0"),
            ("-0", "0"),
            ("99999999999999999999", "99999999999999999999"),
        ] {
            let json = format!(r#"{{"app":{written},"level":"INFO","message":"m"}}"#);
            let expected = format!(r#"{{"app":["Invalid pk \"{shown}\" - object does not exist."]}}"#);
            assert_eq!(check(&json).unwrap_err(), expected);
        }
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        assert_eq!(
            check(r#"{"app":9999,"level":"FATAL","message":"\u0000\ud800"}"#).unwrap_err(),
            r#"{"level":["\"FATAL\" is not a valid choice."],"message":["Null characters are not allowed.","Surrogate characters are not allowed: U+D800."],"app":["Invalid pk \"9999\" - object does not exist."]}"#
        );
        assert_eq!(
            check("{}").unwrap_err(),
            r#"{"level":["This field is required."],"message":["This field is required."],"app":["This field is required."]}"#
        );
    }
}
