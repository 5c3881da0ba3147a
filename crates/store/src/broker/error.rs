//! What can go wrong with Redis, sorted by what a caller can do about it.

use redis::RedisError;
use thiserror::Error;

/// A command did not succeed.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// Redis cannot be reached or takes nothing now: worth another try later. Whether the command was carried out is
    /// not known.
    #[error("Redis is unavailable: {0}")]
    Unavailable(String),
    /// Anything else.
    #[error("Redis refused: {0}")]
    Refused(RedisError),
}

// Codes of a server that is up but full, without its disk, starting, failing over, or a replica.
const UNAVAILABLE: &[&str] = &[
    "OOM",
    "MISCONF",
    "NOREPLICAS",
    "UNBLOCKED",
    "READONLY",
    "LOADING",
    "MASTERDOWN",
    "TRYAGAIN",
    "CLUSTERDOWN",
    "BUSY",
];

impl From<RedisError> for BrokerError {
    fn from(error: RedisError) -> Self {
        let out_of_reach = [redis::ErrorKind::Io, redis::ErrorKind::AuthenticationFailed].contains(&error.kind());
        // One command's, or those of a pipeline.
        let said = error.clone().into_server_errors().unwrap_or_default();
        let of_a_moment = said.iter().any(|(_, error)| UNAVAILABLE.contains(&error.code()));
        if out_of_reach || of_a_moment { Self::Unavailable(error.to_string()) } else { Self::Refused(error) }
    }
}
