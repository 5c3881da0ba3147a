//! What a [`LogFilter`] asks, as conditions on `core_log`: they let through the same logs as [`LogFilter::matches`] does.

use diesel::dsl::{not, sql};
use diesel::mysql::Mysql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use logmon_core::app::AppId;
use logmon_core::log::{AttributeIs, Comparison, Level, LogFilter, Term};

use super::schema::core_log;

pub(super) type Condition = Box<dyn BoxableExpression<core_log::table, Mysql, SqlType = Bool>>;

/// That a log is of one of these apps, and of one of these levels; none of either asks nothing.
pub(super) fn of_apps_and_levels(apps: &[AppId], levels: &[Level]) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = Vec::new();
    if !apps.is_empty() {
        conditions.push(Box::new(core_log::app_id.eq_any(apps.iter().map(|app| app.0).collect::<Vec<_>>())));
    }
    if !levels.is_empty() {
        conditions
            .push(Box::new(core_log::level.eq_any(levels.iter().map(|level| level.as_str()).collect::<Vec<_>>())));
    }
    conditions
}

/// What else a filter asks of a log.
pub(super) fn of_the_rest(filter: &LogFilter) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = Vec::new();
    if let Some(since) = filter.since {
        conditions.push(Box::new(core_log::created_at.ge(since.naive_utc())));
    }
    if let Some(until) = filter.until {
        conditions.push(Box::new(core_log::created_at.lt(until.naive_utc())));
    }
    if let Some(trace_id) = &filter.trace_id {
        conditions.push(Box::new(core_log::trace_id.eq(trace_id.clone()).assume_not_null()));
    }
    conditions.extend(filter.attributes.iter().map(has));
    for term in &filter.terms {
        conditions.push(if term.excluded { Box::new(not(contains(term))) } else { contains(term) });
    }
    conditions
}

/// Whether a message contains the text of a term.
fn contains(term: &Term) -> Condition {
    match term.comparison {
        Comparison::Folded => Box::new(core_log::message.like(literal(&term.text)).escape('!')),
        Comparison::Exact => Box::new(
            sql::<Bool>("INSTR(CAST(message AS BINARY), CAST(")
                .bind::<Text, _>(term.text.clone())
                .sql(" AS BINARY)) > 0"),
        ),
    }
}

/// A pattern in which every character of a text means itself.
fn literal(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Whether a log has an attribute with this value.
fn has(attribute: &AttributeIs) -> Condition {
    // The key has neither quotes nor backslashes.
    let path = format!("$.\"{}\"", attribute.key);
    let value = sql::<Bool>("COALESCE(JSON_TYPE(JSON_EXTRACT(attributes, ")
        .bind::<Text, _>(path.clone())
        .sql(")) NOT IN ('OBJECT', 'ARRAY') AND CAST(JSON_UNQUOTE(JSON_EXTRACT(attributes, ")
        .bind::<Text, _>(path)
        .sql(")) AS BINARY) = CAST(")
        .bind::<Text, _>(attribute.value.clone())
        .sql(" AS BINARY), FALSE)");
    Box::new(value)
}
