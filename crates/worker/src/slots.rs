//! The slots of this worker: threads that run tasks.
//!
//! Their number changes while the worker runs, and a thread whose run is abandoned is replaced: it cannot be ended from
//! outside, so it comes to its end by itself and is heard no more.

use std::sync::atomic::{AtomicBool, Ordering};
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
    /// The threads whose runs were abandoned and are not over.
    abandoned: Mutex<Vec<JoinHandle<()>>>,
    /// That there are too many of these has been said.
    full: AtomicBool,
}

/// So many threads at most go on after their runs were abandoned: each keeps its memory, and perhaps a connection.
const ABANDONED_MAX: usize = 100;

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
        let (threads, abandoned) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Shared { runner, board, max, threads, abandoned, full: AtomicBool::new(false) }))
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
    /// Says whether the task ran here, and was ended.
    pub fn abandon(&self, task: &TaskId, outcome: Outcome) -> bool {
        let mut abandoned = self.0.abandoned.lock().unwrap_or_else(PoisonError::into_inner);
        abandoned.retain(|thread| !thread.is_finished());
        if abandoned.len() >= ABANDONED_MAX {
            if !self.0.full.swap(true, Ordering::Relaxed) {
                log::error!(task_id = task.as_str(); "not ended: {ABANDONED_MAX} threads of earlier ones go on");
            }
            return false;
        }
        self.0.full.store(false, Ordering::Relaxed);
        let Some(active) = self.0.runner.abandon(task, outcome) else { return false };
        let mut threads = self.threads();
        if let Some(at) = threads.iter().position(|thread| thread.thread().id() == active.thread) {
            abandoned.push(threads.swap_remove(at));
        }
        drop(threads);
        let (task, task_id) = (active.message.task.as_str(), task.as_str());
        log::warn!(task, task_id, count = abandoned.len(); "abandoned: threads that go on unheard");
        self.fill();
        true
    }

    /// How many threads run, but for those that were abandoned.
    pub fn running(&self) -> usize {
        self.threads().iter().filter(|thread| !thread.is_finished()).count()
    }
}
