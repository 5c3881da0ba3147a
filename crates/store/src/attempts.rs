//! Why no connection to a server could be made last, for all who wait for one: a pool tells only the first of them, and the
//! others no more than that they waited.

use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};

/// How the last attempt to connect to a server ended. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Attempts {
    /// Which server: without users and passwords.
    server: Arc<str>,
    failure: Arc<Mutex<Option<String>>>,
}

impl Attempts {
    /// None yet.
    pub(crate) fn at(server: impl Display) -> Self {
        Self { server: server.to_string().into(), failure: Arc::default() }
    }

    /// Hears how one ended.
    pub(crate) fn hear<T, E: Display>(&self, attempt: Result<T, E>) -> Result<T, E> {
        let failure = attempt.as_ref().err().map(ToString::to_string);
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
        attempt
    }

    /// What is said to who got no connection: why the last attempt failed, or what they are told where none did.
    pub(crate) fn explain(&self, told: &impl Display) -> String {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        format!("{}: {}", self.server, failure.unwrap_or_else(|| told.to_string()))
    }
}
