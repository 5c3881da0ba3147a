//! An app that passes the threshold of a rule is checked at once and not when the schedule comes to it, whichever process
//! stores its logs.
//!
//! Whoever stores logs adds up those of the levels that a rule counts, and never waits: one thread a process reads the rules,
//! counts the apps that are due and asks for the checks.

mod watcher;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use logmon_core::alert::{Levels, Turn, Watchlist};
use logmon_core::app::AppId;
use logmon_core::clock::Clock;
use logmon_core::config::CheckSettings;
use logmon_core::log::Level;
use logmon_core::summary::LevelCounts;

use crate::broker::Broker;
use crate::db::Database;

/// How often the rules are read, for other processes change some too.
const REFRESH: Duration = Duration::from_secs(5);

/// The apps whose logs come in. Clones share them; the thread ends with the last one.
#[derive(Clone)]
pub struct Watch {
    handle: Arc<Handle>,
}

struct Handle(Arc<Shared>);

struct Shared {
    /// The levels that a rule counts: all, while the rules are not known.
    levels: AtomicU8,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    list: Watchlist,
    life: Life,
    /// How often the rules have become others here.
    changes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Open,
    Closed,
}

/// What a request stores of the levels that a rule counts.
#[derive(Debug)]
pub struct Tally {
    levels: Levels,
    apps: BTreeMap<AppId, LevelCounts>,
}

impl Tally {
    /// Counts a log, where it matters.
    pub fn add(&mut self, app: AppId, level: Level) {
        if self.levels.has(level) {
            self.apps.entry(app).or_default().add(level, 1);
        }
    }

    /// Whether nothing that was counted matters.
    pub fn is_empty(&self) -> bool {
        self.apps.is_empty()
    }
}

impl Watch {
    /// Starts the thread that watches for what the rules say, that of the settings as `settings` have it.
    pub fn start(settings: CheckSettings, database: Database, broker: Broker, clock: Arc<dyn Clock>) -> Self {
        let state = State { list: Watchlist::default(), life: Life::Open, changes: 1 };
        let levels = AtomicU8::new(Levels::ALL.bits());
        let shared = Arc::new(Shared { levels, state: Mutex::new(state), changed: Condvar::new() });
        watcher::start(settings, database, broker, clock, Arc::clone(&shared));
        Self { handle: Arc::new(Handle(shared)) }
    }

    /// What a request stores is added up in this.
    pub fn tally(&self) -> Tally {
        let levels = Levels::from_bits(self.handle.0.levels.load(Ordering::Relaxed));
        Tally { levels, apps: BTreeMap::new() }
    }

    /// Hears that so many logs were stored. Too many do no harm: they are counted in the database.
    pub fn stored(&self, tally: &Tally) {
        if tally.is_empty() {
            return;
        }
        let (shared, now) = (&self.handle.0, Instant::now());
        let mut state = shared.state();
        let mut is_due_earlier = false;
        for (app, counts) in &tally.apps {
            is_due_earlier |= state.list.stored(*app, counts, now).is_some();
        }
        drop(state);
        if is_due_earlier {
            shared.changed.notify_one();
        }
    }

    /// Hears that the rules are others now. Until they are read the logs of every level are counted.
    pub fn rules_changed(&self) {
        let shared = &self.handle.0;
        let mut state = shared.state();
        state.changes += 1;
        shared.levels.store(Levels::ALL.bits(), Ordering::Relaxed);
        state.list.changed();
        drop(state);
        shared.changed.notify_one();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.state().life = Life::Closed;
        self.0.changed.notify_one();
    }
}

/// What the thread is to do.
enum Work {
    /// Read the rules, which have become others so often.
    Read(u64),
    /// Count an app's logs.
    Count(AppId),
}

/// When the rules are to be read again.
struct Reading {
    /// How often they had become others when they were read.
    changes: u64,
    /// Then, if they have not become others meanwhile.
    again: Instant,
    /// Not before this, whatever happens.
    not_before: Instant,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do; `None` at the end.
    fn wait(&self, reading: &Reading) -> Option<Work> {
        let mut state = self.state();
        while state.life == Life::Open {
            let now = Instant::now();
            let read_at = if state.changes == reading.changes { reading.again } else { reading.not_before };
            if read_at <= now {
                return Some(Work::Read(state.changes));
            }
            let until = match state.list.next(now) {
                Turn::Count(app) => return Some(Work::Count(app)),
                Turn::At(due) => due.min(read_at),
                Turn::Idle => read_at,
            };
            let waited = self.changed.wait_timeout(state, until.saturating_duration_since(now));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        None
    }
}
