//! What a slot says of a message that it took.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use logmon_core::celery::{ChordPart, Outcome, ResultPolicy, Sequel, TaskId, TaskMessage};
use logmon_store::broker::{Burial, Due, Finish, Keep, Publish};

/// What became of a message.
pub enum Report {
    /// Its run has begun, and its result is to say so.
    Started {
        /// The task.
        task: TaskId,
        /// The document.
        document: String,
    },
    /// Its run has ended.
    Ended(Box<Run>),
    /// It is not due yet.
    Delay {
        /// The name under which it is in flight.
        tag: String,
        /// When it is.
        due: Due,
    },
    /// It goes back to its queue for a moment, for the database takes nothing.
    PutBack {
        /// The name under which it is in flight.
        tag: String,
    },
    /// It cannot be run.
    Bury(Burial),
}

impl Report {
    /// The name under which the message is in flight whose flight ends with this.
    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::Started { .. } => None,
            Self::Ended(run) => Some(&run.finish.tag),
            Self::Delay { tag, .. } | Self::PutBack { tag } => Some(tag),
            Self::Bury(burial) => Some(&burial.tag),
        }
    }
}

/// A run that has ended.
pub struct Run {
    /// What was run.
    pub message: Arc<TaskMessage>,
    /// What it came to.
    pub outcome: Outcome,
    /// How long that took.
    pub runtime: Duration,
    /// How often its message was fetched.
    pub deliveries: u32,
    /// How its flight ends.
    pub finish: Finish,
    /// The chords that it counts for.
    pub parts: Vec<ChordPart>,
}

impl Run {
    /// What follows goes into the end of the run's flight; `results` says whether anybody wants to know of tasks that
    /// will not run.
    pub fn add(&mut self, sequel: Sequel, results: ResultPolicy, now: DateTime<Utc>) {
        let finish = &mut self.finish;
        finish.publish.extend(sequel.messages.into_iter().map(Publish::Task));
        finish.keep.extend(sequel.chords.into_iter().map(Keep::Begin));
        if results == ResultPolicy::Keep {
            let failed = sequel.failed.into_iter();
            finish.keep.extend(failed.map(|task| Keep::Result(task.id.clone(), task.document(now))));
        }
        self.parts.extend(sequel.parts);
    }
}
