//! Counts each app's logs of a day. Twice: the second puts the same numbers in the place of the first.

use std::collections::HashMap;

use logmon_core::app::AppId;
use logmon_core::summary::{LevelCounts, Summary, day, yesterday};
use logmon_core::tasks::{GenerateDailySummary, SummaryInput};
use logmon_store::db::{apps, log_counts, log_summaries};

use crate::context::Context;
use crate::registry::{Failure, Handle};

impl Handle for GenerateDailySummary {
    fn run(context: &Context, input: SummaryInput) -> Result<(), Failure> {
        let date = input.date.unwrap_or_else(|| yesterday(context.clock.now(), context.zone));
        let range = day(date, context.zone);
        let mut conn = context.database.get()?;
        let mut counts: HashMap<AppId, LevelCounts> = HashMap::new();
        for (app, level, count) in log_counts::by_level(&mut conn, &range)? {
            counts.entry(app).or_default().add(level, count);
        }
        for app in apps::ids(&mut conn)? {
            let counts = counts.get(&app).copied().unwrap_or_default();
            log_summaries::replace(&mut conn, &Summary { app, date, counts })?;
        }
        Ok(())
    }
}
