//! What a slot says of a message that it took.

use std::time::Duration;

use logmon_core::celery::{Outcome, TaskMessage};
use logmon_store::broker::{Burial, Due, Finish};

/// What became of a message.
pub enum Report {
    /// Its run has ended.
    Ended(Box<Run>),
    /// It is not due yet.
    Delay {
        /// The name under which it is in flight.
        tag: String,
        /// When it is.
        due: Due,
    },
    /// It cannot be run.
    Bury(Burial),
}

/// A run that has ended.
pub struct Run {
    /// What was run.
    pub message: TaskMessage,
    /// What it came to.
    pub outcome: Outcome,
    /// How long that took.
    pub runtime: Duration,
    /// How often its message was fetched.
    pub deliveries: u32,
    /// How its flight ends.
    pub finish: Finish,
}
