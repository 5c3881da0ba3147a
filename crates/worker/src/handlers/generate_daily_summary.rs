//! Counts each app's logs of a day. Twice: the second puts the same numbers in the place of the first.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, Utc};
use logmon_core::summary::{day, yesterday};
use logmon_core::tasks::{GenerateDailySummary, SummaryInput};
use logmon_store::db::verify::count_what_others_wrote;
use logmon_store::db::{Connection, apps, log_summaries};

use super::make_reports;
use crate::context::Context;
use crate::registry::{Failure, Handle};

impl Handle for GenerateDailySummary {
    fn run(context: &Context, input: SummaryInput) -> Result<(), Failure> {
        let date = input.date.unwrap_or_else(|| yesterday(context.clock.now(), context.zone));
        let range = day(date, context.zone);
        if range.end <= context.clock.now() - context.retention {
            return Err(Failure::BadArguments(format!("the logs of {date} are no longer kept: its summary stays")));
        }
        let mut conn = context.database.get()?;
        count_day(context, &mut conn, date, &range)?;
        make_reports::call(context, &mut conn, Some(date))
    }
}

/// Counts each app's logs of a day, which is `range`, and replaces its summaries.
pub(super) fn count_day(
    context: &Context,
    conn: &mut Connection,
    date: NaiveDate,
    range: &Range<DateTime<Utc>>,
) -> Result<(), Failure> {
    count_what_others_wrote(conn, range)?;
    for app in apps::ids(conn)? {
        context.may_go_on()?;
        log_summaries::recount(conn, app, date, range)?;
    }
    Ok(())
}
