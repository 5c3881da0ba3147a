//! How often a rule would have fired, from the counts of `core_logcount` and `core_loghourcount`.

use std::ops::Range;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use logmon_core::alert::{Backtest, Backtested, NewRule};

use super::{Connection, DbError, log_counts, within};

/// How much of the past is read at once.
const PART: TimeDelta = TimeDelta::days(1);

/// What a rule would have done, as far as there was time to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// What it would have done.
    pub tested: Backtested,
    /// From when on was looked: the beginning of the range where there was time for all of it.
    pub since: DateTime<Utc>,
}

/// Judges the windows of a rule without a text that end after the beginning of `range` and up to its end, both on a minute: the
/// newest first, and as many whole days of them as `patience` allows.
///
/// # Errors
/// See [`DbError`].
pub fn backtest(
    conn: &mut Connection,
    rule: &NewRule,
    range: &Range<DateTime<Utc>>,
    patience: Duration,
) -> Result<Looked, DbError> {
    let began = Instant::now();
    let mut test = Backtest::new(rule);
    let mut since = range.end;
    while since > range.start {
        let Some(left) = patience.checked_sub(began.elapsed()) else { break };
        let part = range.start.max(since - PART)..since;
        let counts = match within(conn, left, |conn| log_counts::load(conn, &test.needs(&part))) {
            Ok(counts) => counts,
            Err(DbError::TooSlow) => break,
            Err(error) => return Err(error),
        };
        test.look(&part, &counts);
        since = part.start;
    }
    Ok(Looked { tested: test.finish(), since })
}
