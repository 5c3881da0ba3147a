//! What is said of tasks that are put back: each cause once, and when it is over. Each slot tries one a second meanwhile.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use logmon_core::celery::TaskMessage;

/// So many causes are remembered: some name a connection, and are new each time.
const CAUSES_MAX: usize = 100;

/// Which causes were said, each with its task. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct PutBack(Arc<Mutex<BTreeSet<(String, String)>>>);

impl PutBack {
    /// A task is put back for this reason.
    pub fn hear(&self, message: &TaskMessage, reason: &str) {
        let (task, task_id) = (message.task.as_str(), message.id.as_str());
        let is_new = self.said(|said| {
            if said.len() >= CAUSES_MAX {
                said.clear();
            }
            said.insert((task.to_owned(), reason.to_owned()))
        });
        if is_new {
            log::warn!(task, task_id; "put back until it can be run: {reason}");
        } else {
            log::debug!(task, task_id; "put back: {reason}");
        }
    }

    /// A task was run.
    pub fn over(&self, message: &TaskMessage) {
        let task = message.task.as_str();
        let was_said = self.said(|said| {
            let before = said.len();
            said.retain(|(name, _)| name != task);
            said.len() < before
        });
        if was_said {
            log::info!(task; "run again, not put back");
        }
    }

    fn said<T>(&self, change: impl FnOnce(&mut BTreeSet<(String, String)>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
