//! How long tasks may run: what is over its hard limit is ended, what is over its soft limit is said so of.
//!
//! The limits of a message come first, then those that remote control set for its task, then the setting. No exception can be raised in a
//! thread of ours, so a soft limit is only a warning in the log.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use logmon_core::celery::{Exception, Limits, Outcome, TaskId};

use crate::heartbeat::Loop;
use crate::running::{Active, Running};
use crate::slots::Slots;

/// How often is looked.
const LOOK: Duration = Duration::from_millis(200);

/// The limits that remote control set, by the tasks' names, and the one of all others. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct TimeLimits {
    set: Arc<Mutex<HashMap<String, Limits>>>,
    hard: Option<Duration>,
}

impl TimeLimits {
    /// A hard limit for every task.
    pub fn new(hard: Option<Duration>) -> Self {
        Self { set: Arc::default(), hard }
    }

    /// Limits the runs of a task, those that run now included.
    pub fn set(&self, task: &str, limits: Limits) {
        self.set.lock().unwrap_or_else(PoisonError::into_inner).insert(task.to_owned(), limits);
    }

    fn of(&self, active: &Active) -> Limits {
        let limits = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let (own, set) = (active.message.limits, limits.get(&active.message.task).copied().unwrap_or_default());
        Limits { hard: own.hard.or(set.hard).or(self.hard), soft: own.soft.or(set.soft) }
    }
}

/// Starts the loop that ends what runs for too long.
pub fn start(limits: TimeLimits, running: Running, slots: Slots) -> Loop {
    let mut warned: HashSet<(TaskId, u32)> = HashSet::new();
    Loop::start(LOOK, move || {
        let now = running.now();
        warned.retain(|(task, _)| now.iter().any(|active| active.message.id == *task));
        for active in &now {
            let (id, limits, runtime) = (&active.message.id, limits.of(active), active.start.elapsed());
            let (task, task_id) = (active.message.task.as_str(), id.as_str());
            if let Some(hard) = limits.hard.filter(|hard| runtime >= *hard) {
                if slots.abandon(id, Outcome::Failure(Exception::time_limit_exceeded(hard))) {
                    log::error!(task, task_id; "hard time limit of {} s exceeded", hard.as_secs_f64());
                }
            } else if let Some(soft) = limits.soft.filter(|soft| runtime >= *soft)
                && warned.insert((id.clone(), active.deliveries))
            {
                log::warn!(task, task_id; "soft time limit of {} s exceeded", soft.as_secs_f64());
            }
        }
    })
}
