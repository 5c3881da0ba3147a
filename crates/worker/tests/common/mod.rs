//! What the tests that call handlers share.

use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use clap::{Args as _, Command, FromArgMatches as _};
use logmon_core::clock::Clock;
use logmon_core::config::{CheckSettings, NotificationSettings};
use logmon_store::testing::{TestBroker, TestDatabase};
use logmon_store::watch::Watch;
use logmon_worker::channels::Channels;
use logmon_worker::context::{Context, SoftLimit};

/// What handlers work with, where nothing is set but these: logs are kept for 30 days, and channels may reach any address.
pub(crate) fn context(database: &TestDatabase, broker: &TestBroker, clock: Arc<dyn Clock>, zone: Tz) -> Context {
    let (check, pool) = (CheckSettings::default(), database.database.clone());
    let command = NotificationSettings::augment_args(Command::new("test"));
    let arguments = command.get_matches_from(["test", "--allow-private-targets"]);
    let settings = NotificationSettings::from_arg_matches(&arguments).unwrap();
    Context {
        channels: Arc::new(Channels::new(&settings, zone).unwrap()),
        watch: Watch::start(check.clone(), pool.clone(), broker.broker.clone(), clock.clone()),
        database: pool,
        broker: broker.broker.clone(),
        writer: database.writer().clone(),
        clock,
        check,
        retention: Duration::from_hours(30 * 24),
        zone,
        soft_limit: SoftLimit::default(),
    }
}
