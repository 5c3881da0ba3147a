//! A filter as the parameters of a URL say it.

use chrono::{DateTime, Utc};

use super::{AttributeIs, LogFilter, Order, Term, moment};
use crate::app::AppId;
use crate::field::FieldErrors;
use crate::log::Level;

/// How many characters the search text may have.
const TEXT_MAX: usize = 256;
/// How many words and phrases it may have.
const TERMS_MAX: usize = 16;
/// How many attributes may be asked for at once.
const ATTRIBUTES_MAX: usize = 8;
/// How many characters the name of an attribute may have, and its value.
const ATTRIBUTE_MAX: usize = 256;
/// What the parameter of an attribute begins with.
const ATTRIBUTE: &str = "attr.";

impl LogFilter {
    /// Reads the parameters `app`, `level` (both may repeat), `since`, `until`, `q`, `attr.KEY`, `trace_id` and `order`.
    ///
    /// An empty value is as none; of one that may not repeat the last counts; parameters of another name do not concern
    /// it.
    ///
    /// # Errors
    /// Every wrong parameter, with what was expected.
    pub fn from_query(query: &[(String, String)], now: DateTime<Utc>) -> Result<(Self, Order), FieldErrors> {
        let all = |name: &'static str| {
            query.iter().filter(move |(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
        };
        let last = |name| all(name).next_back();
        let mut errors = FieldErrors::default();
        let filter = Self {
            apps: errors.take("app", AppId::from_query(all("app"))).unwrap_or_default(),
            levels: errors.take("level", levels(all("level"))).unwrap_or_default(),
            since: errors.take("since", time(last("since"), now)).flatten(),
            until: errors.take("until", time(last("until"), now)).flatten(),
            terms: errors.take("q", Term::from_text(last("q").unwrap_or_default())).unwrap_or_default(),
            attributes: attributes(query, &mut errors),
            trace_id: errors.take("trace_id", trace_id(last("trace_id"))).flatten(),
        };
        let order = errors.take("order", order(last("order"))).unwrap_or_default();
        if filter.since.zip(filter.until).is_some_and(|(since, until)| since > until) {
            errors.add("since", vec!["Expected a time before that of until.".to_owned()]);
        }
        errors.into_result((filter, order))
    }
}

fn levels<'a>(values: impl Iterator<Item = &'a str>) -> Result<Vec<Level>, Vec<String>> {
    let level = |text: &str| {
        Level::from_filter(text).ok_or_else(|| vec![format!("\"{text}\" is not a valid choice: INFO, WARN or ERROR.")])
    };
    let mut levels = values.map(level).collect::<Result<Vec<_>, _>>()?;
    levels.sort_unstable();
    levels.dedup();
    Ok(levels)
}

fn time(text: Option<&str>, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Vec<String>> {
    let Some(text) = text else { return Ok(None) };
    moment::parse(text, now).map(Some).ok_or_else(|| vec![moment::EXPECTED.to_owned()])
}

impl Term {
    /// Reads a search text, as the parameter `q` has it.
    ///
    /// # Errors
    /// The messages for the parameter.
    pub fn from_text(text: &str) -> Result<Vec<Self>, Vec<String>> {
        if text.chars().count() > TEXT_MAX {
            return Err(vec![format!("Ensure this has no more than {TEXT_MAX} characters.")]);
        }
        let terms = Self::parse(text);
        if terms.len() > TERMS_MAX {
            return Err(vec![format!("Ensure this has no more than {TERMS_MAX} words and phrases.")]);
        }
        Ok(terms)
    }
}

fn attributes(query: &[(String, String)], errors: &mut FieldErrors) -> Vec<AttributeIs> {
    let mut attributes = Vec::new();
    for (name, value) in query {
        let Some(key) = name.strip_prefix(ATTRIBUTE) else { continue };
        // A path of JSON would need them escaped, which not every database reads alike.
        let odd = |c: char| c.is_control() || matches!(c, '"' | '\\');
        let bounds = 1..=ATTRIBUTE_MAX;
        if !bounds.contains(&key.chars().count()) || key.contains(odd) || value.chars().count() > ATTRIBUTE_MAX {
            let expected =
                "Expected attr.KEY=VALUE: a key without quotes and backslashes, each of at most 256 characters.";
            errors.add(name.clone(), vec![expected.to_owned()]);
        } else if attributes.len() == ATTRIBUTES_MAX {
            errors.add(name.clone(), vec![format!("At most {ATTRIBUTES_MAX} attributes can be asked for at once.")]);
            break;
        } else {
            attributes.push(AttributeIs { key: key.to_owned(), value: value.clone() });
        }
    }
    attributes
}

fn trace_id(text: Option<&str>) -> Result<Option<String>, Vec<String>> {
    let max = crate::log::TraceId::MAX_CHARS;
    match text.map(str::trim) {
        Some(text) if text.chars().count() > max => {
            Err(vec![format!("Ensure this has no more than {max} characters.")])
        }
        text => Ok(text.filter(|text| !text.is_empty()).map(str::to_owned)),
    }
}

fn order(text: Option<&str>) -> Result<Order, Vec<String>> {
    match text {
        None => Ok(Order::NewestFirst),
        Some(text) if text.eq_ignore_ascii_case("desc") => Ok(Order::NewestFirst),
        Some(text) if text.eq_ignore_ascii_case("asc") => Ok(Order::OldestFirst),
        Some(text) => Err(vec![format!("\"{text}\" is not a valid choice: desc or asc.")]),
    }
}
