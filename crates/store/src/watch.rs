//! An app whose errors pass the threshold is checked at once and not when the schedule comes to it, whichever process stores
//! them.
//!
//! One thread a process counts the apps that are due and enqueues the check. Whoever stores logs never waits for it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use logmon_core::alert::{Condition, Kind, Passing, Turn, Watchlist};
use logmon_core::app::AppId;
use logmon_core::clock::Clock;
use logmon_core::config::CheckSettings;
use logmon_core::log::Level;
use logmon_core::tasks::{CheckErrorLogs, NoInput, Task as _};

use crate::broker::Broker;
use crate::db::{Database, log_counts, rules};

/// For how long one check is enough, whichever process asks for it.
const ONCE: Duration = Duration::from_secs(5);

/// The apps whose errors come in. Clones share them; the thread ends with the last one.
#[derive(Clone)]
pub struct Watch {
    handle: Arc<Handle>,
}

struct Handle(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    list: Watchlist,
    life: Life,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Open,
    Closed,
}

impl Watch {
    /// Starts the thread that watches for what the rule `error-logs` says.
    pub fn start(settings: CheckSettings, database: Database, broker: Broker, clock: Arc<dyn Clock>) -> Self {
        // As the rule is made; what it has become is read before anything is counted.
        let (level, kind, window) = (Some(Level::Error), Kind::MoreThan(100), Duration::from_secs(600));
        let condition = settings.over(Condition { level, text: None, kind, window });
        let state = State { list: Watchlist::new(condition), life: Life::Open };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let watcher = Watcher { settings, database, broker, clock, shared: Arc::clone(&shared) };
        std::thread::spawn(move || watcher.run());
        Self { handle: Arc::new(Handle(shared)) }
    }

    /// The level whose logs are counted.
    pub fn level(&self) -> Level {
        Level::Error
    }

    /// Hears that so many logs of that level were stored for an app. Too many do no harm: they are counted in the database.
    pub fn stored(&self, app: AppId, count: u64) {
        let shared = &self.handle.0;
        if shared.state().list.stored(app, count, Instant::now()).is_some() {
            shared.changed.notify_one();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.state().life = Life::Closed;
        self.0.changed.notify_one();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for an app that is to be counted; `None` at the end.
    fn wait(&self) -> Option<AppId> {
        let mut state = self.state();
        while state.life == Life::Open {
            let now = Instant::now();
            state = match state.list.next(now) {
                Turn::Count(app) => return Some(app),
                Turn::Idle => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Turn::At(due) => {
                    let waited = self.changed.wait_timeout(state, due.saturating_duration_since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        None
    }
}

struct Watcher {
    settings: CheckSettings,
    database: Database,
    broker: Broker,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
}

impl Watcher {
    fn run(&self) {
        while let Some(app) = self.shared.wait() {
            if let Err(reason) = self.look(app) {
                // The schedule's own check comes all the same.
                log::debug!(app_id = app.0; "not checked at once: {reason}");
                self.shared.state().list.failed(app, Instant::now());
            }
        }
    }

    fn look(&self, app: AppId) -> Result<(), String> {
        let mut conn = self.database.get().map_err(|e| e.to_string())?;
        let condition = rules::error_logs(&mut conn, &self.settings).map_err(|e| e.to_string())?;
        // Of another level's logs nothing is heard, and a count says nothing of their text.
        let counted = |condition: &Condition| condition.level == Some(Level::Error) && condition.text.is_none();
        let Some(condition) = condition.filter(counted) else { return Ok(()) };
        self.shared.state().list.watch_for(&condition);
        let since = condition.window_start(self.clock.now());
        let count = log_counts::exactly_since(&mut conn, app, Level::Error, since).map_err(|e| e.to_string())?;
        drop(conn);
        if self.shared.state().list.counted(app, count) == Passing::Passed {
            log::info!(app_id = app.0; "the threshold was passed: checking at once");
            let task = CheckErrorLogs::call(&NoInput {}).map_err(|e| e.to_string())?;
            self.broker.enqueue_once(&format!("check:{}", app.0), ONCE, &task).map_err(|e| e.to_string())?;
        }
        Ok(())
    }
}
