//! Which logs are wanted: as a query says it, and whether a log in memory is one of them.
//!
//! The store finds the same logs in the table; a test there compares the two.

mod fold;
mod moment;
mod parse;
mod term;

use std::cell::OnceCell;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{Level, Log, timestamp};
use crate::app::AppId;
use crate::page::Fingerprint;

use fold::Folded;
pub use moment::parse as moment;
pub use term::Term;

/// Which logs are wanted; an empty list means any. Every condition must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Only of these apps, in order and each once.
    pub apps: Vec<AppId>,
    /// Only of these levels, in order and each once.
    pub levels: Vec<Level>,
    /// Only those from this moment on.
    pub since: Option<DateTime<Utc>>,
    /// Only those before this moment.
    pub until: Option<DateTime<Utc>>,
    /// What the message must contain, and what it must not.
    pub terms: Vec<Term>,
    /// What the attributes must say.
    pub attributes: Vec<AttributeIs>,
    /// Only of this trace.
    pub trace_id: Option<String>,
}

/// An attribute has a value: text that is equal, or a number, `true`, `false` or `null` that is written so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeIs {
    /// The attribute's whole name; a dot in it is a dot.
    pub key: String,
    /// The value's text.
    pub value: String,
}

/// The order of a list of logs, by (`created_at`, `id`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first: `desc`.
    #[default]
    NewestFirst,
    /// The oldest first: `asc`.
    OldestFirst,
}

/// A log that filters are asked about: what they look for in its text is made once, when the first of them does.
#[derive(Debug)]
pub struct Candidate<'a> {
    log: &'a Log,
    message: OnceCell<Folded>,
    attributes: OnceCell<Option<Map<String, Value>>>,
}

impl<'a> Candidate<'a> {
    /// This log.
    pub fn new(log: &'a Log) -> Self {
        Self { log, message: OnceCell::new(), attributes: OnceCell::new() }
    }

    fn folded(&self) -> &Folded {
        self.message.get_or_init(|| Folded::new(&self.log.message))
    }

    fn attribute(&self, key: &str) -> Option<&Value> {
        let parse = || serde_json::from_str(self.log.extra.attributes.as_ref()?.as_str()).ok();
        self.attributes.get_or_init(parse).as_ref()?.get(key)
    }
}

impl LogFilter {
    /// Whether a log is wanted.
    pub fn matches(&self, log: &Log) -> bool {
        self.lets_through(&Candidate::new(log))
    }

    /// The same of a log that several filters are asked about.
    pub fn lets_through(&self, candidate: &Candidate<'_>) -> bool {
        let log = candidate.log;
        let level = || Level::from_filter(&log.level).is_some_and(|level| self.levels.contains(&level));
        (self.apps.is_empty() || self.apps.contains(&log.app))
            && (self.levels.is_empty() || level())
            && self.since.is_none_or(|since| since <= log.created_at)
            && self.until.is_none_or(|until| log.created_at < until)
            && self
                .trace_id
                .as_deref()
                .is_none_or(|wanted| log.extra.trace_id.as_ref().is_some_and(|trace_id| trace_id.as_str() == wanted))
            && self.attributes.iter().all(|attribute| attribute.is(candidate.attribute(&attribute.key)))
            && self.terms.iter().all(|term| term.holds(candidate.folded()))
    }

    /// Whether the text of the logs has to be read to find those that are wanted: no index knows it.
    pub fn reads_text(&self) -> bool {
        !self.terms.is_empty() || !self.attributes.is_empty() || self.trace_id.is_some()
    }

    /// What tells this filter, in this order, from every other one.
    pub fn fingerprint(&self, order: Order) -> Fingerprint {
        let hash: [u8; 32] = Sha256::digest(format!("{self:?} {order:?}")).into();
        let [a, b, c, d, e, f, g, h, ..] = hash;
        [a, b, c, d, e, f, g, h]
    }
}

impl AttributeIs {
    fn is(&self, found: Option<&Value>) -> bool {
        match found {
            None | Some(Value::Object(_) | Value::Array(_)) => false,
            Some(Value::String(text)) => *text == self.value,
            Some(Value::Null) => self.value == "null",
            Some(Value::Bool(value)) => self.value == if *value { "true" } else { "false" },
            Some(Value::Number(number)) => self.value == number.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
