//! Which handler runs which task: the one list.

use logmon_core::celery::{Arguments, Limits};
use logmon_core::tasks::{
    CheckApp, CheckErrorLogs, DeleteApp, DispatchNotifications, EvaluateRules, GenerateDailySummary, IngestLogs,
    MakeReports, Noop, RecountSummaries, RenewSummaries, RotatePartitions, SendNotifications, Task, TestChannel,
    WhenFailed,
};
use logmon_store::broker::BrokerError;
use logmon_store::db::DbError;
use serde_json::value::{RawValue, to_raw_value};
use thiserror::Error;

use crate::context::Context;

/// Why a task did not succeed, and so what becomes of it.
#[derive(Debug, Error)]
pub enum Failure {
    /// It can never succeed: the arguments do not fit.
    #[error("{0}")]
    BadArguments(String),
    /// It may succeed later: it is tried again, a number of times.
    #[error("{0}")]
    Retry(String),
    /// What it needs is away: it goes back to its queue and waits, however long.
    #[error("{0}")]
    Unavailable(String),
    /// It ended between two of its steps, for it was over its soft time limit.
    #[error("over its soft time limit")]
    SoftTimeLimit,
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(_) | DbError::TooSlow => Self::Unavailable(error.to_string()),
            DbError::Query(_) => Self::Retry(error.to_string()),
        }
    }
}

impl From<BrokerError> for Failure {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::Unavailable(_) => Self::Unavailable(error.to_string()),
            BrokerError::Refused(_) => Self::Retry(error.to_string()),
        }
    }
}

/// How a task is done. Every task may run twice; its handler's file says how that has the effect of once.
pub trait Handle: Task {
    /// Does it.
    ///
    /// # Errors
    /// Why it did not succeed.
    fn run(context: &Context, input: Self::Input) -> Result<Self::Output, Failure>;
}

/// A task's handler, its types erased.
#[derive(Debug, Clone, Copy)]
pub struct Handler {
    /// The task's registered name.
    pub name: &'static str,
    /// How often it is tried again.
    pub max_retries: u32,
    /// What becomes of its message when it has failed for good.
    pub when_failed: WhenFailed,
    /// How long it may run when nobody says so.
    pub time_limits: Limits,
    /// Binds the arguments, does the task, and writes its result as JSON.
    pub run: fn(&Context, &Arguments) -> Result<Box<RawValue>, Failure>,
}

const fn handler<T: Handle>() -> Handler {
    Handler {
        name: T::NAME,
        max_retries: T::MAX_RETRIES,
        when_failed: T::WHEN_FAILED,
        time_limits: T::TIME_LIMITS,
        run: |context, arguments| {
            let input =
                arguments.bind(T::PARAMETERS).map_err(|e| Failure::BadArguments(format!("{}() {e}", T::NAME)))?;
            to_raw_value(&T::run(context, input)?).map_err(|e| Failure::Retry(e.to_string()))
        },
    }
}

/// Every handler.
pub const HANDLERS: &[Handler] = &[
    handler::<CheckErrorLogs>(),
    handler::<CheckApp>(),
    handler::<EvaluateRules>(),
    handler::<GenerateDailySummary>(),
    handler::<RenewSummaries>(),
    handler::<RecountSummaries>(),
    handler::<MakeReports>(),
    handler::<Noop>(),
    handler::<DeleteApp>(),
    handler::<RotatePartitions>(),
    handler::<IngestLogs>(),
    handler::<DispatchNotifications>(),
    handler::<SendNotifications>(),
    handler::<TestChannel>(),
];

/// The handler of a task.
pub fn find(task: &str) -> Option<&'static Handler> {
    HANDLERS.iter().find(|handler| handler.name == task)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::HANDLERS;

    #[test]
    fn every_task_has_a_handler_and_every_handler_a_task() {
        let tasks: BTreeSet<&str> = logmon_core::tasks::ALL.iter().map(|task| task.name).collect();
        let handlers: BTreeSet<&str> = HANDLERS.iter().map(|handler| handler.name).collect();
        assert_eq!(handlers, tasks);
        assert_eq!(handlers.len(), HANDLERS.len(), "a task has two handlers");
    }
}
