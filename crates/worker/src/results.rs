//! What this worker says of a task in its result document.

use chrono::{DateTime, Utc};
use logmon_core::celery::{NodeName, Outcome, ResultDocument, ResultNode, ResultPolicy, TaskMessage};
use logmon_core::config::WorkerSettings;

/// How results are written. Nothing is where nobody wants to know.
#[derive(Debug, Clone)]
pub struct Results {
    node: NodeName,
    started: Detail,
    ended: Detail,
}

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// As little as Celery says unless it is told to say more.
    Default,
    /// All that is known.
    More,
}

impl Results {
    /// Results of the worker of this name.
    pub fn new(settings: &WorkerSettings, node: NodeName) -> Self {
        let detail = |more| if more { Detail::More } else { Detail::Default };
        Self { node, started: detail(settings.track_started), ended: detail(settings.result_extended) }
    }

    /// That a task has begun.
    pub fn started(&self, task: &TaskMessage) -> Option<String> {
        let wanted = self.started == Detail::More && task.result == ResultPolicy::Keep;
        wanted.then(|| self.document(task, &[]).started(std::process::id(), self.node.as_str()))
    }

    /// What a task has come to, and what it has sent.
    pub fn ended(
        &self,
        task: &TaskMessage,
        outcome: &Outcome,
        children: &[ResultNode],
        now: DateTime<Utc>,
    ) -> Option<String> {
        (task.result == ResultPolicy::Keep).then(|| self.document(task, children).of(outcome, now))
    }

    fn document<'a>(&'a self, task: &'a TaskMessage, children: &'a [ResultNode]) -> ResultDocument<'a> {
        let extended = (self.ended == Detail::More).then_some(self.node.as_str());
        ResultDocument { task, children, extended }
    }
}
