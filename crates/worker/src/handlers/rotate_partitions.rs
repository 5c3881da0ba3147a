//! Makes the coming days' partitions and drops the old ones. Twice: the second finds them made and dropped.

use chrono::Days;
use logmon_core::tasks::{NoInput, RotatePartitions, Rotated};
use logmon_store::db::partitions;

use crate::context::Context;
use crate::registry::{Failure, Handle};

impl Handle for RotatePartitions {
    fn run(context: &Context, _: NoInput) -> Result<Rotated, Failure> {
        let now = context.clock.now();
        let today = now.date_naive();
        let last = today.checked_add_days(Days::new(partitions::DAYS_AHEAD)).unwrap_or(today);
        let mut conn = context.database.get()?;
        let made = partitions::make_until(&mut conn, last)?;
        let dropped = partitions::drop_before(&mut conn, (now - context.retention).date_naive())?;
        if made + dropped > 0 {
            log::info!(made, dropped; "days of the logs");
        }
        Ok(Rotated { made, dropped })
    }
}
