//! How long tasks may run: what is over its soft limit is told to end between two of its steps, what is over its hard limit
//! is ended whatever it does.
//!
//! The limits of a message come first, then those that remote control set for its task, then those of its contract, of
//! which the setting lowers the hard one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use logmon_core::celery::{Exception, Limits, Outcome, TaskMessage};

use crate::heartbeat::Loop;
use crate::registry;
use crate::running::Running;
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

    fn of(&self, message: &TaskMessage) -> Limits {
        let limits = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let (own, set) = (message.limits, limits.get(&message.task).copied().unwrap_or_default());
        let task = registry::find(&message.task).map(|handler| handler.time_limits).unwrap_or_default();
        let hard = [task.hard, self.hard].into_iter().flatten().min();
        Limits { hard: own.hard.or(set.hard).or(hard), soft: own.soft.or(set.soft).or(task.soft) }
    }
}

/// Starts the loop that ends what runs for too long.
pub fn start(limits: TimeLimits, running: Running, slots: Slots) -> Loop {
    Loop::start(LOOK, move || {
        for active in running.now() {
            let (message, runtime) = (&active.message, active.start.elapsed());
            let (task, task_id, limits) = (message.task.as_str(), message.id.as_str(), limits.of(message));
            if let Some(hard) = limits.hard.filter(|hard| runtime >= *hard) {
                if slots.abandon(&message.id, Outcome::Failure(Exception::time_limit_exceeded(hard))) {
                    log::error!(task, task_id; "hard time limit of {} s exceeded", hard.as_secs_f64());
                }
            } else if let Some(soft) = limits.soft.filter(|soft| runtime >= *soft)
                && active.soft_limit.exceed()
            {
                log::warn!(task, task_id; "soft time limit of {} s exceeded: told to end", soft.as_secs_f64());
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use logmon_core::celery::{Arguments, NewTask};
    use logmon_core::tasks::{CheckErrorLogs, Noop, Task};

    use super::*;

    #[test]
    fn the_limits_of_a_message_come_first_then_those_that_were_set_then_the_contract_and_the_setting() {
        let secs = Duration::from_secs;
        let message = |name: &str, limits: Limits| {
            let task = NewTask { limits, ..NewTask::new(name, "q", Arguments::default()) };
            TaskMessage::decode(task.encode("o").as_bytes()).unwrap()
        };
        let nothing = Limits::default();
        let (check, noop) = (message(CheckErrorLogs::NAME, nothing), message(Noop::NAME, nothing));
        let limits = TimeLimits::new(None);
        assert_eq!((limits.of(&check), limits.of(&noop)), (CheckErrorLogs::TIME_LIMITS, nothing));
        let limits = TimeLimits::new(Some(secs(400)));
        assert_eq!(limits.of(&check), Limits { hard: Some(secs(400)), ..CheckErrorLogs::TIME_LIMITS });
        assert_eq!(limits.of(&noop), Limits { hard: Some(secs(400)), soft: None });
        let limits = TimeLimits::new(Some(secs(9_000)));
        assert_eq!(limits.of(&check), CheckErrorLogs::TIME_LIMITS, "the setting only lowers");
        limits.set(CheckErrorLogs::NAME, Limits::of(secs(2), secs(3)));
        assert_eq!(limits.of(&check), Limits::of(secs(2), secs(3)));
        let own = message(CheckErrorLogs::NAME, Limits { hard: Some(secs(7_000)), soft: None });
        assert_eq!(limits.of(&own), Limits::of(secs(2), secs(7_000)));
    }
}
