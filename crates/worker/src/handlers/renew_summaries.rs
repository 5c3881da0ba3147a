//! Counts days again whose logs came late. Twice: the second finds that their summaries are right.

use chrono::Days;
use logmon_core::summary::{day, yesterday};
use logmon_core::tasks::{NoInput, RenewSummaries};
use logmon_store::db::log_summaries;

use super::make_reports;
use crate::context::Context;
use crate::registry::{Failure, Handle};

impl Handle for RenewSummaries {
    fn run(context: &Context, _: NoInput) -> Result<u64, Failure> {
        let (now, mut renewed) = (context.clock.now(), 0);
        let kept = now - context.retention;
        let mut conn = context.database.get()?;
        let mut date = Some(yesterday(now, context.zone));
        while let Some(past) = date {
            context.may_go_on()?;
            let range = day(past, context.zone);
            // Of a day that is kept in part, most logs may be gone.
            if range.start < kept {
                break;
            }
            for app in log_summaries::outgrown(&mut conn, past, &range)? {
                context.may_go_on()?;
                log_summaries::recount(&mut conn, app, past, &range)?;
                log::info!(app_id = app.0; "logs of {past} came late: its summary is renewed");
                renewed += 1;
            }
            date = past.checked_sub_days(Days::new(1));
        }
        make_reports::call(context, &mut conn, None)?;
        Ok(renewed)
    }
}
