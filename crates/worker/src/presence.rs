//! How this worker is known to others: its name, its events and its remote control.

use std::sync::Arc;
use std::time::Instant;

use logmon_core::celery::{LamportClock, NodeName};
use logmon_core::clock::SystemClock;
use logmon_core::config::{BrokerSettings, RemoteSettings, Setting};
use logmon_core::stop::Stop;
use logmon_store::broker::{Broker, BrokerError};

use crate::board::Board;
use crate::control::{self, Node};
use crate::events::{Origin, Publisher, TaskEvents};
use crate::limits::Limits;
use crate::queues::Queues;
use crate::revokes::Revokes;
use crate::running::Running;

/// Connections to Redis that no slot can hold: for events, for remote control, and one to spare.
const CONNECTIONS: u32 = 3;

/// What the loops of this worker share, and what others may know of it and change. Clones share it.
#[derive(Clone)]
pub struct Open {
    /// Its settings.
    pub table: Arc<[Setting]>,
    /// Its queues.
    pub queues: Queues,
    /// Its slots, and what waits for one.
    pub board: Board,
    /// What runs in them.
    pub running: Running,
    /// How often tasks may begin.
    pub limits: Limits,
    /// What is not to be run.
    pub revokes: Revokes,
    /// When it ends.
    pub stop: Stop,
}

/// Makes this worker known under its name: others are told that it is there, and can ask. Gives what its events are
/// told to, and what tells others at the end that it is gone.
///
/// # Errors
/// When the address of Redis is none.
pub fn announce(
    name: &NodeName,
    redis: &BrokerSettings,
    settings: &RemoteSettings,
    open: Open,
) -> Result<Publisher, BrokerError> {
    let broker = Broker::new(redis, CONNECTIONS)?;
    let lamport = Arc::new(LamportClock::default());
    let counted = open.running.clone();
    let origin = Origin {
        broker: broker.clone(),
        node: name.clone(),
        lamport: Arc::clone(&lamport),
        clock: Arc::new(SystemClock),
        counts: Box::new(move || counted.counts()),
    };
    let events = Publisher::start(origin, if settings.task_events { TaskEvents::On } else { TaskEvents::Off });
    let node = Arc::new(Node {
        name: name.clone(),
        broker,
        address: redis.address(),
        lamport,
        clock: Arc::new(SystemClock),
        began: Instant::now(),
        events: events.clone(),
        open,
    });
    control::mingle(&node);
    control::start(node);
    Ok(events)
}
