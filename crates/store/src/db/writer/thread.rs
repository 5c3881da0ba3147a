//! One thread of the writer: takes a group, stores it, tells everybody.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use logmon_core::app::AppId;
use logmon_core::log::LogId;

use super::queue::{Job, Queue};
use super::{Record, Stored, Threads, WriteError, text};
use crate::db::{self, Connection, DbError, Retryable as _, apps};

/// How long a transaction may take before another thread is started in the place of the one that waits for it. The
/// client library has no bound of its own on a peer that is silent.
const STUCK: Duration = Duration::from_secs(3);
/// How often a group is tried that the database gave up for another one's sake.
const ATTEMPTS: u32 = 5;

/// What a thread does at the moment, as the supervisor sees it.
#[derive(Default)]
pub(super) struct Slot(Mutex<Activity>);

#[derive(Default, Clone, Copy)]
struct Activity {
    busy_since: Option<Instant>,
    place: Place,
}

/// Whether a thread goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// It does.
    #[default]
    Kept,
    /// It was stuck for so long that another one has its place.
    Taken,
}

impl Slot {
    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the thread is stuck; says so once.
    pub(super) fn is_newly_stuck(&self) -> bool {
        let mut activity = self.activity();
        let stuck = activity.busy_since.is_some_and(|since| since.elapsed() > STUCK);
        let newly = stuck && activity.place == Place::Kept;
        if newly {
            activity.place = Place::Taken;
        }
        newly
    }
}

/// Starts a thread.
pub(super) fn start(queue: Arc<Queue>, threads: Arc<Threads>) {
    let slot = threads.register();
    std::thread::spawn(move || {
        let mut session = Session { threads: Arc::clone(&threads), link: None };
        while let Some(group) = queue.take() {
            slot.activity().busy_since = Some(Instant::now());
            session.store_group(group);
            let mut activity = slot.activity();
            activity.busy_since = None;
            if activity.place == Place::Taken {
                break;
            }
        }
        threads.unregister(&slot);
    });
}

struct Session {
    threads: Arc<Threads>,
    link: Option<Link>,
}

struct Link {
    conn: Connection,
    /// How far apart the ids of one statement are.
    step: i64,
}

/// Why records were not stored.
enum Failed {
    /// They may be stored later; whether they are now is not known.
    Unavailable(String),
    /// Somebody else holds a lock on the app of some record: nothing was stored.
    Locked(String),
    /// The app of some record is gone: nothing was stored.
    UnknownApp,
    /// The database does not take some record: nothing was stored.
    Refused(String),
}

/// The ids of records that were stored in one transaction.
#[derive(Debug, Clone, Copy)]
struct Ids {
    first: i64,
    /// How far apart they are.
    step: i64,
}

impl Ids {
    fn stored(self) -> impl Iterator<Item = Stored> {
        (0..).map(move |number: i64| Stored::Yes(LogId(self.first + number * self.step)))
    }
}

impl Session {
    fn store_group(&mut self, group: Vec<Job>) {
        let deadline = group.iter().map(|job| job.deadline).max().unwrap_or_else(Instant::now);
        match self.transaction(group.iter().flat_map(|job| &job.records), deadline) {
            Ok(ids) => {
                let mut stored = ids.stored();
                for job in group {
                    let own = stored.by_ref().take(job.records.len()).collect();
                    (job.reply)(Ok(own));
                }
            }
            Err(Failed::Unavailable(reason)) => {
                for job in group {
                    (job.reply)(Err(WriteError::Unavailable(reason.clone())));
                }
            }
            // Somebody's records are at fault: each request by itself.
            Err(failed) => {
                log::debug!("a group is stored request by request: {}", failed.reason());
                self.store_each(group);
            }
        }
    }

    /// Stores requests one by one. One whose app is locked keeps only the others of that app waiting.
    fn store_each(&mut self, group: Vec<Job>) {
        let mut locked: HashSet<AppId> = HashSet::new();
        for job in group {
            let apps = || job.records.iter().map(|record| record.app);
            let stored = if apps().any(|app| locked.contains(&app)) {
                Err(Failed::Locked("its app is locked".to_owned()))
            } else {
                self.store_one(&job)
            };
            if matches!(stored, Err(Failed::Locked(_))) {
                locked.extend(apps());
            }
            (job.reply)(stored.map_err(|failed| WriteError::Unavailable(failed.reason().to_owned())));
        }
    }

    /// Stores a request without the records that stand in the way: those of apps that are gone, and if that is not it,
    /// each record by itself.
    fn store_one(&mut self, job: &Job) -> Result<Vec<Stored>, Failed> {
        match self.transaction(job.records.iter(), job.deadline) {
            Ok(ids) => return Ok(ids.stored().take(job.records.len()).collect()),
            Err(failed @ (Failed::Unavailable(_) | Failed::Locked(_))) => return Err(failed),
            Err(Failed::UnknownApp | Failed::Refused(_)) => {}
        }
        let known = self.known_apps(&job.records)?;
        let good: Vec<&Record> = job.records.iter().filter(|record| known.contains(&record.app)).collect();
        let mut stored = self.store_records(&good, job.deadline)?.into_iter();
        let outcome = |record: &Record| {
            if known.contains(&record.app) { stored.next().unwrap_or(Stored::Refused) } else { Stored::UnknownApp }
        };
        Ok(job.records.iter().map(outcome).collect())
    }

    fn store_records(&mut self, records: &[&Record], deadline: Instant) -> Result<Vec<Stored>, Failed> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        match self.transaction(records.iter().copied(), deadline) {
            Ok(ids) => return Ok(ids.stored().take(records.len()).collect()),
            Err(failed @ (Failed::Unavailable(_) | Failed::Locked(_))) => return Err(failed),
            Err(Failed::UnknownApp | Failed::Refused(_)) => {}
        }
        let mut stored = Vec::with_capacity(records.len());
        for record in records {
            stored.push(match self.transaction(std::iter::once(*record), deadline) {
                Ok(ids) => Stored::Yes(LogId(ids.first)),
                Err(Failed::UnknownApp) => Stored::UnknownApp,
                Err(Failed::Refused(reason)) => {
                    let (app_id, size_bytes) = (record.app.0, record.message.len());
                    log::warn!(app_id, size_bytes; "a record was refused: {reason}");
                    Stored::Refused
                }
                Err(failed @ (Failed::Unavailable(_) | Failed::Locked(_))) => return Err(failed),
            });
        }
        Ok(stored)
    }

    fn known_apps(&mut self, records: &[Record]) -> Result<HashSet<AppId>, Failed> {
        let mut wanted: Vec<AppId> = records.iter().map(|record| record.app).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let known = apps::known(&mut self.link()?.conn, &wanted).map_err(|e| Failed::Unavailable(e.to_string()))?;
        Ok(known.into_iter().collect())
    }

    /// Stores records in one transaction. It is not begun after `deadline`: by then their clients were told that it may
    /// have failed, and send them again.
    fn transaction<'a>(
        &mut self,
        records: impl Iterator<Item = &'a Record> + Clone,
        deadline: Instant,
    ) -> Result<Ids, Failed> {
        let sql = text::transaction(records);
        let mut attempt = 1;
        loop {
            if Instant::now() >= deadline {
                return Err(Failed::Unavailable("it took too long".to_owned()));
            }
            let link = self.link()?;
            let Err(error) = link.conn.batch_execute(&sql) else {
                let first = FirstId.get_result(&mut link.conn).map(|first| Ids { first, step: link.step });
                return first.map_err(|e| self.lost(e.to_string()));
            };
            let message = error.to_string();
            let error = DbError::from(error);
            if matches!(error, DbError::Unavailable(_)) || link.conn.batch_execute("ROLLBACK").is_err() {
                return Err(self.lost(message));
            }
            // Statements that came as plain text fail without a kind: it is told by the words.
            if message.contains("foreign key constraint fails") {
                return Err(Failed::UnknownApp);
            }
            if message.contains("Lock wait timeout") {
                return Err(Failed::Locked(message));
            }
            if !error.is_retryable() {
                return Err(Failed::Refused(message));
            }
            if attempt == ATTEMPTS {
                return Err(Failed::Unavailable(message));
            }
            std::thread::sleep(db::pause(attempt));
            attempt += 1;
        }
    }

    fn link(&mut self) -> Result<&mut Link, Failed> {
        if self.link.is_none() {
            let conn = db::connect(&self.threads.settings).and_then(|mut conn| {
                // Who waits for a lock keeps others from being stored: they are stored without him then.
                conn.batch_execute("SET SESSION innodb_lock_wait_timeout = 1")?;
                let step = db::number(&mut conn, "SELECT CAST(@@auto_increment_increment AS SIGNED) AS value")?;
                Ok(Link { conn, step })
            });
            self.link = Some(conn.map_err(|e| Failed::Unavailable(e.to_string()))?);
        }
        self.link.as_mut().ok_or_else(|| Failed::Unavailable("no connection".to_owned()))
    }

    fn lost(&mut self, reason: String) -> Failed {
        self.link = None;
        Failed::Unavailable(reason)
    }
}

impl Failed {
    fn reason(&self) -> &str {
        match self {
            Self::Unavailable(reason) | Self::Locked(reason) | Self::Refused(reason) => reason,
            Self::UnknownApp => "an app is gone",
        }
    }
}

/// `SELECT @logmon_first`, which is prepared once a connection.
#[derive(Debug, Clone, Copy, QueryId)]
struct FirstId;

impl Query for FirstId {
    type SqlType = diesel::sql_types::Bigint;
}

impl RunQueryDsl<MysqlConnection> for FirstId {}

impl QueryFragment<diesel::mysql::Mysql> for FirstId {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, diesel::mysql::Mysql>) -> QueryResult<()> {
        out.push_sql("SELECT CAST(@logmon_first AS SIGNED)");
        Ok(())
    }
}
