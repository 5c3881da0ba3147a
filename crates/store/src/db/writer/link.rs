//! One connection of the writer, with a bound on every wait.
//!
//! Not Diesel's: its MySQL connection has no time-outs, takes two more round trips to send several statements at once,
//! and does not say which id an INSERT began with.

use std::time::Duration;

use chrono::DateTime;
use logmon_core::app::AppId;
use logmon_core::config::DatabaseSettings;
use logmon_core::log::{LogId, Record};
use mysql::prelude::Queryable as _;
use mysql::{Conn, Error, OptsBuilder};
use secrecy::ExposeSecret as _;
use url::Url;

use super::events::Known;
use super::{Earlier, text};
use crate::db::SQL_MODE;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long one answer may take. The client was told that its logs may not be stored by then.
const ANSWER: Duration = Duration::from_secs(3);

/// A connection.
pub(super) struct Link {
    conn: Conn,
    /// How far apart the ids of one statement are.
    pub(super) step: i64,
}

/// The ids of records that were stored by one statement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids {
    pub(super) first: i64,
    /// How far apart they are.
    pub(super) step: i64,
}

impl Ids {
    /// Of a statement that stored nothing.
    pub(super) const NONE: Self = Self { first: 0, step: 0 };

    /// The id of the record that was the statement's `number`th, from 0.
    pub(super) fn nth(self, number: usize) -> LogId {
        LogId(self.first + i64::try_from(number).unwrap_or(0) * self.step)
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
    /// The request's key is there already.
    KeyTaken,
    /// A key is there already: an event id that somebody else has just stored, where the request's own is not meant.
    Duplicate,
    /// The database does not take it.
    Refused(String),
}

impl Link {
    /// Connects.
    pub(super) fn open(settings: &DatabaseSettings) -> Result<Self, Trouble> {
        let mut conn = Conn::new(options(settings)?).map_err(unavailable)?;
        conn.query_drop("SET NAMES utf8mb4").map_err(unavailable)?;
        // The text of the statements relies on the charset and on backslash escapes.
        let session = format!(
            "SET SESSION sql_mode = '{SQL_MODE}', SESSION time_zone = '+00:00', SESSION innodb_lock_wait_timeout = 1"
        );
        conn.query_drop(session).map_err(unavailable)?;
        let step = conn.query_first("SELECT @@auto_increment_increment").map_err(unavailable)?.unwrap_or(1);
        Ok(Self { conn, step })
    }

    /// Runs a transaction in one round trip: its statements come as one text, and its first INSERT gives the ids.
    pub(super) fn run(&mut self, transaction: &str) -> Result<Ids, Trouble> {
        match self.send(transaction) {
            Ok(first) => Ok(Ids { first, step: self.step }),
            Err(error) => {
                let trouble = trouble(error);
                // What a statement in the middle did before the one that failed.
                let undone = matches!(trouble, Trouble::Unavailable(_)) || self.conn.query_drop("ROLLBACK").is_ok();
                Err(if undone { trouble } else { Trouble::Unavailable("it could not be rolled back".to_owned()) })
            }
        }
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

    /// Runs statements of a transaction whose end is still to come.
    pub(super) fn run_piece(&mut self, statements: &str) -> Result<Ids, Trouble> {
        let first = self.send(statements).map_err(trouble)?;
        Ok(Ids { first, step: self.step })
    }

    /// Takes back a transaction whose end was still to come.
    pub(super) fn roll_back(&mut self) -> Result<(), Trouble> {
        self.conn.query_drop("ROLLBACK").map_err(unavailable)
    }

    /// Which of the records' event ids are known. Asks for nothing when they have none.
    pub(super) fn known_events(&mut self, records: &[&Record]) -> Result<Known, Trouble> {
        let mut known = Known::default();
        let sql = text::known_events(records);
        if sql.is_empty() {
            return Ok(known);
        }
        let mut result = self.conn.query_iter(sql).map_err(trouble)?;
        while let Some(set) = result.iter() {
            for row in set {
                let row = mysql::from_row_opt(row.map_err(trouble)?).map_err(unavailable)?;
                let (app, event_id, id, micros): (i64, Vec<u8>, i64, i64) = row;
                let created_at = DateTime::from_timestamp_micros(micros).unwrap_or_default();
                known.add(AppId(app), event_id, Earlier { id: LogId(id), created_at });
            }
        }
        Ok(known)
    }

    /// Those of `wanted` that are apps.
    pub(super) fn known_apps(&mut self, wanted: &[AppId]) -> Result<Vec<AppId>, Trouble> {
        let ids: Vec<String> = wanted.iter().map(|app| app.0.to_string()).collect();
        let sql = format!("SELECT id FROM core_app WHERE id IN ({})", ids.join(","));
        self.conn.query_map(sql, AppId).map_err(trouble)
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

// The numbers are MySQL's and MariaDB's alike; those of Galera among them.
fn trouble(error: Error) -> Trouble {
    let Error::MySqlError(refusal) = &error else { return unavailable(error) };
    match refusal.code {
        1213 | 1180 => Trouble::Conflict(error.to_string()),
        1205 => Trouble::Locked(error.to_string()),
        1452 => Trouble::UnknownApp,
        1062 => Trouble::Duplicate,
        // Too many connections, shutting down, read-only, full, killed, not ready: whatever is sent now fails.
        1021 | 1040 | 1041 | 1047 | 1053 | 1114 | 1203 | 1290 | 1317 | 1792 | 1836 | 1927 => unavailable(error),
        _ => Trouble::Refused(error.to_string()),
    }
}

fn unavailable(error: impl std::fmt::Display) -> Trouble {
    Trouble::Unavailable(error.to_string())
}
