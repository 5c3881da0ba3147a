//! What runs in the slots of this worker, and how much did: for those who ask, and for those who end it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Instant;

use chrono::{DateTime, Utc};
use logmon_core::celery::{TaskId, TaskMessage};

use crate::context::SoftLimit;

/// What runs now. Clones share it.
#[derive(Clone, Default)]
pub struct Running(Arc<Mutex<Runs>>);

#[derive(Default)]
struct Runs {
    now: BTreeMap<u64, Arc<Active>>,
    /// Runs by the task's name, since the start.
    begun: BTreeMap<&'static str, u64>,
    count: u64,
    /// Runs whose threads go on though somebody else ended them.
    abandoned: usize,
}

/// A message that a slot works on.
#[derive(Debug)]
pub struct Active {
    /// Which.
    pub message: Arc<TaskMessage>,
    /// The name under which it is in flight.
    pub tag: String,
    /// How often it has been fetched.
    pub deliveries: u32,
    /// Since when.
    pub since: DateTime<Utc>,
    /// The same moment by the clock that nobody sets.
    pub start: Instant,
    /// The slot's thread.
    pub thread: ThreadId,
    /// Tells it to end between two of its steps.
    pub soft_limit: SoftLimit,
}

/// A run that was begun. It has one end: by itself, or by being abandoned.
pub struct Entry {
    running: Running,
    number: u64,
}

/// Whose a run's end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// That of the slot that ran it.
    Own,
    /// Somebody's who abandoned it before.
    Taken,
}

impl Running {
    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a task runs, by its registered name.
    pub fn begin(&self, name: &'static str, task: Arc<Active>) -> Entry {
        let mut runs = self.runs();
        runs.count += 1;
        *runs.begun.entry(name).or_default() += 1;
        let number = runs.count;
        runs.now.insert(number, task);
        Entry { running: self.clone(), number }
    }

    /// What runs now, the longest first.
    pub fn now(&self) -> Vec<Arc<Active>> {
        self.runs().now.values().cloned().collect()
    }

    /// Takes the end of a run from its slot; `None` when the task does not run here, or has come to its end.
    pub fn abandon(&self, task: &TaskId) -> Option<Arc<Active>> {
        let mut runs = self.runs();
        let number = runs.now.iter().find(|(_, active)| active.message.id == *task).map(|(number, _)| *number)?;
        runs.abandoned += 1;
        runs.now.remove(&number)
    }

    /// How many runs were abandoned whose threads go on.
    pub fn abandoned(&self) -> usize {
        self.runs().abandoned
    }

    /// How many run now, and how many were begun since the start.
    pub fn counts(&self) -> (usize, u64) {
        let runs = self.runs();
        (runs.now.len(), runs.count)
    }

    /// How many were begun since the start, by their names.
    pub fn begun(&self) -> BTreeMap<&'static str, u64> {
        self.runs().begun.clone()
    }
}

impl Entry {
    /// The run has ended.
    pub fn end(self) -> End {
        let mut runs = self.running.runs();
        if runs.now.remove(&self.number).is_some() {
            return End::Own;
        }
        runs.abandoned -= 1;
        End::Taken
    }
}

#[cfg(test)]
mod tests {
    use logmon_core::celery::{Arguments, NewTask};

    use super::*;

    fn active() -> Arc<Active> {
        let message = NewTask::new("t", "q", Arguments::default()).encode("o");
        let message = Arc::new(TaskMessage::decode(message.as_bytes()).unwrap());
        let (since, start, thread) = (DateTime::UNIX_EPOCH, Instant::now(), std::thread::current().id());
        let (tag, soft_limit) = ("tag".to_owned(), SoftLimit::default());
        Arc::new(Active { message, tag, deliveries: 1, since, start, thread, soft_limit })
    }

    #[test]
    fn a_run_has_one_end_and_is_counted() {
        let running = Running::default();
        let (first, second) = (active(), active());
        let [own, taken] = [&first, &second].map(|active| running.begin("t", Arc::clone(active)));
        assert_eq!((running.counts(), running.now().len()), ((2, 2), 2));
        assert_eq!(running.abandon(&second.message.id).unwrap().message.id, second.message.id);
        assert!(running.abandon(&second.message.id).is_none());
        assert_eq!(running.abandoned(), 1);
        assert_eq!((own.end(), taken.end()), (End::Own, End::Taken));
        assert_eq!(running.abandoned(), 0);
        assert!(running.abandon(&first.message.id).is_none());
        assert_eq!((running.counts(), running.begun()["t"]), ((0, 2), 2));
    }
}
