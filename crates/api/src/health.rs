//! What is up and what is not: asked once a second by a thread of its own, so that answering costs nothing and never waits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use logmon_core::schedule::progress::BeatState;
use logmon_store::broker::Broker;
use logmon_store::db::schedules::{self, Entries, Entry};
use logmon_store::db::{Database, migrations};
use serde::Serialize;
use utoipa::ToSchema;

/// How often it is asked.
const INTERVAL: Duration = Duration::from_secs(1);
/// After how long without an answer a dependency counts as down.
const STALE: Duration = Duration::from_secs(4);

/// The latest findings. Clones share them.
#[derive(Clone, Default)]
pub struct Health(Arc<Mutex<Findings>>);

#[derive(Default)]
struct Findings {
    database: Option<Finding>,
    redis: Option<Finding>,
    schedule: Option<Schedule>,
    stopping: bool,
}

/// What was found of the schedule.
#[derive(Clone)]
pub struct Schedule {
    /// What the beats are like.
    pub beat: BeatState,
    /// Of each entry, for how long the oldest slot that is due has waited to be pushed; zero where none does.
    pub overdue: Vec<(String, Duration)>,
}

struct Finding {
    at: Instant,
    state: Result<(), String>,
}

/// The body of `/readyz`. What the beats are like keeps no server from being ready.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Readiness)]
pub struct Report {
    /// `ok` when the process, the database and Redis are.
    pub status: &'static str,
    /// `ok`, or `stopping` from SIGTERM on.
    pub process: &'static str,
    /// The database and its schema.
    pub database: String,
    /// Redis.
    pub redis: String,
    /// What the beats are like: `ok`, `late`, `down`; `unknown` while the database is away.
    pub beat: &'static str,
}

impl Health {
    /// What was found last.
    pub fn report(&self) -> Report {
        let findings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (database, redis) = (in_words(findings.database.as_ref()), in_words(findings.redis.as_ref()));
        let process = if findings.stopping { "stopping" } else { "ok" };
        let ready = [process, &database, &redis].into_iter().all(|state| state == "ok");
        let status = if ready { "ok" } else { "unavailable" };
        let schedule = findings.schedule.as_ref().filter(|_| database == "ok");
        let beat = schedule.map_or("unknown", |schedule| schedule.beat.as_str());
        Report { status, process, database, redis, beat }
    }

    /// What was found of the schedule last; nothing while the database is away.
    pub fn schedule(&self) -> Option<Schedule> {
        let findings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        findings.schedule.clone().filter(|_| in_words(findings.database.as_ref()) == "ok")
    }

    /// The process is to end: it is not ready from now on.
    pub fn stopping(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).stopping = true;
    }

    /// Whether the database was not there when it was asked last. One with an old schema is there.
    pub fn is_database_away(&self) -> bool {
        is_away(self.0.lock().unwrap_or_else(PoisonError::into_inner).database.as_ref())
    }

    /// Whether Redis was not there when it was asked last.
    pub fn is_redis_away(&self) -> bool {
        is_away(self.0.lock().unwrap_or_else(PoisonError::into_inner).redis.as_ref())
    }

    /// Starts the two threads that keep asking. They end with the process.
    pub fn watch(&self, database: Database, broker: Broker) {
        let health = self.clone();
        std::thread::spawn(move || {
            let note = |found| health.note_schedule(found);
            health.keep_asking("the database", |f| &mut f.database, || check_database(&database, note));
        });
        let health = self.clone();
        std::thread::spawn(move || {
            health.keep_asking("Redis", |f| &mut f.redis, || broker.ping().map_err(|e| e.to_string()));
        });
    }

    fn note_schedule(&self, found: Schedule) {
        let state = found.beat;
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).schedule.replace(found);
        if before.is_some_and(|before| before.beat == state) {
            return;
        }
        match state {
            BeatState::Ok => log::info!("a beat is at work"),
            BeatState::Late => log::warn!("the schedule is late: a slot that is due has not been pushed"),
            BeatState::Down => log::warn!("no beat is at work"),
        }
    }

    fn keep_asking(
        &self,
        name: &str,
        slot: impl Fn(&mut Findings) -> &mut Option<Finding>,
        check: impl Fn() -> Result<(), String>,
    ) {
        let mut said: Option<Result<(), String>> = None;
        loop {
            let state = check();
            if said.as_ref() != Some(&state) {
                match &state {
                    Ok(()) => log::info!("{name} is ready"),
                    Err(reason) => log::warn!("waiting for {name}: {reason}"),
                }
                said = Some(state.clone());
            }
            let finding = Finding { at: Instant::now(), state };
            *slot(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)) = Some(finding);
            std::thread::sleep(INTERVAL);
        }
    }
}

fn in_words(finding: Option<&Finding>) -> String {
    match finding {
        None => "not asked yet".to_owned(),
        Some(finding) if finding.at.elapsed() > STALE => {
            format!("no answer for {} s", finding.at.elapsed().as_secs())
        }
        Some(Finding { state: Ok(()), .. }) => "ok".to_owned(),
        // The reason may name hosts and users, so it stays in the log.
        Some(Finding { state: Err(reason), .. }) if reason.starts_with(migrations::OLD) => reason.clone(),
        Some(_) => "down".to_owned(),
    }
}

fn is_away(finding: Option<&Finding>) -> bool {
    finding.is_some_and(|finding| match &finding.state {
        Ok(()) => finding.at.elapsed() > STALE,
        Err(reason) => !reason.starts_with(migrations::OLD),
    })
}

fn check_database(database: &Database, note: impl Fn(Schedule)) -> Result<(), String> {
    let mut conn = database.get().map_err(|e| e.to_string())?;
    migrations::require_current(&mut conn).map_err(|e| e.to_string())?;
    let Entries { entries, now } = schedules::list(&mut conn).map_err(|e| e.to_string())?;
    let beat = BeatState::of(entries.iter().map(|entry| &entry.progress), now);
    let waited = |slot: DateTime<Utc>| (now - slot).to_std().unwrap_or_default();
    let overdue = |entry: Entry| (entry.name, entry.progress.overdue(now).map(waited).unwrap_or_default());
    note(Schedule { beat, overdue: entries.into_iter().map(overdue).collect() });
    Ok(())
}
