//! The apps that are known to exist: no request asks the database for one that has sent logs before.
//!
//! One that was removed is found when its logs are stored; a thread finds it where nobody stores any, because they are only
//! queued.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use logmon_core::app::AppId;
use logmon_store::db::{Database, DbError, apps};

/// How often the known apps are looked for.
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
    pub fn add(&self, found: Vec<AppId>) -> Arc<HashSet<AppId>> {
        self.change(|apps| apps.extend(found))
    }

    /// Forgets an app that is gone.
    pub fn remove(&self, app: AppId) {
        self.change(|apps| {
            apps.remove(&app);
        });
    }

    /// Starts the thread that forgets those that are gone. It ends with the process.
    pub fn watch(&self, database: Database) {
        let apps = self.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(INTERVAL);
                // Without the database nobody knows which are gone: all are kept.
                if let Err(error) = apps.look(&database) {
                    log::debug!("whether the apps are still there is not known: {error}");
                }
            }
        });
    }

    fn look(&self, database: &Database) -> Result<(), DbError> {
        let known: Vec<AppId> = self.all().iter().copied().collect();
        let found: HashSet<AppId> = apps::known(&mut *database.get()?, &known)?.into_iter().collect();
        for app in known.into_iter().filter(|app| !found.contains(app)) {
            log::info!(app_id = app.0; "an app is gone");
            self.remove(app);
        }
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut HashSet<AppId>)) -> Arc<HashSet<AppId>> {
        let mut apps = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut apps));
        Arc::clone(&apps)
    }
}
