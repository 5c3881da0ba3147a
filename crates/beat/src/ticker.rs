//! The clock work: which slots are due, each pushed once.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use logmon_core::celery::TaskId;
use logmon_core::clock::Clock;
use logmon_core::stop::{Stop, Urgency};
use logmon_store::broker::{Broker, Dispatch};
use serde_json::json;

use crate::entries::{Entry, Missed};

/// The longest pause between two looks at the clock: a clock that is set is noticed within it.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Watches the clock for every entry.
pub struct Ticker {
    broker: Broker,
    clock: Arc<dyn Clock>,
    entries: Vec<Entry>,
    stop: Stop,
}

impl Ticker {
    /// A ticker that has not begun.
    pub fn new(broker: Broker, clock: Arc<dyn Clock>, entries: Vec<Entry>, stop: Stop) -> Self {
        Self { broker, clock, entries, stop }
    }

    /// Pushes what is due until it is told to stop. Redis is waited for, however long.
    pub fn run(&self) {
        let mut last = Vec::new();
        for entry in &self.entries {
            let now = self.clock.now();
            let Some(slot) = self.stop.wait_for("Redis", || self.broker.last_slot(entry.name, now)) else { return };
            let next = entry.schedule.next(self.clock.now()).map(rfc3339).unwrap_or_default();
            log::info!(entry = entry.name, next = next.as_str(); "watching");
            last.push(slot);
        }
        while !self.stop.is_raised() {
            for (entry, last) in self.entries.iter().zip(&mut last) {
                self.tick(entry, last);
            }
            self.stop.wait(Urgency::Finish, self.pause());
        }
    }

    /// Pushes the slots of an entry that are due since `last`, the oldest first, and moves `last` on.
    pub fn tick(&self, entry: &Entry, last: &mut DateTime<Utc>) {
        for slot in due(entry, *last, self.clock.now()) {
            let task = (entry.task)(slot).map(|mut task| {
                task.id = TaskId::of_slot(entry.name, slot);
                task.headers.insert("celery_beat_task".to_owned(), json!(true));
                task.headers.insert("x-beat-entry".to_owned(), json!(entry.name));
                task.headers.insert("x-beat-slot".to_owned(), json!(rfc3339(slot)));
                task
            });
            let task = match task {
                Ok(task) => task,
                Err(error) => {
                    log::error!(entry = entry.name; "no task for a slot: {error}");
                    return;
                }
            };
            let pushed = self.stop.wait_for("Redis", || self.broker.dispatch(entry.name, slot, &task));
            let Some(pushed) = pushed else { return };
            *last = slot;
            if pushed == Dispatch::Pushed {
                let (slot, task_id) = (rfc3339(slot), task.id.as_str());
                log::info!(entry = entry.name, slot = slot.as_str(), task_id; "pushed");
            }
        }
    }

    fn pause(&self) -> Duration {
        let now = self.clock.now();
        let next = self.entries.iter().filter_map(|entry| entry.schedule.next(now)).min();
        next.and_then(|next| (next - now).to_std().ok()).unwrap_or(PAUSE_MAX).min(PAUSE_MAX)
    }
}

fn due(entry: &Entry, last: DateTime<Utc>, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let latest = entry.schedule.latest(now).filter(|slot| *slot > last);
    match entry.missed {
        Missed::Latest => latest.into_iter().collect(),
        Missed::All(most) => {
            let following = |slot: &DateTime<Utc>| entry.schedule.next(*slot);
            let first = latest.and_then(|_| following(&last));
            let mut slots: Vec<_> = std::iter::successors(first, following).take_while(|slot| *slot <= now).collect();
            slots.split_off(slots.len().saturating_sub(most))
        }
    }
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
