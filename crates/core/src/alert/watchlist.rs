//! The apps whose logs come in, and when each is to be counted: between the checks of the schedule, but not at every log.
//!
//! What a process stores is added up as it goes by, so that the database is asked only when a threshold may have been
//! passed; and once a second while logs that a rule counts come in, for other processes store some too.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::{Condition, Levels};
use crate::app::AppId;
use crate::log::Level;
use crate::summary::LevelCounts;

/// How often an app is counted while every threshold seems far.
const INTERVAL: Duration = Duration::from_secs(1);
/// How many apps are remembered.
const APPS_MAX: usize = 10_000;

/// The apps whose logs come in.
#[derive(Debug, Default)]
pub struct Watchlist {
    apps: HashMap<AppId, Seen>,
    due: BTreeSet<(Instant, AppId)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// How many this process has stored since they were counted last.
    since: LevelCounts,
    /// How many more are calm; `None` where nobody knows.
    room: Option<Room>,
    /// When they were counted last.
    counted: Option<Instant>,
    /// When they are to be counted next.
    due: Option<Instant>,
}

/// How many more logs of an app are no reason to count them, whatever rules it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// The levels that a rule counts.
    levels: Levels,
    /// So many of each level.
    each: LevelCounts,
    /// So many of all levels together.
    all: u64,
}

impl Room {
    /// From what each rule looks for, and how many logs it has found. One that is breached leaves no other less room.
    pub fn of<'a>(found: impl IntoIterator<Item = (&'a Condition, u64)>) -> Self {
        let most = LevelCounts { info: u64::MAX, warn: u64::MAX, error: u64::MAX };
        let mut room = Self { levels: Levels::default(), each: most, all: u64::MAX };
        for (condition, count) in found {
            room.levels = room.levels.and(condition.level);
            if let Some(more) = condition.threshold().checked_sub(count) {
                let least = condition.level.map_or(&mut room.all, |level| room.each.of_mut(level));
                *least = more.min(*least);
            }
        }
        room
    }

    fn concerns(&self, counts: &LevelCounts) -> bool {
        Level::ALL.into_iter().any(|level| counts.of(level) > 0 && self.levels.has(level))
    }

    fn is_passed_by(&self, counts: &LevelCounts) -> bool {
        counts.total() > self.all || Level::ALL.into_iter().any(|level| counts.of(level) > self.each.of(level))
    }
}

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

impl Watchlist {
    /// Hears that so many logs were stored for an app. Gives the moment at which they are to be counted, when that is earlier
    /// than what was due for the app before.
    pub fn stored(&mut self, app: AppId, counts: &LevelCounts, now: Instant) -> Option<Instant> {
        if !self.takes(app) {
            return None;
        }
        let seen = self.apps.entry(app).or_default();
        seen.since = seen.since.plus(counts);
        if seen.room.is_some_and(|room| !room.concerns(counts)) {
            return None;
        }
        let is_passed = seen.room.is_some_and(|room| room.is_passed_by(&seen.since));
        let due = match seen.counted {
            Some(counted) if !is_passed => now.max(counted + INTERVAL),
            Some(_) | None => now,
        };
        if seen.due.is_some_and(|before| before <= due) {
            return None;
        }
        self.set_due(app, due);
        Some(due)
    }

    /// Whether there is a place for an app. Where there is none, those that nothing is to be done with leave theirs; the
    /// schedule's check sees them all.
    fn takes(&mut self, app: AppId) -> bool {
        if self.apps.len() < APPS_MAX || self.apps.contains_key(&app) {
            return true;
        }
        // Half of them at least, so that the next ones find a place without this.
        if self.due.len() <= APPS_MAX / 2 {
            self.apps.retain(|_, seen| seen.due.is_some());
        }
        self.apps.len() < APPS_MAX
    }

    fn set_due(&mut self, app: AppId, due: Instant) {
        let before = self.apps.entry(app).or_default().due.replace(due);
        if let Some(before) = before {
            self.due.remove(&(before, app));
        }
        self.due.insert((due, app));
    }

    /// What there is to do at `now`. An app that is to be counted is off the list until logs of it are stored again.
    pub fn next(&mut self, now: Instant) -> Turn {
        let Some((due, app)) = self.due.first().copied() else { return Turn::Idle };
        if due > now {
            return Turn::At(due);
        }
        self.due.remove(&(due, app));
        let seen = self.apps.entry(app).or_default();
        // What is stored from now on may be missing from the count.
        (seen.since, seen.counted, seen.due) = (LevelCounts::default(), Some(now), None);
        Turn::Count(app)
    }

    /// Hears how many more logs of an app are calm.
    pub fn counted(&mut self, app: AppId, room: Room) {
        if let Some(seen) = self.apps.get_mut(&app) {
            seen.room = Some(room);
        }
    }

    /// Hears that an app could not be counted, or not be checked: it is counted again after a while.
    pub fn failed(&mut self, app: AppId, now: Instant) {
        if let Some(seen) = self.apps.get_mut(&app) {
            (seen.room, seen.counted) = (None, Some(now));
            self.set_due(app, now + INTERVAL);
        }
    }

    /// Hears that the rules are others now: how many logs are calm is not known of any app.
    pub fn changed(&mut self) {
        for seen in self.apps.values_mut() {
            seen.room = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::watched::tests::watched;
    use super::*;

    const APP: AppId = AppId(1);

    fn list() -> (Watchlist, Instant) {
        (Watchlist::default(), Instant::now())
    }

    fn errors(error: u64) -> LevelCounts {
        LevelCounts { error, ..LevelCounts::default() }
    }

    /// As the rule says of which more than 100 ERROR logs are too many.
    fn room(count: u64) -> Room {
        Room::of([(&watched(1, Some(Level::Error), 100).condition, count)])
    }

    #[test]
    fn an_app_is_counted_at_once_when_the_threshold_may_be_passed_and_else_after_a_while() {
        let (mut list, start) = list();
        assert_eq!(list.next(start), Turn::Idle);
        assert_eq!(list.stored(APP, &errors(1), start), Some(start), "nothing is known of a new one");
        assert_eq!(list.next(start), Turn::Count(APP));
        list.counted(APP, room(60));
        assert_eq!(list.stored(APP, &errors(40), start), Some(start + INTERVAL), "others may have stored some as well");
        assert_eq!(list.stored(APP, &errors(0), start), None, "that is due already");
        assert_eq!(list.next(start), Turn::At(start + INTERVAL));
        assert_eq!(list.stored(APP, &errors(1), start), Some(start));
        assert_eq!(list.next(start), Turn::Count(APP));
        assert_eq!(list.next(start), Turn::Idle);
        list.counted(APP, room(101));
        assert_eq!(list.stored(APP, &errors(1_000), start), Some(start + INTERVAL), "there is no hurry any more");
    }

    #[test]
    fn only_logs_that_a_rule_of_the_app_counts_matter() {
        let (mut list, start) = list();
        let warn = LevelCounts { warn: 6, ..LevelCounts::default() };
        list.stored(APP, &warn, start);
        list.next(start);
        list.counted(APP, room(0));
        assert_eq!(list.stored(APP, &warn, start), None);
        let (all, warns) = (watched(2, None, 30).condition, watched(3, Some(Level::Warn), 10).condition);
        list.counted(APP, Room::of([(&all, 12), (&warns, 3)]));
        assert_eq!(list.stored(APP, &errors(5), start), Some(start + INTERVAL));
        assert_eq!(list.stored(APP, &warn, start), Some(start), "with the six that were told before");
        assert_eq!(list.next(start), Turn::Count(APP));
        list.counted(APP, Room::of([(&all, 20), (&warns, 11)]));
        assert_eq!(list.stored(APP, &errors(11), start), Some(start), "all levels together");
    }

    #[test]
    fn what_failed_or_has_other_rules_is_tried_after_a_while_and_not_at_every_log() {
        let (mut list, start) = list();
        list.stored(APP, &errors(200), start);
        list.next(start);
        list.failed(APP, start);
        assert_eq!(list.stored(APP, &errors(500), start), None);
        assert_eq!(list.next(start), Turn::At(start + INTERVAL));
        assert_eq!(list.next(start + INTERVAL), Turn::Count(APP));
        list.counted(APP, Room::of([]));
        assert_eq!(list.stored(APP, &errors(500), start), None, "no rule counts them");
        list.changed();
        assert_eq!(list.stored(APP, &errors(1), start + INTERVAL), Some(start + INTERVAL * 2));
    }

    #[test]
    fn so_many_apps_are_remembered_and_those_that_wait_before_others() {
        let (mut list, start) = list();
        let mut heard = |app: usize| list.stored(AppId(i64::try_from(app).unwrap()), &errors(1), start).is_some();
        assert!((0..APPS_MAX).all(&mut heard));
        assert!(!heard(APPS_MAX), "all wait, and there is no place");
        for _ in 0..APPS_MAX / 2 {
            list.next(start);
        }
        list.stored(AppId(-1), &errors(1), start);
        assert_eq!((list.apps.len(), list.due.len()), (APPS_MAX / 2 + 1, APPS_MAX / 2 + 1));
    }
}
