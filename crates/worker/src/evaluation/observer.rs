//! How many logs a window has: from the counts, and from the logs themselves where no count says it.

use std::ops::Range;
use std::time::Duration;

use chrono::{DateTime, Utc};
use logmon_core::alert::{Counts, Kind, Observed, Place, most_frequent, whole_minutes};
use logmon_core::app::AppId;
use logmon_core::log::{LogFilter, Term};
use logmon_core::notification::Pattern;
use logmon_store::db::logs::samples::{self, Sample};
use logmon_store::db::{Connection, DbError, log_counts};

use super::plan::Plan;
use crate::registry::Failure;

/// How long the logs of a window are looked for.
const DEADLINE: Duration = Duration::from_secs(5);
/// How many of a window's newest logs are read for their patterns.
const SAMPLES: u32 = 1_000;

/// Where the number of logs is known from.
pub(super) struct Observer<'a> {
    pub(super) conn: &'a mut Connection,
    pub(super) counts: &'a Counts,
}

/// What an alert shows of the logs.
#[derive(Debug, Default)]
pub(super) struct Samples {
    pub(super) first: Option<Place>,
    pub(super) last: Option<Place>,
    pub(super) patterns: Vec<Pattern>,
}

impl Observer<'_> {
    /// What there is in a window; `None` where that could not be found out in time. Where the counts alone say that it is calm,
    /// the number may be too high.
    pub(super) fn observe(
        &mut self,
        plan: &Plan,
        app: AppId,
        window: &Range<DateTime<Utc>>,
    ) -> Result<Option<Observed>, Failure> {
        let counts = self.counts;
        plan.condition().observe(app, window, counts, |range| self.count(plan, app, range))
    }

    fn count(&mut self, plan: &Plan, app: AppId, window: &Range<DateTime<Utc>>) -> Result<Option<u64>, Failure> {
        let condition = plan.condition();
        let whole = whole_minutes(window);
        let most = self.counts.count(app, condition.level, &whole);
        let exact = condition.text.is_none() && whole == *window;
        if exact || most == 0 || condition.is_calm_up_to(most) {
            return Ok(Some(most));
        }
        self.count_logs(plan, app, window)
    }

    /// What there is from the beginning of a window that ends now: until now where the rule has a text, else all that is
    /// there, also what a clock that is a little ahead has stored.
    pub(super) fn exactly_until_now(
        &mut self,
        plan: &Plan,
        app: AppId,
        window: &Range<DateTime<Utc>>,
    ) -> Result<Option<Observed>, Failure> {
        let condition = plan.condition();
        let count = match condition.text {
            None => Some(log_counts::exactly_since(self.conn, app, condition.level, window.start)?),
            Some(_) => self.count_logs(plan, app, window)?,
        };
        Ok(count.map(Observed::count))
    }

    fn count_logs(&mut self, plan: &Plan, app: AppId, window: &Range<DateTime<Utc>>) -> Result<Option<u64>, Failure> {
        let filter = filter(plan, app, window);
        in_time(samples::count(self.conn, &filter, DEADLINE)).inspect_err(|error| {
            log::debug!(rule_id = plan.id().0, app_id = app.0; "not counted: {error}");
        })
    }

    /// What an alert shows of the logs of a window. Of an app that has gone quiet: its last log before.
    pub(super) fn samples(
        &mut self,
        plan: &Plan,
        app: AppId,
        window: &Range<DateTime<Utc>>,
    ) -> Result<Samples, Failure> {
        let mut filter = filter(plan, app, window);
        if plan.condition().kind == Kind::Silence {
            (filter.since, filter.until) = (None, Some(window.start));
            let newest = in_time(samples::newest(self.conn, &filter, 1, DEADLINE))?.unwrap_or_default();
            return Ok(Samples { last: newest.first().map(|sample| sample.place), ..Samples::default() });
        }
        let newest: Vec<Sample> = in_time(samples::newest(self.conn, &filter, SAMPLES, DEADLINE))?.unwrap_or_default();
        let first = in_time(samples::first(self.conn, &filter, DEADLINE))?.flatten();
        Ok(Samples {
            first,
            last: newest.first().map(|sample| sample.place),
            patterns: most_frequent(newest.iter().map(|sample| sample.message.as_str())),
        })
    }
}

fn filter(plan: &Plan, app: AppId, window: &Range<DateTime<Utc>>) -> LogFilter {
    let text = plan.condition().text.as_deref().unwrap_or_default();
    LogFilter {
        apps: vec![app],
        levels: plan.levels(),
        since: Some(window.start),
        until: Some(window.end),
        // It was checked when the rule was stored.
        terms: Term::from_text(text).unwrap_or_default(),
        ..LogFilter::default()
    }
}

fn in_time<T>(read: Result<T, DbError>) -> Result<Option<T>, Failure> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(DbError::TooSlow) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
