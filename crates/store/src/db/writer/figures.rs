//! How much the writer stores at once, how long that takes, and how much waits.

use std::sync::atomic::AtomicI64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::metrics::Timing;

/// The writer's figures. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    groups: Counter,
    records: Counter,
    took: Timing,
    waiting: Gauge<i64, AtomicI64>,
}

impl Figures {
    /// Shows them.
    pub fn register(&self, registry: &mut Registry) {
        let groups =
            "Groups of requests that the writer stored or gave up, each in one transaction unless an error parts it";
        registry.register("ingest_groups", groups, self.groups.clone());
        registry.register("ingest_group_records", "Records in these groups", self.records.clone());
        registry.register("ingest_group_seconds", "How long a group took, commit included", self.took.clone());
        registry.register("ingest_waiting_bytes", "Bytes that wait in this process to be stored", self.waiting.clone());
    }

    pub(super) fn group(&self, records: usize, took: Duration) {
        self.groups.inc();
        self.records.inc_by(u64::try_from(records).unwrap_or(u64::MAX));
        self.took.note(took);
    }

    pub(super) fn waiting(&self, bytes: usize) {
        self.waiting.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}
