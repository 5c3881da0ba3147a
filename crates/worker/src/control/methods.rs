//! What remote control can ask for: the one list.

use super::arguments::{Answer, Arguments};
use super::node::Node;
use super::{change, inspect};

/// One thing that can be asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Method {
    /// What Celery calls it, and what it once did.
    pub(super) names: &'static [&'static str],
    /// Does it. It must not wait: nobody else is answered meanwhile.
    pub(super) run: fn(&Node, Arguments<'_>) -> Answer,
}

macro_rules! methods {
    ($($($name:literal)|+ => $run:path;)*) => { &[$(Method { names: &[$($name),+], run: $run }),*] };
}

/// Every method.
pub(super) const METHODS: &[Method] = methods! {
    "ping" => inspect::ping;
    "clock" => inspect::clock;
    "stats" => inspect::stats;
    "conf" | "dump_conf" => inspect::conf;
    "report" => inspect::report;
    "registered" | "dump_tasks" => inspect::registered;
    "active_queues" => inspect::active_queues;
    "active" | "dump_active" => inspect::active;
    "reserved" | "dump_reserved" => inspect::reserved;
    "scheduled" | "dump_schedule" => inspect::scheduled;
    "revoked" | "dump_revoked" => inspect::revoked;
    "query_task" => inspect::query_task;
    "hello" => inspect::hello;
    "memsample" => inspect::memsample;
    "memdump" => inspect::memdump;
    "objgraph" => inspect::objgraph;

    "enable_events" => change::enable_events;
    "disable_events" => change::disable_events;
    "heartbeat" => change::heartbeat;
    "election" => change::election;
    "revoke" => change::revoke;
    "terminate" => change::terminate;
    "revoke_by_stamped_headers" => change::revoke_by_stamped_headers;
    "rate_limit" => change::rate_limit;
    "time_limit" => change::time_limit;
    "pool_grow" => change::pool_grow;
    "pool_shrink" => change::pool_shrink;
    "pool_restart" => change::pool_restart;
    "autoscale" => change::autoscale;
    "add_consumer" => change::add_consumer;
    "cancel_consumer" => change::cancel_consumer;
    "shutdown" => change::shutdown;
};

/// The method of this name.
pub(super) fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.names.contains(&name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::METHODS;

    #[test]
    fn a_name_means_one_method() {
        let names: Vec<&str> = METHODS.iter().flat_map(|method| method.names).copied().collect();
        let distinct: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(distinct.len(), names.len());
    }
}
