//! What can go wrong with the database, sorted by what a caller can do about it.

use diesel::result::{DatabaseErrorKind, Error as QueryError};
use thiserror::Error;

use super::Retryable;

/// A statement did not succeed.
#[derive(Debug, Error)]
pub enum DbError {
    /// The database cannot be reached or takes nothing now: worth another try later.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// It was given up at the deadline that was set for it.
    #[error("a statement took too long")]
    TooSlow,
    /// Anything else.
    #[error("the database refused: {0}")]
    Query(QueryError),
}

// libmariadb gives Diesel only a text for these, so the text is what can be told apart.
const UNAVAILABLE: &[&str] = &[
    "server has gone away",
    "Lost connection",
    "Server has gone away",
    "Can't connect",
    "Can't create",
    "Connection was killed",
    "Too many connections",
    "--read-only",
    "read_only",
    "The table '",
    "No space left",
    "Server shutdown in progress",
    "WSREP has not yet prepared",
];
const TOO_SLOW: &[&str] = &["max_statement_time exceeded", "maximum statement execution time exceeded"];
const RETRYABLE: &[&str] = &["Deadlock found", "Lock wait timeout", "WSREP", "Got error 1180"];

impl From<QueryError> for DbError {
    fn from(error: QueryError) -> Self {
        if matches!(&error, QueryError::DatabaseError(_, info) if contains_any(info.message(), TOO_SLOW)) {
            return Self::TooSlow;
        }
        let gone = match &error {
            QueryError::DatabaseError(DatabaseErrorKind::ClosedConnection, info) => Some(info.message().to_owned()),
            QueryError::DatabaseError(_, info) if contains_any(info.message(), UNAVAILABLE) => {
                Some(info.message().to_owned())
            }
            QueryError::BrokenTransactionManager => Some(error.to_string()),
            _ => None,
        };
        gone.map_or(Self::Query(error), Self::Unavailable)
    }
}

impl Retryable for DbError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::TooSlow => false,
            Self::Query(QueryError::DatabaseError(DatabaseErrorKind::SerializationFailure, _)) => true,
            Self::Query(QueryError::DatabaseError(_, info)) => contains_any(info.message(), RETRYABLE),
            Self::Query(_) => false,
        }
    }
}

fn contains_any(message: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| message.contains(part))
}
