//! What people put in the place of our words: Jinja templates, filled in with the event.

use minijinja::{Environment, UndefinedBehavior};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::event::Notification;
use super::message::{Message, one_line};
use crate::field::{self, FieldErrors, Fields};

/// The template of a channel's messages, in the language of Jinja. It is filled in with the fields of the event as a
/// webhook gets it, and with `title` and `text`, which are our own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// The title; our own when it is left out.
    #[serde(default)]
    pub title: Option<String>,
    /// The text; our own when it is left out.
    #[serde(default)]
    pub text: Option<String>,
}

/// A template cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the template's {field}: {message}")]
pub struct TemplateError {
    /// Which part of it: `title` or `text`.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
}

/// The longest template, in characters.
const TEMPLATE_MAX: usize = 10_000;
/// How many steps a template may take: enough for any message, and a moment's work.
const FUEL: u64 = 20_000;
/// The longest text that a template may make, in bytes.
const OUTPUT_MAX: usize = 32_768;

impl Template {
    /// As it is stored.
    ///
    /// # Errors
    /// None that its fields could cause.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Reads a template, and tries whether it can be read as one.
    ///
    /// # Errors
    /// What is wrong with either part.
    pub fn from_fields(fields: &Fields<'_>) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut part = |name: &'static str| -> Option<String> {
            let text = errors.take(name, field::optional_text(fields.get(name), TEMPLATE_MAX))??.into_owned();
            match environment().template_from_str(&text) {
                Ok(_) => Some(text),
                Err(error) => {
                    errors.add(name, vec![sentence(&error, &text)]);
                    None
                }
            }
        };
        let (title, text) = (part("title"), part("text"));
        errors.into_result(Self { title, text })
    }

    /// The message in the template's words; `own` is the one in ours, whose link stays.
    ///
    /// # Errors
    /// When the template asks for something that is not there, or takes too long.
    pub(super) fn fill(&self, event: &Notification, own: Message) -> Result<Message, TemplateError> {
        #[derive(Serialize)]
        struct Values<'a> {
            title: &'a str,
            text: &'a str,
            #[serde(flatten)]
            event: &'a Notification,
        }
        let text = own.lines.join("\n");
        let values = Values { title: &own.title, text: &text, event };
        let fill = |field, template: &Option<String>| {
            let Some(template) = template else { return Ok(None) };
            render(template, &values).map(Some).map_err(|message| TemplateError { field, message })
        };
        let title = fill("title", &self.title)?.map(|title| one_line(title.trim()));
        let lines = fill("text", &self.text)?.map(|text| text.lines().map(str::to_owned).collect());
        Ok(Message {
            title: title.unwrap_or_else(|| own.title.clone()),
            lines: lines.unwrap_or_else(|| own.lines.clone()),
            link: own.link,
        })
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment
}

fn render(text: &str, values: &impl Serialize) -> Result<String, String> {
    let environment = environment();
    let template = environment.template_from_str(text).map_err(|e| sentence(&e, text))?;
    let values = minijinja::Value::from(minijinja::value::Serde(values));
    let mut output = Bounded(Vec::new());
    template.render_captured_to(values, &mut output).map_err(|e| sentence(&e, text))?;
    Ok(String::from_utf8_lossy(&output.0).into_owned())
}

/// A text that does not grow without end.
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > OUTPUT_MAX {
            return Err(std::io::Error::other(format!("it makes more than {OUTPUT_MAX} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is wrong, and where in the template.
fn sentence(error: &minijinja::Error, template: &str) -> String {
    let place = match (error.line(), error.range().and_then(|range| template.get(..range.start))) {
        (Some(line), Some(before)) => {
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            format!(" in line {line}, column {column}")
        }
        (Some(line), None) => format!(" in line {line}"),
        (None, _) => String::new(),
    };
    match error.detail() {
        Some(detail) => format!("{}{place}: {detail}", error.kind()),
        None => format!("{}{place}", error.kind()),
    }
}
