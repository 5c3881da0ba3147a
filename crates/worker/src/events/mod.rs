//! What becomes of tasks, for whoever wants to be told.

mod publisher;

pub use publisher::{Origin, Publisher, TaskEvents};

use std::time::Duration;

use logmon_core::celery::{Outcome, TaskMessage};

/// A step in the life of a task.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// This worker has it, and it is neither for later nor a dead letter.
    Received,
    /// Its handler is called.
    Started,
    /// Its run came to nothing, and it is back on its queue.
    PutBack,
    /// A run of it has ended, and Redis knows: nothing is told of a run whose message another worker has taken over.
    Ended {
        /// How.
        outcome: &'a Outcome,
        /// How long it ran.
        runtime: Duration,
    },
}

/// Is told of every step, once, by whichever thread makes it: what it does must not wait.
pub trait Events: Send + Sync {
    /// A task has made a step.
    fn tell(&self, message: &TaskMessage, event: Event<'_>);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Events for Silent {
    fn tell(&self, _: &TaskMessage, _: Event<'_>) {}
}
