//! One thread of the writer: takes a group, stores it, tells everybody.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::{DatabaseErrorKind, Error as QueryError};
use logmon_core::log::LogId;

use super::queue::{Job, Queue};
use super::{Record, Stored, Threads, WriteError, text};
use crate::db::{self, Connection, DbError, Retryable as _};

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

/// Why a group was not stored.
enum Failed {
    /// It may succeed later; its outcome is not known.
    Unavailable(String),
    /// The app of some record is gone.
    UnknownApp,
    /// The database does not take some record.
    Refused(String),
}

impl Session {
    fn store_group(&mut self, group: Vec<Job>) {
        let records = || group.iter().flat_map(|job| &job.records);
        match self.transaction(records().clone()) {
            Ok((first, step)) => {
                let mut next = first;
                for job in group {
                    let ids = (0..).zip(&job.records).map(|(n, _): (i64, _)| Stored::Yes(LogId(next + n * step)));
                    let stored: Vec<Stored> = ids.collect();
                    next += step * i64::try_from(job.records.len()).unwrap_or(0);
                    (job.reply)(Ok(stored));
                }
            }
            Err(Failed::Unavailable(reason)) => {
                for job in group {
                    (job.reply)(Err(WriteError::Unavailable(reason.clone())));
                }
            }
            // Somebody's record is at fault: each request by itself, and then each record.
            Err(failed) if group.len() > 1 => {
                log::debug!("a group is stored piece by piece: {}", failed.reason());
                for job in group {
                    self.store_group(vec![job]);
                }
            }
            Err(_) => {
                for job in group {
                    let stored = self.store_one_by_one(&job.records);
                    (job.reply)(stored);
                }
            }
        }
    }

    fn store_one_by_one(&mut self, records: &[Record]) -> Result<Vec<Stored>, WriteError> {
        let mut stored = Vec::with_capacity(records.len());
        for record in records {
            stored.push(match self.transaction(std::iter::once(record)) {
                Ok((id, _)) => Stored::Yes(LogId(id)),
                Err(Failed::UnknownApp) => Stored::UnknownApp,
                Err(Failed::Refused(reason)) => {
                    log::warn!(app_id = record.app.0, size_bytes = record.message.len(); "a record was refused: {reason}");
                    Stored::Refused
                }
                Err(Failed::Unavailable(reason)) => return Err(WriteError::Unavailable(reason)),
            });
        }
        Ok(stored)
    }

    /// Stores records in one transaction: the first id, and how far apart the ids are.
    fn transaction<'a>(&mut self, records: impl Iterator<Item = &'a Record> + Clone) -> Result<(i64, i64), Failed> {
        let sql = text::transaction(records);
        for attempt in 1.. {
            let link = self.link()?;
            let error = match link.conn.batch_execute(&sql) {
                Ok(()) => {
                    return FirstId
                        .get_result(&mut link.conn)
                        .map(|id| (id, link.step))
                        .map_err(|e| self.lost(e.to_string()));
                }
                Err(error) => error,
            };
            let unknown_app = matches!(&error, QueryError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _));
            let message = error.to_string();
            let error = DbError::from(error);
            if matches!(error, DbError::Unavailable(_)) || link.conn.batch_execute("ROLLBACK").is_err() {
                return Err(self.lost(message));
            }
            if error.is_retryable() && attempt < ATTEMPTS {
                std::thread::sleep(db::pause(attempt));
                continue;
            }
            if error.is_retryable() {
                return Err(Failed::Unavailable(message));
            }
            // The text of a statement that came as plain text has no kind: it is told by its number's words.
            let unknown_app = unknown_app || message.contains("foreign key constraint fails");
            return Err(if unknown_app { Failed::UnknownApp } else { Failed::Refused(message) });
        }
        Err(Failed::Unavailable("no attempt was made".to_owned()))
    }

    fn link(&mut self) -> Result<&mut Link, Failed> {
        if self.link.is_none() {
            let conn = db::connect(&self.threads.settings).and_then(|mut conn| {
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
            Self::Unavailable(reason) | Self::Refused(reason) => reason,
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
