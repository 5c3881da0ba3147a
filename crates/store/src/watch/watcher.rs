//! The thread that reads the rules, counts the apps that are due, and asks for the checks of those that pass a threshold.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use logmon_core::alert::{Needs, Passing, Passings, Room, WatchedRule, WatchedRules, minute, whole_minutes};
use logmon_core::app::AppId;
use logmon_core::clock::Clock;
use logmon_core::config::CheckSettings;
use logmon_core::log::Level;
use logmon_core::tasks::{CHECK_QUEUE, CheckApp, CheckErrorLogs, CheckedApp, NoInput, Task as _};

use super::{REFRESH, Reading, Shared, Work};
use crate::broker::{Broker, Push};
use crate::db::{Connection, Database, DbError, log_counts, rules};

/// After how long is tried again what failed.
const AGAIN: Duration = Duration::from_secs(1);
/// For how long a check is enough after its app is calm again, so that one that comes and goes is not checked all the time.
const ONCE_CALM: Duration = Duration::from_secs(5);

/// Starts the thread, which ends with the last [`super::Watch`].
pub(super) fn start(
    settings: CheckSettings,
    database: Database,
    broker: Broker,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
) {
    let now = Instant::now();
    let reading = Reading { changes: 0, again: now, not_before: now };
    let passings = Passings::default();
    let mut watcher = Watcher { settings, database, broker, clock, shared, rules: None, reading, passings };
    std::thread::spawn(move || watcher.run());
}

struct Watcher {
    settings: CheckSettings,
    database: Database,
    broker: Broker,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    /// As they were read last, if ever.
    rules: Option<WatchedRules>,
    reading: Reading,
    passings: Passings,
}

impl Watcher {
    fn run(&mut self) {
        while let Some(work) = self.shared.wait(&self.reading) {
            match work {
                Work::Read(changes) => {
                    if let Err(reason) = self.read(changes) {
                        log::debug!("the rules that are watched are not known: {reason}");
                        let later = Instant::now() + AGAIN;
                        (self.reading.again, self.reading.not_before) = (later, later);
                    }
                }
                Work::Count(app) => {
                    if let Err(reason) = self.look(app) {
                        // The schedule's own check comes all the same.
                        log::debug!(app_id = app.0; "not checked at once: {reason}");
                        self.shared.state().list.failed(app, Instant::now());
                    }
                }
            }
        }
    }

    /// Reads the rules, after they had become others `changes` times.
    fn read(&mut self, changes: u64) -> Result<(), DbError> {
        let found = rules::watched(&mut *self.database.get()?, &self.settings)?;
        let (now, levels) = (Instant::now(), found.levels());
        let mut state = self.shared.state();
        if self.rules.as_ref() != Some(&found) {
            self.rules = Some(found);
            self.passings.forget();
            state.list.changed();
        }
        // What became another meanwhile is read next.
        if state.changes == changes {
            self.shared.levels.store(levels.bits(), Ordering::Relaxed);
        }
        drop(state);
        self.reading = Reading { changes, again: now + REFRESH, not_before: now };
        Ok(())
    }

    fn look(&mut self, app: AppId) -> Result<(), String> {
        let rules = self.rules.as_ref().ok_or("the rules are not known")?;
        let rules: Vec<&WatchedRule> = rules.of(app).collect();
        let counts = count(&mut *self.database.get().map_err(text)?, app, &rules, self.clock.now()).map_err(text)?;
        let mut asking = Asking { broker: &self.broker, app, is_served: None };
        let mut calm = Vec::new();
        for (rule, count) in rules.iter().zip(&counts) {
            match self.passings.judge(app, rule, *count, Instant::now()) {
                Passing::Passed => {
                    if asking.ask(rule)? == Asked::Yes {
                        // From now on, so that the mark is gone when this one asks again.
                        self.passings.passed(app, rule, Instant::now());
                    }
                }
                Passing::Calm => calm.push(*rule),
                Passing::Same => {}
            }
        }
        let marks: Vec<String> = calm.iter().map(|rule| mark(app, rule)).collect();
        self.broker.once_for(&marks, ONCE_CALM).map_err(text)?;
        self.passings.counted(app);
        calm.iter().for_each(|rule| self.passings.calm(app, rule));
        let room = Room::of(rules.iter().map(|rule| &rule.condition).zip(counts));
        let mut state = self.shared.state();
        // By other rules there may be less.
        if state.changes == self.reading.changes {
            state.list.counted(app, room);
        }
        drop(state);
        Ok(())
    }
}

/// How many logs each rule finds from the beginning of its window until now: exactly, but where those of the minutes say it, as
/// even all of them are calm, or those are too many that lie in the window wholly.
fn count(conn: &mut Connection, app: AppId, rules: &[&WatchedRule], now: DateTime<Utc>) -> Result<Vec<u64>, DbError> {
    let minutes = |rule: &WatchedRule| rule.condition.minutes_until(now);
    let mut needs = Needs::default();
    needs.only(app);
    // The minute in which the window begins, unless it begins with it.
    let edge = |rule: &WatchedRule| {
        let start = rule.condition.window_start(now);
        whole_minutes(&(minute(start)..start))
    };
    for rule in rules {
        rule.condition.add_needs(&minutes(rule), &mut needs);
        needs.add(&edge(rule), rule.condition.level);
    }
    let counts = log_counts::load(conn, &needs)?;
    let mut exactly: HashMap<(Option<Level>, Duration), u64> = HashMap::new();
    let mut count = |rule: &&WatchedRule| {
        let condition = &rule.condition;
        let most = counts.count(app, condition.level, &minutes(rule));
        if condition.is_calm_up_to(most) {
            return Ok(most);
        }
        let least = most.saturating_sub(counts.count(app, condition.level, &edge(rule)));
        if !condition.is_calm_up_to(least) {
            return Ok(least);
        }
        let place = (condition.level, condition.window);
        if let Some(found) = exactly.get(&place) {
            return Ok(*found);
        }
        let found = log_counts::exactly_since(conn, app, condition.level, condition.window_start(now))?;
        exactly.insert(place, found);
        Ok(found)
    };
    rules.iter().map(&mut count).collect()
}

/// Whether a check was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// It was, here or elsewhere.
    Yes,
    /// Nobody would do it.
    No,
}

/// The asking for the checks of an app.
struct Asking<'a> {
    broker: &'a Broker,
    app: AppId,
    /// Whether a worker of ours serves their queue, once it was asked.
    is_served: Option<bool>,
}

impl Asking<'_> {
    /// Asks for the check of a rule, once a minute for all processes while the app is not calm. Where no worker of ours would do it, the seed's task does so for
    /// the seed's rule, whoever runs that.
    fn ask(&mut self, rule: &WatchedRule) -> Result<Asked, String> {
        let is_served = match self.is_served {
            Some(is_served) => is_served,
            None => self.broker.is_served(CHECK_QUEUE).map_err(text)?,
        };
        self.is_served = Some(is_served);
        let (task, enough) = if is_served {
            (CheckApp::call(&CheckedApp { app: self.app, rule: rule.id }), rule.enough_for())
        } else if rule.is_of_the_settings() {
            // All that is asked for lies there until a worker comes, and each looks at all apps.
            (CheckErrorLogs::call(&NoInput {}), rule.condition.window)
        } else {
            return Ok(Asked::No);
        };
        let task = task.map_err(text)?;
        let pushed = self.broker.enqueue_once(&mark(self.app, rule), enough, &task).map_err(text)?;
        if pushed == Push::Now {
            log::info!(app_id = self.app.0, rule_id = rule.id.0; "a threshold was passed: checking at once");
        }
        Ok(Asked::Yes)
    }
}

/// Under what a check is asked for once: another threshold is passed anew.
fn mark(app: AppId, rule: &WatchedRule) -> String {
    let condition = &rule.condition;
    let level = condition.level.map_or("all", Level::as_str);
    let (threshold, window) = (condition.threshold(), condition.window.as_secs());
    format!("check:{}:{}:{level}:{threshold}:{window}", app.0, rule.id.0)
}

fn text<E: std::error::Error>(error: E) -> String {
    error.to_string()
}
