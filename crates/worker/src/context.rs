//! What the handlers work with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono_tz::Tz;
use logmon_core::alert::Telling;
use logmon_core::clock::Clock;
use logmon_core::config::CheckSettings;
use logmon_store::broker::Broker;
use logmon_store::db::Database;
use logmon_store::db::writer::Writer;
use logmon_store::watch::Watch;

use crate::channels::Channels;

use crate::registry::Failure;

/// What the handlers work with. Clones share it.
#[derive(Clone)]
pub struct Context {
    /// The database.
    pub database: Database,
    /// Redis.
    pub broker: Broker,
    /// What stores logs.
    pub writer: Writer,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The apps whose logs are stored here.
    pub watch: Watch,
    /// When an app's errors are too many.
    pub check: CheckSettings,
    /// The way to those who are told.
    pub channels: Arc<Channels>,
    /// How long logs are kept.
    pub retention: Duration,
    /// The zone that days are cut in.
    pub zone: Tz,
    /// That of the run.
    pub soft_limit: SoftLimit,
}

impl Context {
    /// How alerts are worded.
    pub fn telling(&self) -> Telling {
        Telling { language: self.channels.language(), zone: self.zone }
    }

    /// Asked between the steps of a task that may take long: whether it may go on with the next one.
    ///
    /// # Errors
    /// [`Failure::SoftTimeLimit`] when it is over its soft time limit.
    pub fn may_go_on(&self) -> Result<(), Failure> {
        if self.soft_limit.0.load(Ordering::Relaxed) { Err(Failure::SoftTimeLimit) } else { Ok(()) }
    }
}

/// Whether a run is over its soft time limit. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct SoftLimit(Arc<AtomicBool>);

impl SoftLimit {
    /// From now on it is. Says whether it was not before.
    pub fn exceed(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}
