//! Counts each app's logs of several days. Twice: the second puts the same numbers in the place of the first.

use logmon_core::summary::day;
use logmon_core::tasks::{RecountInput, RecountSummaries, Recounted};

use super::generate_daily_summary::count_day;
use super::make_reports;
use crate::context::Context;
use crate::registry::{Failure, Handle};

impl Handle for RecountSummaries {
    fn run(context: &Context, input: RecountInput) -> Result<Recounted, Failure> {
        let mut done = Recounted::default();
        let mut conn = context.database.get()?;
        for date in input.since.iter_days().take_while(|date| *date <= input.until) {
            context.may_go_on()?;
            let range = day(date, context.zone);
            // Of a day that is kept in part, most logs may be gone.
            if range.start < context.clock.now() - context.retention {
                done.not_kept += 1;
                continue;
            }
            count_day(context, &mut conn, date, &range)?;
            done.recounted += 1;
        }
        make_reports::call(context, &mut conn, None)?;
        Ok(done)
    }
}
