//! What runs in the slots of this worker, and how much did: for those who ask.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use logmon_core::celery::TaskMessage;

/// What runs now. Clones share it.
#[derive(Clone, Default)]
pub struct Running(Arc<Mutex<Runs>>);

#[derive(Default)]
struct Runs {
    now: BTreeMap<u64, Active>,
    /// Runs by the task's name, since the start.
    begun: BTreeMap<&'static str, u64>,
    count: u64,
}

/// A task that runs.
#[derive(Clone)]
pub struct Active {
    /// Which.
    pub message: Arc<TaskMessage>,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// A task runs for as long as this is kept.
pub struct Entry {
    running: Running,
    number: u64,
}

impl Running {
    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a task runs, by its registered name.
    pub fn begin(&self, name: &'static str, task: Active) -> Entry {
        let mut runs = self.runs();
        runs.count += 1;
        *runs.begun.entry(name).or_default() += 1;
        let number = runs.count;
        runs.now.insert(number, task);
        Entry { running: self.clone(), number }
    }

    /// What runs now, the longest first.
    pub fn now(&self) -> Vec<Active> {
        self.runs().now.values().cloned().collect()
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

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.runs().now.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use logmon_core::celery::{Arguments, NewTask};

    use super::*;

    #[test]
    fn what_has_ended_is_counted_but_not_listed() {
        let running = Running::default();
        let message = NewTask::new("t", "q", Arguments::default()).encode("o");
        let message = Arc::new(TaskMessage::decode(message.as_bytes()).unwrap());
        let task = |since| Active { message: Arc::clone(&message), since };
        let first = running.begin("t", task(DateTime::UNIX_EPOCH));
        let second = running.begin("t", task(DateTime::<Utc>::MAX_UTC));
        assert_eq!(running.counts(), (2, 2));
        drop(first);
        assert_eq!(running.now().iter().map(|task| task.since).collect::<Vec<_>>(), [DateTime::<Utc>::MAX_UTC]);
        drop(second);
        assert_eq!((running.counts(), running.begun()["t"]), ((0, 2), 2));
    }
}
