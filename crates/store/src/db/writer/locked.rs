//! The apps that somebody else has locked, as while one is removed with a million logs: whoever meets one waits a second
//! for it, and after that nobody waits until it is free.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use logmon_core::app::AppId;

use super::queue::Request;

/// What all threads know of them.
#[derive(Default)]
pub(super) struct Locked(Mutex<HashSet<AppId>>);

impl Locked {
    /// Notes that these are locked.
    pub(super) fn add(&self, apps: impl Iterator<Item = AppId>) {
        self.apps().extend(apps);
    }

    /// Notes that these are not.
    pub(super) fn remove(&self, apps: &HashSet<AppId>) {
        self.apps().retain(|app| !apps.contains(app));
    }

    /// Whether a request has a record of one of them.
    pub(super) fn concerns(&self, request: &Request) -> bool {
        let locked = self.apps();
        !locked.is_empty() && request.apps().any(|app| locked.contains(&app))
    }

    fn apps(&self) -> MutexGuard<'_, HashSet<AppId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
