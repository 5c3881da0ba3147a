//! What can go wrong with Redis, sorted by what a caller can do about it.

use redis::{RedisError, ServerErrorKind};
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

// Codes of a server that is up but full, starting, failing over or without its disk.
const UNAVAILABLE: &[&str] = &["OOM", "MISCONF", "NOREPLICAS", "UNBLOCKED"];

impl From<RedisError> for BrokerError {
    fn from(error: RedisError) -> Self {
        let kind = error.kind();
        let of_a_moment = [ServerErrorKind::ReadOnly, ServerErrorKind::BusyLoading, ServerErrorKind::MasterDown]
            .into_iter()
            .chain([ServerErrorKind::TryAgain, ServerErrorKind::ClusterDown])
            .any(|passing| kind == redis::ErrorKind::Server(passing));
        let out_of_reach = [redis::ErrorKind::Io, redis::ErrorKind::AuthenticationFailed].contains(&kind);
        let passing = of_a_moment || out_of_reach || error.code().is_some_and(|code| UNAVAILABLE.contains(&code));
        if passing { Self::Unavailable(error.to_string()) } else { Self::Refused(error) }
    }
}
