//! `core_log` counted by time and level, where no count is kept: logs whose text has to be read.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bigint, Text};
use logmon_core::log::{Buckets, Level, LogFilter};

use super::super::schema::core_log;
use super::super::{Connection, DbError, within};
use super::filter::{of_apps_and_levels, of_the_rest};

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// How many logs of each level there are in each part, by its place; those with none are left out.
    pub counts: Vec<(usize, Level, u64)>,
    /// From when on logs were looked at: later than the parts begin where time ran out.
    pub since: DateTime<Utc>,
}

/// How long the database is to work on one statement: the shorter, the less is lost when time runs out.
const STEP: Duration = Duration::from_millis(150);

/// How many logs of each level a filter lets through in each of `buckets`, whatever its own range.
///
/// It begins with the newest part and goes back as far as it gets: `left` says how long it may still take, and `None` that
/// it has to end.
///
/// # Errors
/// See [`DbError`]; [`DbError::TooSlow`] when not even the newest part was counted.
pub fn in_buckets(
    conn: &mut Connection,
    buckets: &Buckets,
    filter: &LogFilter,
    mut left: impl FnMut() -> Option<Duration>,
) -> Result<Counted, DbError> {
    let starts: Vec<DateTime<Utc>> = buckets.starts().collect();
    let mut until = buckets.range().end;
    let mut found: BTreeMap<(usize, Level), u64> = BTreeMap::new();
    // Of so many parts at a time; the first is of one, since nobody knows yet how much lies in it.
    let (mut rest, mut step) = (starts.as_slice(), 1);
    while let Some(since) = rest.get(rest.len().saturating_sub(step)).copied() {
        let Some(time) = left() else { break };
        let part = LogFilter { since: Some(since), until: Some(until), ..filter.clone() };
        let began = Instant::now();
        match within(conn, time, |conn| count(conn, buckets, &part)) {
            Ok(counts) => {
                for (place, level, n) in counts {
                    *found.entry((place, level)).or_default() += n;
                }
            }
            Err(DbError::TooSlow) => break,
            Err(error) => return Err(error),
        }
        (rest, until) = (rest.get(..rest.len().saturating_sub(step)).unwrap_or_default(), since);
        step = if began.elapsed() < STEP / 2 { step * 2 } else { (step / 2).max(1) };
    }
    if rest.len() == starts.len() {
        return Err(DbError::TooSlow);
    }
    let counts = found.into_iter().map(|((place, level), n)| (place, level, n)).collect();
    Ok(Counted { counts, since: until })
}

fn count(conn: &mut Connection, buckets: &Buckets, filter: &LogFilter) -> Result<Vec<(usize, Level, u64)>, DbError> {
    let (start, width) = (buckets.range().start.naive_utc(), buckets.width().num_seconds());
    let place = format!("TIMESTAMPDIFF(SECOND, TIMESTAMP'{start}', created_at) DIV {width}");
    let mut query = core_log::table
        .group_by(sql::<(Bigint, Text)>("1, 2"))
        .select((sql::<Bigint>(&place), sql::<Text>("level"), sql::<Bigint>("COUNT(*)")))
        .into_boxed();
    for condition in of_apps_and_levels(&filter.apps, &filter.levels).into_iter().chain(of_the_rest(filter)) {
        query = query.filter(condition);
    }
    let rows: Vec<(i64, String, i64)> = query.load(conn)?;
    let read = |(place, level, n): (i64, String, i64)| {
        Some((usize::try_from(place).ok()?, Level::from_filter(&level)?, u64::try_from(n).ok()?))
    };
    Ok(rows.into_iter().filter_map(read).collect())
}
