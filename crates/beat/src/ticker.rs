//! The clock work: which slots are due, each claimed by one beat and pushed once.
//!
//! The time is the database's. A slot is claimed by inserting its row; between that and the push the beat may die or stand
//! still, so what stays claimed is pushed by another one, and Redis remembers what was pushed.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use logmon_core::celery::{BadArguments, NewTask, TaskId};
use logmon_core::clock::Clock;
use logmon_core::schedule::SlotState;
use logmon_core::schedule::catch_up::Plan;
use logmon_core::stop::{Stop, Urgency};
use logmon_store::broker::{Broker, Push};
use logmon_store::db::{Connection, Database, migrations, schedule_slots, schedules};
use serde_json::json;

use crate::entries::Entry;
use crate::metrics::Figures;
use crate::trouble::{Said, Trouble};

/// The longest pause between two looks at the clock: a clock that is set is noticed within it.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Watches the clock for every entry.
pub struct Ticker {
    /// Where the schedule's memory is.
    pub database: Database,
    /// Where the tasks go.
    pub broker: Broker,
    /// This machine's clock, which is only compared with the database's.
    pub clock: Arc<dyn Clock>,
    /// The schedule.
    pub entries: Vec<Entry>,
    /// What this beat is called in the rows that it claims: no two that run have the same name.
    pub name: String,
    /// What is told of it.
    pub figures: Figures,
}

impl Ticker {
    /// Pushes what is due until it is told to stop. The database, Redis and a right clock are waited for, however long.
    pub fn run(&self, stop: &Stop) {
        let mut said = Said::default();
        let mut registered = false;
        while !stop.is_raised() {
            let registering = if registered { Ok(()) } else { self.register() };
            registered = registering.is_ok();
            let turn = registering.and_then(|()| self.turn());
            said.hear(turn.as_ref().err());
            if turn.is_ok() {
                self.figures.turns.beat();
            }
            stop.wait(Urgency::Finish, turn.map_or(PAUSE_MAX, |now| self.pause(now)));
        }
    }

    /// Writes the entries for others to read.
    ///
    /// # Errors
    /// What is waited for.
    pub fn register(&self) -> Result<(), Trouble> {
        let mut conn = self.database.get()?;
        migrations::require_current(&mut conn)?;
        for entry in &self.entries {
            schedules::register(&mut conn, entry.name, &entry.schedule)?;
        }
        let now = self.time(&mut conn)?;
        for entry in &self.entries {
            let next = entry.schedule.next(now).map(rfc3339).unwrap_or_default();
            log::info!(entry = entry.name, next = next.as_str(); "watching");
        }
        Ok(())
    }

    /// Sees to everything that is due and gives the database's time.
    ///
    /// # Errors
    /// What is waited for.
    pub fn turn(&self) -> Result<DateTime<Utc>, Trouble> {
        let mut conn = self.database.get()?;
        let now = self.time(&mut conn)?;
        let names: Vec<&str> = self.entries.iter().map(|entry| entry.name).collect();
        schedules::touch(&mut conn, &names, now)?;
        if schedules::is_ahead(&mut conn, now)? {
            self.take_back(&mut conn, now)?;
        }
        for (name, since) in schedules::handled(&mut conn)? {
            if let Some(entry) = self.entry(&name) {
                let plan = entry.catch_up.plan(&entry.schedule, since, now);
                self.claim(&mut conn, entry, &plan)?;
            }
        }
        for (name, slot) in schedule_slots::to_push(&mut conn, &names, &self.name, now)? {
            if let Some(entry) = self.entry(&name) {
                self.push(&mut conn, entry, slot)?;
            }
        }
        Ok(now)
    }

    /// The clock was ahead: the slots that it had pushed or skipped before their time are due when that comes.
    fn take_back(&self, conn: &mut Connection, now: DateTime<Utc>) -> Result<(), Trouble> {
        loop {
            let slots = schedule_slots::seen_to_after(conn, now)?;
            if slots.is_empty() {
                break;
            }
            self.broker.forget_slots(&slots)?;
            schedule_slots::remove(conn, &slots)?;
        }
        // The last step, for whoever dies before it leaves the others to begin again.
        if schedules::take_back(conn, now)? > 0 {
            log::warn!("the database's clock was set back: going on from its time now");
        }
        Ok(())
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The database's time, where this machine's is about the same.
    fn time(&self, conn: &mut Connection) -> Result<DateTime<Utc>, Trouble> {
        let before = self.clock.now();
        let now = schedules::now(conn)?;
        Trouble::if_clocks_differ(before, now, self.clock.now())?;
        Ok(now)
    }

    fn claim(&self, conn: &mut Connection, entry: &Entry, plan: &Plan) -> Result<(), Trouble> {
        let Some(newest) = plan.run.last().max(plan.skip.last()) else { return Ok(()) };
        if !plan.run.is_empty() {
            // While Redis is away, or takes nothing, nothing is claimed: what is made up for afterwards goes by the entry's
            // policy then.
            self.broker.takes_writes()?;
        }
        let skipped = schedule_slots::insert(conn, entry.name, &plan.skip, SlotState::Skipped, &self.name)?;
        if skipped > 0 {
            let count = plan.skipped_before + u64::try_from(skipped).unwrap_or(u64::MAX);
            let newest = plan.skip.last().copied().map(rfc3339).unwrap_or_default();
            log::warn!(entry = entry.name, count, newest = newest.as_str(); "missed slots are skipped");
        }
        schedule_slots::insert(conn, entry.name, &plan.run, SlotState::Claimed, &self.name)?;
        schedules::advance(conn, entry.name, *newest)?;
        Ok(())
    }

    fn push(&self, conn: &mut Connection, entry: &Entry, slot: DateTime<Utc>) -> Result<(), Trouble> {
        let (slot_text, name) = (rfc3339(slot), entry.name);
        let task = match task(entry, slot) {
            Ok(task) => task,
            Err(error) => {
                log::error!(entry = name, slot = slot_text.as_str(); "skipped, for it has no task: {error}");
                return Ok(schedule_slots::settle(conn, name, slot, SlotState::Skipped)?);
            }
        };
        let pushed = self.broker.push_slot(name, slot, &task)?;
        schedule_slots::settle(conn, name, slot, SlotState::Pushed)?;
        if pushed == Push::Now {
            self.figures.pushed(name, (self.clock.now() - slot).to_std().unwrap_or_default());
            log::info!(entry = name, slot = slot_text.as_str(), task_id = task.id.as_str(); "pushed");
        }
        Ok(())
    }

    fn pause(&self, now: DateTime<Utc>) -> Duration {
        let next = self.entries.iter().filter_map(|entry| entry.schedule.next(now)).min();
        next.and_then(|next| (next - now).to_std().ok()).unwrap_or(PAUSE_MAX).min(PAUSE_MAX)
    }
}

fn task(entry: &Entry, slot: DateTime<Utc>) -> Result<NewTask, BadArguments> {
    let mut task = (entry.task)(slot)?;
    task.id = TaskId::of_slot(entry.name, slot);
    task.headers.insert("celery_beat_task".to_owned(), json!(true));
    task.headers.insert("x-beat-entry".to_owned(), json!(entry.name));
    task.headers.insert("x-beat-slot".to_owned(), json!(rfc3339(slot)));
    Ok(task)
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
