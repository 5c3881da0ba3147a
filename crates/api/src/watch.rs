//! An app whose errors pass the threshold is checked at once and not when the schedule comes to it.
//!
//! What this process stores is counted here as it goes by, so that the database is asked only when the threshold may have
//! been passed; and once a second while errors come in, for other processes store some too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::rt;
use logmon_core::alert::{Outcome, Rule};
use logmon_core::app::AppId;
use logmon_core::log::Level;
use logmon_core::tasks::{CheckErrorLogs, NoInput, Task as _};
use logmon_store::db::log_counts;

use crate::error::ApiError;
use crate::state::State;

/// How often the database is asked for an app's count while the threshold seems far.
const INTERVAL: Duration = Duration::from_secs(1);
/// For how long one check is enough, whichever process asks for it.
const ONCE: Duration = Duration::from_secs(5);

/// The apps whose errors come in. Clones share them.
#[derive(Clone)]
pub struct Watch {
    rule: Arc<Rule>,
    apps: Arc<Mutex<HashMap<AppId, Seen>>>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    /// The count when the database was asked last.
    known: u64,
    /// What this process has stored since.
    since: u64,
    asked: Instant,
    /// What the rule said then.
    outcome: Outcome,
    /// Whether the database is being asked, or will be in a moment.
    look: Look,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    None,
    Later,
    Now,
}

impl Watch {
    /// Watches for what `rule` says.
    pub fn new(rule: Rule) -> Self {
        Self { rule: Arc::new(rule), apps: Arc::default() }
    }

    /// The level whose logs are counted.
    pub fn level(&self) -> Level {
        self.rule.level
    }

    /// Hears that so many logs of the rule's level were stored for an app. Never waits: what there is to ask is asked
    /// beside the request.
    pub fn stored(&self, state: &State, app: AppId, count: u64) {
        let look = {
            let mut apps = self.apps();
            let seen = apps.entry(app).or_insert_with(Seen::never);
            seen.since += count;
            let due = seen.asked.elapsed() >= INTERVAL
                || (seen.outcome == Outcome::Calm && self.rule.evaluate(seen.known + seen.since) == Outcome::Breached);
            let look = if due { Look::Now } else { Look::Later };
            if seen.look == Look::Now || seen.look == look {
                return;
            }
            seen.look = look;
            look
        };
        let (watch, state) = (self.clone(), state.clone());
        rt::spawn(async move {
            if look == Look::Later {
                rt::time::sleep(INTERVAL).await;
            }
            if let Err(error) = watch.ask(&state, app).await {
                // The schedule's own check comes all the same.
                log::debug!(app_id = app.0; "not checked at once: {error}");
            }
        });
    }

    async fn ask(&self, state: &State, app: AppId) -> Result<(), ApiError> {
        let (asked, level) = (Instant::now(), self.rule.level);
        let since = self.rule.window_start(state.clock.now());
        let before = self.begin(app);
        let counted = state.database(move |conn| log_counts::exactly_since(conn, app, level, since)).await;
        let outcome = counted.as_ref().map_or(before, |count| self.rule.evaluate(*count));
        self.end(app, asked, counted.as_ref().copied().ok(), outcome);
        counted?;
        if before == Outcome::Calm && outcome == Outcome::Breached {
            log::info!(app_id = app.0; "the threshold was passed: checking at once");
            let task = CheckErrorLogs::call(&NoInput {}).map_err(|e| ApiError::internal(e.to_string()))?;
            let name = format!("check:{}", app.0);
            state.broker(move |broker| broker.enqueue_once(&name, ONCE, &task)).await?;
        }
        Ok(())
    }

    fn begin(&self, app: AppId) -> Outcome {
        let mut apps = self.apps();
        let seen = apps.entry(app).or_insert_with(Seen::never);
        // What is stored from now on may be missing from the answer.
        seen.since = 0;
        seen.outcome
    }

    fn end(&self, app: AppId, asked: Instant, count: Option<u64>, outcome: Outcome) {
        let mut apps = self.apps();
        let seen = apps.entry(app).or_insert_with(Seen::never);
        seen.known = count.unwrap_or(seen.known);
        (seen.asked, seen.outcome, seen.look) = (asked, outcome, Look::None);
    }

    fn apps(&self) -> MutexGuard<'_, HashMap<AppId, Seen>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn never() -> Self {
        let now = Instant::now();
        let asked = now.checked_sub(INTERVAL).unwrap_or(now);
        Self { known: 0, since: 0, asked, outcome: Outcome::Calm, look: Look::None }
    }
}
