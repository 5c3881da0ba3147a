//! What becomes of slots that passed while no beat was running.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Schedule;

/// A slot that is no older than this was not missed: it runs, whatever becomes of those that were.
pub const PUNCTUAL: Duration = Duration::from_secs(30);
/// So many slots are told one by one; what came before them is only counted.
const TOLD_MAX: usize = 10_000;

/// Which of the slots that were missed are made up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// None.
    Skip,
    /// The newest, where no later one runs anyway: one run covers them all.
    Latest,
    /// The newest so many.
    All(usize),
}

/// What becomes of the slots of an entry that were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatchUp {
    /// Which are made up for.
    pub missed: Missed,
    /// How old one may be for that.
    pub grace: Duration,
}

/// What becomes of each slot that is due, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Those whose tasks are pushed.
    pub run: Vec<DateTime<Utc>>,
    /// Those whose tasks are not; the newest 10,000 slots are told one by one.
    pub skip: Vec<DateTime<Utc>>,
    /// How many more are skipped, all of them older.
    pub skipped_before: u64,
}

impl CatchUp {
    /// What becomes of the slots after `since` and up to `now`.
    pub fn plan(&self, schedule: &Schedule, since: DateTime<Utc>, now: DateTime<Utc>) -> Plan {
        let mut due = VecDeque::new();
        let mut plan = Plan::default();
        if schedule.latest(now).is_none_or(|latest| latest <= since) {
            return plan;
        }
        let following = |slot: &DateTime<Utc>| schedule.next(*slot);
        for slot in std::iter::successors(following(&since), following).take_while(|slot| *slot <= now) {
            due.push_back(slot);
            if due.len() > TOLD_MAX {
                due.pop_front();
                plan.skipped_before += 1;
            }
        }
        let punctual = due.iter().rev().take_while(|slot| now - **slot <= span(PUNCTUAL)).count();
        let made_up = match self.missed {
            Missed::Skip => 0,
            Missed::Latest => usize::from(punctual == 0),
            Missed::All(most) => most,
        };
        let newest = due.len().saturating_sub(punctual + made_up);
        let on_time = due.len() - punctual;
        for (place, slot) in due.into_iter().enumerate() {
            let runs = place >= on_time || (place >= newest && now - slot <= span(self.grace));
            if runs { &mut plan.run } else { &mut plan.skip }.push(slot);
        }
        plan
    }
}

fn span(duration: Duration) -> chrono::Duration {
    chrono::Duration::from_std(duration).unwrap_or(chrono::Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-22T{text}Z").parse().unwrap()
    }

    /// What runs and how many are skipped of a schedule of ten minutes.
    fn plan(missed: Missed, grace_minutes: u64, since: &str, now: &str) -> (Vec<DateTime<Utc>>, usize) {
        let catch_up = CatchUp { missed, grace: Duration::from_secs(grace_minutes * 60) };
        let plan = catch_up.plan(&Schedule::Every(Duration::from_secs(600)), at(since), at(now));
        (plan.run, plan.skip.len())
    }

    #[test]
    fn a_punctual_slot_runs_whatever_the_policy() {
        for missed in [Missed::Skip, Missed::Latest, Missed::All(3)] {
            assert_eq!(plan(missed, 0, "10:00:00", "10:10:30"), (vec![at("10:10:00")], 0));
            assert_eq!(plan(missed, 0, "10:10:00", "10:19:59"), (vec![], 0));
        }
        // Two that are both punctual were not missed.
        let every = Schedule::Every(Duration::from_secs(2));
        let policy = CatchUp { missed: Missed::Latest, grace: Duration::ZERO };
        let plan = policy.plan(&every, at("10:00:00"), at("10:01:00"));
        assert_eq!((plan.run.len(), plan.skip.len()), (16, 14));
    }

    #[test]
    fn what_was_missed_goes_by_the_policy_and_its_grace() {
        assert_eq!(plan(Missed::Skip, 60, "09:00:00", "10:05:00"), (vec![], 6));
        assert_eq!(plan(Missed::Latest, 60, "09:00:00", "10:05:00"), (vec![at("10:00:00")], 5));
        assert_eq!(plan(Missed::Latest, 4, "09:00:00", "10:05:00"), (vec![], 6), "too old");
        assert_eq!(plan(Missed::Latest, 60, "09:00:00", "10:10:01"), (vec![at("10:10:00")], 6), "it covers the rest");
        let two = vec![at("09:50:00"), at("10:00:00")];
        assert_eq!(plan(Missed::All(2), 60, "09:00:00", "10:05:00"), (two.clone(), 4));
        assert_eq!(plan(Missed::All(9), 15, "09:00:00", "10:05:00"), (two, 4));
    }

    #[test]
    fn a_long_time_is_counted_but_not_told() {
        let every = Schedule::Every(Duration::from_secs(1));
        let policy = CatchUp { missed: Missed::Latest, grace: Duration::from_secs(60) };
        let plan = policy.plan(&every, at("00:00:00"), at("10:00:00"));
        assert_eq!(plan.run.len(), 31);
        assert_eq!(plan.skip.len() + plan.run.len(), 10_000);
        assert_eq!(plan.skipped_before, 26_000);
    }
}
