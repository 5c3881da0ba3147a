//! The slots of this worker: threads that run tasks.
//!
//! Their number changes while the worker runs, and a thread whose run is abandoned is replaced: it cannot be ended from
//! outside, so it comes to its end by itself and is heard no more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use logmon_core::celery::{Outcome, TaskId};

use crate::board::Board;
use crate::runner::Runner;

/// The slots. Clones share them.
#[derive(Clone)]
pub struct Slots(Arc<Shared>);

struct Shared {
    runner: Runner,
    board: Board,
    max: usize,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The pool cannot have so many slots.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are {now} slots, and there can be 1 to {max}")]
pub struct OutOfRange {
    now: usize,
    max: usize,
}

impl Slots {
    /// As many slots as the board is for, at most `max` at any time. They do not run yet.
    pub fn new(runner: Runner, board: Board, max: usize) -> Self {
        Self(Arc::new(Shared { runner, board, max, threads: Mutex::default() }))
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.0.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the threads that are missing.
    pub fn fill(&self) {
        let mut threads = self.threads();
        threads.retain(|thread| !thread.is_finished());
        for _ in 0..self.0.board.enlist() {
            let runner = self.0.runner.clone();
            threads.push(std::thread::spawn(move || runner.run()));
        }
    }

    /// Adds slots.
    ///
    /// # Errors
    /// When that were too many.
    pub fn grow(&self, count: usize) -> Result<(), OutOfRange> {
        self.resize(self.0.board.slots().saturating_add(count))
    }

    /// Takes slots away: as soon as they have nothing to run.
    ///
    /// # Errors
    /// When that were all.
    pub fn shrink(&self, count: usize) -> Result<(), OutOfRange> {
        self.resize(self.0.board.slots().saturating_sub(count))
    }

    fn resize(&self, slots: usize) -> Result<(), OutOfRange> {
        if !(1..=self.0.max).contains(&slots) {
            return Err(OutOfRange { now: self.0.board.slots(), max: self.0.max });
        }
        self.0.board.resize(slots);
        self.fill();
        Ok(())
    }

    /// Ends a run here and now, with this outcome, whatever its thread does: what that comes to is not heard any more.
    /// Says whether the task ran here.
    pub fn abandon(&self, task: &TaskId, outcome: Outcome) -> bool {
        let Some(active) = self.0.runner.abandon(task, outcome) else { return false };
        self.threads().retain(|thread| thread.thread().id() != active.thread);
        self.fill();
        true
    }

    /// How many threads run, but for those that were abandoned.
    pub fn running(&self) -> usize {
        self.threads().iter().filter(|thread| !thread.is_finished()).count()
    }
}
