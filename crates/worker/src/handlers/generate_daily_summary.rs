//! Counts each app's logs of a day. Twice: the second puts the same numbers in the place of the first.

use logmon_core::summary::{day, yesterday};
use logmon_core::tasks::{GenerateDailySummary, SummaryInput};
use logmon_store::db::verify::count_what_others_wrote;
use logmon_store::db::{apps, log_summaries};

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
        count_what_others_wrote(&mut conn, &range)?;
        for app in apps::ids(&mut conn)? {
            context.may_go_on()?;
            log_summaries::recount(&mut conn, app, date, &range)?;
        }
        Ok(())
    }
}
