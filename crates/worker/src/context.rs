//! What the handlers work with.

use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use logmon_core::alert::Rule;
use logmon_core::clock::Clock;
use logmon_store::broker::Broker;
use logmon_store::db::Database;
use logmon_store::db::writer::Writer;
use logmon_store::watch::Watch;

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
    /// The apps whose errors are stored here.
    pub watch: Watch,
    /// When an app's errors are too many.
    pub rule: Rule,
    /// How long logs are kept.
    pub retention: Duration,
    /// The zone that days are cut in.
    pub zone: Tz,
}
