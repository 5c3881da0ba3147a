//! Counts each app's logs of a day. Twice: the second puts the same numbers in the place of the first.

use logmon_core::summary::{LevelCounts, Summary, day, yesterday};
use logmon_core::tasks::{GenerateDailySummary, SummaryInput};
use logmon_store::db::{apps, log_summaries, logs};

use crate::context::Context;
use crate::registry::{Failure, Handle};

impl Handle for GenerateDailySummary {
    fn run(context: &Context, input: SummaryInput) -> Result<(), Failure> {
        let date = input.date.unwrap_or_else(|| yesterday(context.clock.now(), context.zone));
        let range = day(date, context.zone);
        let mut conn = context.database.get()?;
        for app in apps::ids(&mut conn)? {
            let mut counts = LevelCounts::default();
            for (level, count) in logs::count_levels(&mut conn, app, &range)? {
                counts.add(level, count);
            }
            log_summaries::replace(&mut conn, &Summary { app, date, counts })?;
        }
        Ok(())
    }
}
