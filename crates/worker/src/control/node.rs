//! This worker as remote control sees it.

use std::sync::Arc;
use std::time::Instant;

use logmon_core::celery::{LamportClock, NodeName};
use logmon_core::clock::Clock;
use logmon_core::config::BrokerAddress;
use logmon_store::broker::Broker;

use crate::events::Publisher;
use crate::presence::Open;
use crate::slots::Slots;

/// This worker as remote control sees it.
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Redis, on connections that no slot can hold.
    pub broker: Broker,
    /// Where that is.
    pub address: BrokerAddress,
    /// The logical clock.
    pub lamport: Arc<LamportClock>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// When it began.
    pub began: Instant,
    /// Its events.
    pub events: Publisher,
    /// What can be asked of it and changed.
    pub open: Open,
    /// Its slots.
    pub slots: Slots,
}
