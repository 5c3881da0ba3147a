//! What a [`LogFilter`] asks, as conditions on `core_log`: they let through the same logs as [`LogFilter::matches`] does.

use diesel::dsl::{not, sql};
use diesel::mysql::Mysql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use logmon_core::app::AppId;
use logmon_core::log::{AttributeIs, Level, LogFilter};

use super::super::schema::core_log;
use super::text::contains;

pub(super) type Condition = Box<dyn BoxableExpression<core_log::table, Mysql, SqlType = Bool>>;

/// That a log is of one of these apps, and of one of these levels; none of either asks nothing.
///
/// With an app every level is named: so the index gives the range of each, and every way finds the same where another
/// program has stored a level of its own.
pub(super) fn of_apps_and_levels(apps: &[AppId], levels: &[Level]) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = Vec::new();
    if !apps.is_empty() {
        conditions.push(Box::new(core_log::app_id.eq_any(apps.iter().map(|app| app.0).collect::<Vec<_>>())));
    }
    let levels = if apps.is_empty() || !levels.is_empty() { levels } else { &Level::ALL };
    if !levels.is_empty() {
        conditions
            .push(Box::new(core_log::level.eq_any(levels.iter().map(|level| level.as_str()).collect::<Vec<_>>())));
    }
    conditions
}

/// What else a filter asks of a log. The range comes last: an index or the days of the table have it, mostly, so it lets
/// nearly every log through that is asked about.
pub(super) fn of_the_rest(filter: &LogFilter) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = Vec::new();
    if let Some(trace_id) = &filter.trace_id {
        conditions.push(Box::new(core_log::trace_id.eq(trace_id.clone()).assume_not_null()));
    }
    for term in &filter.terms {
        conditions.push(if term.excluded { Box::new(not(contains(term))) } else { contains(term) });
    }
    conditions.extend(filter.attributes.iter().map(has));
    if let Some(since) = filter.since {
        conditions.push(Box::new(core_log::created_at.ge(since.naive_utc())));
    }
    if let Some(until) = filter.until {
        conditions.push(Box::new(core_log::created_at.lt(until.naive_utc())));
    }
    conditions
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
