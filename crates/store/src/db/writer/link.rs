//! One connection of the writer, with a bound on every wait.
//!
//! Not Diesel's: its MySQL connection has no time-outs, takes two more round trips to send several statements at once,
//! and does not say which id an INSERT began with.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use chrono::DateTime;
use logmon_core::app::AppId;
use logmon_core::config::DatabaseSettings;
use logmon_core::log::{LogId, Record};
use mysql::prelude::Queryable as _;
use mysql::{Conn, Error, OptsBuilder};
use secrecy::ExposeSecret as _;
use url::Url;

use super::events::Known;
use super::{Earlier, Key, text};
use crate::db::{SQL_MODE, guard};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long one answer may take. The client was told that its logs may not be stored by then.
const ANSWER: Duration = Duration::from_secs(3);
/// After how many idle seconds the server ends a connection: what a process that vanished without a word has begun stays
/// locked for as long.
const SERVER_PATIENCE: u32 = 60;
/// After how long without use a connection is tried before something is sent on it.
const TRUSTED: Duration = Duration::from_secs(1);

/// A connection. Whatever is done on it belongs to a transaction, which begins by itself: a BEGIN would cost a twentieth of one
/// of few records. Whoever does something ends it.
pub(super) struct Link {
    conn: Conn,
    /// How far apart the ids of one statement are.
    pub(super) step: i64,
    /// How many bytes what is sent at once may have.
    pub(super) room: usize,
    /// How a query locks rows that it shares with others, and leaves out those that are locked.
    share: &'static str,
    used_at: Instant,
}

/// What the server takes besides a text, and more than a text's fixed parts.
const ENVELOPE: usize = 1_024;

/// The ids of records that were stored by a few statements.
#[derive(Debug)]
pub(super) struct Ids {
    /// How many records were stored before each statement, and its first id.
    statements: Vec<(usize, i64)>,
    count: usize,
    /// How far apart the ids of one statement are.
    step: i64,
}

impl Ids {
    /// Of no statement.
    pub(super) fn none(step: i64) -> Self {
        Self { statements: Vec::new(), count: 0, step }
    }

    /// Of one statement.
    pub(super) fn of_one(first: i64, step: i64) -> Self {
        Self { statements: vec![(0, first)], count: 0, step }
    }

    /// Adds those of the next statement, which stored `count` records.
    pub(super) fn add(&mut self, count: usize, first: i64) {
        self.statements.push((self.count, first));
        self.count += count;
    }

    /// The id of the `number`th record, from 0.
    pub(super) fn nth(&self, number: usize) -> LogId {
        let after = self.statements.partition_point(|(before, _)| *before <= number);
        let (before, first) = self.statements.get(after.saturating_sub(1)).copied().unwrap_or_default();
        LogId(first + i64::try_from(number - before).unwrap_or(0) * self.step)
    }
}

/// Why a transaction did not come to its end. None of it is stored, but after [`Trouble::Unavailable`] that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The connection is of no more use.
    Unavailable(String),
    /// Another transaction was in the way, and this one was given up for its sake: again.
    Conflict(String),
    /// Somebody else holds a lock and does not let go.
    Locked(String),
    /// An app is not there.
    UnknownApp,
    /// A request's key is there already.
    KeyTaken,
    /// Somebody else is storing a request with the same key and does not come to an end.
    KeyLocked(String),
    /// The answer to a request with a key is larger than what the database takes at once.
    AnswerTooLarge,
    /// A key is there already: an event id that somebody else has just stored, where the request's own is not meant.
    Duplicate,
    /// The database does not take it.
    Refused(String),
}

impl Link {
    /// Connects.
    pub(super) fn open(settings: &DatabaseSettings) -> Result<Self, Trouble> {
        let turn = guard::turn();
        let connected = Conn::new(options(settings)?);
        drop(turn);
        let mut conn = connected.map_err(|e| unavailable(&e))?;
        conn.query_drop("SET NAMES utf8mb4").map_err(|e| unavailable(&e))?;
        // The text of the statements relies on the charset and on backslash escapes.
        let session = format!(
            "SET SESSION sql_mode = '{SQL_MODE}', SESSION time_zone = '+00:00', SESSION innodb_lock_wait_timeout = 1,
             SESSION wait_timeout = {SERVER_PATIENCE}, SESSION autocommit = 0"
        );
        conn.query_drop(session).map_err(|e| unavailable(&e))?;
        let asked = "SELECT @@auto_increment_increment, @@max_allowed_packet, @@version";
        let said: Option<(i64, usize, String)> = conn.query_first(asked).map_err(|e| unavailable(&e))?;
        let (step, packet, version) = said.unwrap_or_else(|| (1, 1 << 20, String::new()));
        let share = if version.contains("MariaDB") { "LOCK IN SHARE MODE" } else { "FOR SHARE" };
        Ok(Self { conn, step, room: packet.saturating_sub(ENVELOPE), share, used_at: Instant::now() })
    }

    /// Whether it can still be used: the server, or something on the way, may have ended it while it was idle.
    pub(super) fn is_alive(&mut self) -> bool {
        let is_alive = self.used_at.elapsed() < TRUSTED || self.conn.ping().is_ok();
        self.used_at = Instant::now();
        is_alive
    }

    /// Runs statements in one round trip, and gives the id that their first INSERT began with. Where one of them fails,
    /// those before it stay done: the caller takes them back.
    pub(super) fn run(&mut self, statements: &str) -> Result<i64, Trouble> {
        Ok(self.send(statements)?)
    }

    fn send(&mut self, transaction: &str) -> Result<i64, Error> {
        let mut result = self.conn.query_iter(transaction)?;
        let mut first = 0;
        while let Some(set) = result.iter() {
            if first == 0 {
                first = set.last_insert_id().and_then(|id| i64::try_from(id).ok()).unwrap_or(0);
            }
            for row in set {
                row?;
            }
        }
        Ok(first)
    }

    /// Takes back a transaction that did not come to its end.
    pub(super) fn roll_back(&mut self) -> Result<(), Trouble> {
        self.conn.query_drop("ROLLBACK").map_err(|e| unavailable(&e))
    }

    /// Which of the records' event ids are known, in a transaction of its own. Asks for nothing when they have none.
    pub(super) fn known_events(&mut self, records: &[&Record]) -> Result<Known, Trouble> {
        let mut known = Known::default();
        for sql in text::known_events(records, self.room) {
            let mut result = self.conn.query_iter(sql + text::COMMIT)?;
            while let Some(set) = result.iter() {
                for row in set {
                    let row = mysql::from_row_opt(row?).map_err(|e| Trouble::Unavailable(e.to_string()))?;
                    let (app, event_id, id, micros): (i64, Vec<u8>, i64, i64) = row;
                    let created_at = DateTime::from_timestamp_micros(micros).unwrap_or_default();
                    known.add(AppId(app), event_id, Earlier { id: LogId(id), created_at });
                }
            }
        }
        Ok(known)
    }

    /// Those of `wanted` under which a request was stored; leaves the transaction to its caller.
    pub(super) fn taken_keys(&mut self, wanted: &[&Key]) -> Result<HashSet<Vec<u8>>, Trouble> {
        let mut taken = HashSet::new();
        for sql in text::taken_keys(wanted, self.room) {
            let found: Vec<Vec<u8>> = self.conn.query(sql)?;
            taken.extend(found);
        }
        Ok(taken)
    }

    /// Those of `wanted` that are apps.
    pub(super) fn known_apps(&mut self, wanted: &HashSet<AppId>) -> Result<HashSet<AppId>, Trouble> {
        self.find_apps(wanted, "")
    }

    /// Those of `wanted` that nobody else has locked.
    pub(super) fn free_apps(&mut self, wanted: &HashSet<AppId>) -> Result<HashSet<AppId>, Trouble> {
        let rows = format!(" {} SKIP LOCKED", self.share);
        self.find_apps(wanted, &rows)
    }

    fn find_apps(&mut self, wanted: &HashSet<AppId>, rows: &str) -> Result<HashSet<AppId>, Trouble> {
        let ids: Vec<String> = wanted.iter().map(|app| app.0.to_string()).collect();
        // Another index has the ids too, but not the locks.
        let table = "core_app FORCE INDEX (PRIMARY)";
        let sql = format!("SELECT id FROM {table} WHERE id IN ({}){rows}{}", ids.join(","), text::COMMIT);
        Ok(self.conn.query_map(sql, AppId)?.into_iter().collect())
    }
}

fn options(settings: &DatabaseSettings) -> Result<OptsBuilder, Trouble> {
    let url = Url::parse(settings.database_url.expose_secret())
        .map_err(|e| Trouble::Unavailable(format!("DATABASE_URL: {e}")))?;
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let socket = url.query_pairs().find(|(name, _)| name == "unix_socket").map(|(_, path)| path.into_owned());
    Ok(OptsBuilder::new()
        .ip_or_hostname(url.host_str())
        .tcp_port(url.port().unwrap_or(3306))
        .socket(socket)
        .prefer_socket(false)
        .user(Some(decode(url.username())))
        .pass(url.password().map(decode))
        .db_name(Some(decode(url.path().trim_start_matches('/'))))
        .tcp_connect_timeout(Some(CONNECT))
        .read_timeout(Some(ANSWER))
        .write_timeout(Some(ANSWER)))
}

impl From<Error> for Trouble {
    // The numbers are MySQL's and MariaDB's alike; those of Galera among them.
    fn from(error: Error) -> Self {
        let Error::MySqlError(refusal) = &error else { return unavailable(&error) };
        match refusal.code {
            1213 | 1180 => Self::Conflict(in_words(&error)),
            1205 => Self::Locked(in_words(&error)),
            1452 => Self::UnknownApp,
            1062 => Self::Duplicate,
            // Too many connections, shutting down, read-only, full, killed, not ready: whatever is sent now fails.
            1021 | 1040 | 1041 | 1047 | 1053 | 1114 | 1203 | 1290 | 1317 | 1792 | 1836 | 1927 => unavailable(&error),
            _ => Self::Refused(in_words(&error)),
        }
    }
}

fn unavailable(error: &Error) -> Trouble {
    Trouble::Unavailable(in_words(error))
}

/// The cause by itself, out of the client library's types; of what the system calls a time-out, what it means.
fn in_words(error: &Error) -> String {
    let cause = match error {
        Error::IoError(cause) => cause.to_string(),
        Error::CodecError(cause) => cause.to_string(),
        Error::DriverError(cause) => cause.to_string(),
        Error::MySqlError(refusal) => refusal.to_string(),
        other => other.to_string(),
    };
    match kind_in(&cause) {
        Some(ErrorKind::WouldBlock | ErrorKind::TimedOut) => format!("no answer within {} s", ANSWER.as_secs()),
        _ => cause,
    }
}

// The library does not let the system's error out of its own, but for the text.
fn kind_in(cause: &str) -> Option<ErrorKind> {
    let (_, code) = cause.rsplit_once("(os error ")?;
    let (code, _) = code.split_once(')')?;
    Some(std::io::Error::from_raw_os_error(code.parse().ok()?).kind())
}
