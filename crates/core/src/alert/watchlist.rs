//! The apps whose logs come in, and when each is to be counted: between the checks of the schedule, but not at every log.
//!
//! What a process stores is added up as it goes by, so that the database is asked only when the threshold may have been
//! passed; and once a second while logs of the rule's level come in, for other processes store some too.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{Condition, Outcome};
use crate::app::AppId;

/// How often an app is counted while the threshold seems far.
const INTERVAL: Duration = Duration::from_secs(1);

/// The apps whose logs come in.
#[derive(Debug)]
pub struct Watchlist {
    condition: Condition,
    apps: HashMap<AppId, Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    /// How many logs there were when they were counted last.
    known: u64,
    /// How many this process has stored since.
    since: u64,
    /// When they were counted last.
    counted: Option<Instant>,
    /// When they are to be counted next.
    due: Option<Instant>,
    /// What the rule said last.
    outcome: Outcome,
}

const NEW: Seen = Seen { known: 0, since: 0, counted: None, due: None, outcome: Outcome::Calm };

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// An app's logs are to be counted now.
    Count(AppId),
    /// Nothing before this moment.
    At(Instant),
    /// Nothing.
    Idle,
}

/// What a count means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passing {
    /// The app has just passed the threshold: a check is due.
    Passed,
    /// Nothing new.
    Same,
}

impl Watchlist {
    /// Watches for what breaches `condition`.
    pub fn new(condition: Condition) -> Self {
        Self { condition, apps: HashMap::new() }
    }

    /// Watches for this from now on. Another one than before forgets what was found.
    pub fn watch_for(&mut self, condition: &Condition) {
        if self.condition != *condition {
            self.condition = condition.clone();
            for seen in self.apps.values_mut() {
                seen.outcome = Outcome::Calm;
            }
        }
    }

    fn judge(&self, count: u64) -> Outcome {
        if self.condition.is_calm_up_to(count) { Outcome::Calm } else { Outcome::Breached }
    }

    /// Hears that so many logs of the rule's level were stored for an app. Gives the moment at which they are to be counted,
    /// when that is earlier than what was due for the app before.
    pub fn stored(&mut self, app: AppId, count: u64, now: Instant) -> Option<Instant> {
        let known = self.apps.get(&app).map_or(0, |seen| seen.known + seen.since);
        let passed = self.judge(known + count) == Outcome::Breached;
        let seen = self.apps.entry(app).or_insert(NEW);
        seen.since += count;
        let due = match seen.counted {
            Some(counted) if seen.outcome == Outcome::Breached || !passed => now.max(counted + INTERVAL),
            Some(_) | None => now,
        };
        if seen.due.is_some_and(|before| before <= due) {
            return None;
        }
        seen.due = Some(due);
        Some(due)
    }

    /// What there is to do at `now`. An app that is to be counted is off the list until logs of it are stored again.
    pub fn next(&mut self, now: Instant) -> Turn {
        let due = self.apps.iter_mut().filter_map(|(app, seen)| Some((seen.due?, *app, seen)));
        match due.min_by_key(|(due, app, _)| (*due, *app)) {
            None => Turn::Idle,
            Some((due, ..)) if due > now => Turn::At(due),
            Some((_, app, seen)) => {
                // What is stored from now on may be missing from the count.
                (seen.since, seen.counted, seen.due) = (0, Some(now), None);
                Turn::Count(app)
            }
        }
    }

    /// Hears how many logs of the rule's level an app has within its window.
    pub fn counted(&mut self, app: AppId, count: u64) -> Passing {
        let outcome = self.judge(count);
        let seen = self.apps.entry(app).or_insert(NEW);
        let before = std::mem::replace(&mut seen.outcome, outcome);
        seen.known = count;
        match (before, outcome) {
            (Outcome::Calm, Outcome::Breached) => Passing::Passed,
            _ => Passing::Same,
        }
    }

    /// Hears that an app could not be counted, or not be checked: it is counted again after a while.
    pub fn failed(&mut self, app: AppId, now: Instant) {
        self.apps.insert(app, Seen { counted: Some(now), due: Some(now + INTERVAL), ..NEW });
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use crate::log::Level;

    const APP: AppId = AppId(1);

    fn more_than(threshold: u64) -> Condition {
        let window = Duration::from_secs(600);
        Condition { level: Some(Level::Error), text: None, kind: Kind::MoreThan(threshold), window }
    }

    fn list() -> (Watchlist, Instant) {
        (Watchlist::new(more_than(100)), Instant::now())
    }

    #[test]
    fn an_app_is_counted_at_once_when_the_threshold_may_be_passed_and_else_after_a_while() {
        let (mut list, start) = list();
        assert_eq!(list.next(start), Turn::Idle);
        assert_eq!(list.stored(APP, 1, start), Some(start), "nothing is known of a new one");
        assert_eq!(list.next(start), Turn::Count(APP));
        assert_eq!(list.counted(APP, 60), Passing::Same);
        assert_eq!(list.stored(APP, 40, start), Some(start + INTERVAL), "others may have stored some as well");
        assert_eq!(list.stored(APP, 0, start), None, "that is due already");
        assert_eq!(list.next(start), Turn::At(start + INTERVAL));
        assert_eq!(list.stored(APP, 1, start), Some(start));
        assert_eq!(list.next(start), Turn::Count(APP));
        assert_eq!(list.counted(APP, 101), Passing::Passed);
        assert_eq!(list.next(start), Turn::Idle);
    }

    #[test]
    fn a_passed_threshold_is_found_once_until_all_is_calm_again() {
        let (mut list, start) = list();
        let count = |list: &mut Watchlist, at: u32, count| {
            let at = start + INTERVAL * at;
            list.stored(APP, 101, at);
            assert_eq!(list.next(at), Turn::Count(APP));
            list.counted(APP, count)
        };
        let found = [101, 500, 100, 99, 101].into_iter().zip(0..).map(|(n, at)| count(&mut list, at, n));
        assert_eq!(
            found.collect::<Vec<_>>(),
            [Passing::Passed, Passing::Same, Passing::Same, Passing::Same, Passing::Passed]
        );
        let late = start + INTERVAL * 4;
        assert_eq!(list.stored(APP, 1_000, late), Some(late + INTERVAL), "there is no hurry any more");
    }

    #[test]
    fn another_threshold_is_passed_anew() {
        let (mut list, start) = list();
        list.stored(APP, 101, start);
        list.next(start);
        assert_eq!(list.counted(APP, 101), Passing::Passed);
        list.watch_for(&more_than(100));
        assert_eq!(list.counted(APP, 102), Passing::Same);
        list.watch_for(&more_than(50));
        assert_eq!(list.counted(APP, 103), Passing::Passed);
    }

    #[test]
    fn what_failed_is_tried_again_after_a_while_and_not_at_every_log() {
        let (mut list, start) = list();
        list.stored(APP, 200, start);
        list.next(start);
        assert_eq!(list.counted(APP, 200), Passing::Passed);
        list.failed(APP, start);
        assert_eq!(list.stored(APP, 1, start), None);
        assert_eq!(list.next(start), Turn::At(start + INTERVAL));
        assert_eq!(list.next(start + INTERVAL), Turn::Count(APP));
        assert_eq!(list.counted(APP, 200), Passing::Passed);
    }
}
