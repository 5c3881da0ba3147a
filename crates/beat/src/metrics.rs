//! What beat tells those who watch it: what it pushed, how late, and whether it still looks at the clock.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use logmon_core::stop::Stop;
use logmon_store::metrics::{Pulse, Ready, registry};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// How long a turn may take: the next slot is at most a second away, and the database or Redis answer within another few.
const PATIENCE: Duration = Duration::from_secs(10);

/// The figures. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    pushed: Family<Entry, Counter>,
    lag: Family<Entry, Gauge<f64, AtomicU64>>,
    /// Beats at each turn that was done.
    pub turns: Pulse,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Entry {
    entry: &'static str,
}

impl Figures {
    /// A slot was pushed so long after its time.
    pub fn pushed(&self, entry: &'static str, late: Duration) {
        self.pushed.get_or_create(&Entry { entry }).inc();
        self.lag.get_or_create(&Entry { entry }).set(late.as_secs_f64());
    }

    /// Everything there is to be seen.
    pub fn registry(&self) -> Registry {
        let mut registry = registry();
        registry.register("schedule_pushed", "Slots that this beat pushed", self.pushed.clone());
        registry.register("schedule_lag_seconds", "How late its last push was", self.lag.clone());
        registry
    }

    /// Whether it looks at the clock, and goes on.
    pub fn ready(&self, stop: &Stop) -> Ready {
        Ready::from([
            ("process", if stop.is_raised() { Err("stopping".to_owned()) } else { Ok(()) }),
            ("schedule", self.turns.within(PATIENCE)),
        ])
    }
}
