//! The apps that are known to exist: no request asks the database for one of them, and logs can be queued while it is away.
//!
//! A thread reads which there are. One that was removed is also found when its logs are stored.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use logmon_core::app::AppId;
use logmon_store::db::{Database, DbError, apps};

/// How often it is read which apps there are.
const INTERVAL: Duration = Duration::from_secs(2);

/// The apps. Clones share them.
#[derive(Clone, Default)]
pub struct Apps(Arc<RwLock<Arc<HashSet<AppId>>>>);

impl Apps {
    /// All of them.
    pub fn all(&self) -> Arc<HashSet<AppId>> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds apps that were found, and gives all.
    pub fn add(&self, found: impl IntoIterator<Item = AppId>) -> Arc<HashSet<AppId>> {
        self.change(|apps| apps.extend(found))
    }

    /// Forgets an app that is gone.
    pub fn remove(&self, app: AppId) {
        self.change(|apps| {
            apps.remove(&app);
        });
    }

    /// Starts the thread that learns of new ones, and forgets those that are gone. It ends with the process.
    pub fn watch(&self, database: Database) {
        let apps = self.clone();
        std::thread::spawn(move || {
            loop {
                // Without the database nobody knows which are gone: all are kept.
                if let Err(error) = apps.look(&database) {
                    log::debug!("which apps there are is not known: {error}");
                }
                std::thread::sleep(INTERVAL);
            }
        });
    }

    fn look(&self, database: &Database) -> Result<(), DbError> {
        let known = self.all();
        let found: HashSet<AppId> = apps::ids(&mut *database.get()?)?.into_iter().collect();
        for app in known.difference(&found) {
            log::info!(app_id = app.0; "an app is gone");
            self.remove(*app);
        }
        if !found.is_subset(&known) {
            log::debug!(count = found.len(); "the apps are known");
            self.add(found);
        }
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut HashSet<AppId>)) -> Arc<HashSet<AppId>> {
        let mut apps = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut apps));
        Arc::clone(&apps)
    }
}
