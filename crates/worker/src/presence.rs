//! How this worker is known to others: its name, its events and its remote control.

use std::sync::Arc;
use std::time::Instant;

use logmon_core::celery::{LamportClock, NodeName};
use logmon_core::clock::SystemClock;
use logmon_core::config::{BrokerAddress, BrokerSettings, RemoteSettings, Setting};
use logmon_core::stop::Stop;
use logmon_store::broker::{Broker, BrokerError};

use crate::board::Board;
use crate::control::{self, Node};
use crate::events::{Origin, Publisher, TaskEvents};
use crate::limits::Limits;
use crate::queues::Queues;
use crate::revokes::Revokes;
use crate::running::Running;
use crate::slots::Slots;
use crate::time_limits::TimeLimits;

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
    /// How long they may run.
    pub time_limits: TimeLimits,
    /// What is not to be run.
    pub revokes: Revokes,
    /// When it ends.
    pub stop: Stop,
}

/// How this worker is known.
pub struct Presence {
    name: NodeName,
    broker: Broker,
    address: BrokerAddress,
    lamport: Arc<LamportClock>,
    began: Instant,
    events: Publisher,
}

impl Presence {
    /// Makes this worker known under its name: others are told that it is there.
    ///
    /// # Errors
    /// When the address of Redis is none.
    pub fn begin(
        name: NodeName,
        redis: &BrokerSettings,
        settings: &RemoteSettings,
        running: &Running,
    ) -> Result<Self, BrokerError> {
        let broker = Broker::new(redis, CONNECTIONS)?;
        let (lamport, counted) = (Arc::new(LamportClock::default()), running.clone());
        let origin = Origin {
            broker: broker.clone(),
            node: name.clone(),
            lamport: Arc::clone(&lamport),
            clock: Arc::new(SystemClock),
            counts: Box::new(move || counted.counts()),
        };
        let events = Publisher::start(origin, if settings.task_events { TaskEvents::On } else { TaskEvents::Off });
        Ok(Self { name, broker, address: redis.address(), lamport, began: Instant::now(), events })
    }

    /// What is told of this worker's tasks.
    pub fn events(&self) -> Publisher {
        self.events.clone()
    }

    /// From now on others can ask, and have what they may change changed.
    pub fn answer(&self, open: Open, slots: Slots) {
        let node = Arc::new(Node {
            name: self.name.clone(),
            broker: self.broker.clone(),
            address: self.address.clone(),
            lamport: Arc::clone(&self.lamport),
            clock: Arc::new(SystemClock),
            began: self.began,
            events: self.events.clone(),
            open,
            slots,
        });
        control::mingle(&node);
        control::start(node);
    }
}
