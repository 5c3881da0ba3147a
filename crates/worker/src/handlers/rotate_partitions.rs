//! Makes the coming days' partitions, drops the old ones, and forgets old keys, slots, deliveries and reports. Twice: the second finds them made
//! and dropped.

use std::time::Duration;

use chrono::Days;
use logmon_core::tasks::{NoInput, RotatePartitions, Rotated};
use logmon_store::db::partitions::Dropped;
use logmon_store::db::{deliveries, evaluations, ingest_keys, partitions, reports, schedule_slots};

use crate::context::Context;
use crate::registry::{Failure, Handle};

/// How long an Idempotency-Key is known: a week, where a day is promised; as long after its batch was last seen to be a dead
/// letter, for until then it may be put back.
const KEYS_KEPT: Duration = Duration::from_secs(7 * 24 * 3_600);
/// How long what became of a slot can be read: for longer than any entry of the schedule reaches back.
const SLOTS_KEPT: Duration = Duration::from_secs(35 * 24 * 3_600);
/// How long the ledger of the rules can be read.
const LEDGER_KEPT: Duration = Duration::from_secs(7 * 24 * 3_600);
/// How long reports can be read.
const REPORTS_KEPT: Duration = Duration::from_hours(400 * 24);

impl Handle for RotatePartitions {
    fn run(context: &Context, _: NoInput) -> Result<Rotated, Failure> {
        let now = context.clock.now();
        let today = now.date_naive();
        let last = today.checked_add_days(Days::new(partitions::DAYS_AHEAD)).unwrap_or(today);
        let mut conn = context.database.get()?;
        let made = partitions::make_until(&mut conn, last)?;
        context.may_go_on()?;
        let (first, mut dropped) = ((now - context.retention).date_naive(), 0);
        while partitions::drop_oldest_before(&mut conn, first)? == Dropped::One {
            dropped += 1;
            context.may_go_on()?;
        }
        ingest_keys::keep(&mut conn, &context.broker.dead_batches()?, now)?;
        ingest_keys::delete_of_buried(&mut conn, now - KEYS_KEPT)?;
        ingest_keys::delete_of_clients(&mut conn, now - KEYS_KEPT)?;
        ingest_keys::delete_of_batches(&mut conn, now)?;
        schedule_slots::delete_before(&mut conn, now - SLOTS_KEPT)?;
        while deliveries::forget_before(&mut conn, now - context.retention)? > 0 {
            context.may_go_on()?;
        }
        while evaluations::delete_some_before(&mut conn, now - LEDGER_KEPT)? > 0 {
            context.may_go_on()?;
        }
        while reports::forget_before(&mut conn, (now - REPORTS_KEPT).date_naive())? > 0 {
            context.may_go_on()?;
        }
        if made + dropped > 0 {
            log::info!(made, dropped; "days of the logs");
        }
        Ok(Rotated { made, dropped })
    }
}
