//! The tasks: what each is called, what it takes and what it gives back. How each is done is the worker's business.

mod check_app;
mod check_error_logs;
mod delete_app;
mod dispatch_notifications;
mod evaluate_rules;
mod generate_daily_summary;
mod ingest_logs;
mod make_reports;
mod noop;
mod recount_summaries;
mod renew_summaries;
pub mod retry;
mod rotate_partitions;
mod send_notifications;
mod test_channel;

pub use check_app::{CHECK_QUEUE, CheckApp, CheckedApp};
pub use check_error_logs::CheckErrorLogs;
pub use delete_app::{DeleteApp, DeletedApp};
pub use dispatch_notifications::DispatchNotifications;
pub use evaluate_rules::EvaluateRules;
pub use generate_daily_summary::{GenerateDailySummary, SummaryInput};
pub use ingest_logs::{INGEST_QUEUE, IngestInput, IngestLogs, Ingested, KeyOrigin};
pub use make_reports::{MakeReports, ReportInput};
pub use noop::{Noop, NoopInput};
pub use recount_summaries::{RecountInput, RecountSummaries, Recounted};
pub use renew_summaries::RenewSummaries;
pub use rotate_partitions::{RotatePartitions, Rotated};
pub use send_notifications::{ChannelInput, SendNotifications};
pub use test_channel::{TestChannel, Tested};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::celery::{Arguments, BadArguments, Limits, NewTask};

/// The queue that tasks go to when nobody says otherwise: Celery's default.
pub const DEFAULT_QUEUE: &str = "celery";

/// Every queue that a task goes to, in the order in which workers serve them.
pub const QUEUES: [&str; 3] = [CHECK_QUEUE, DEFAULT_QUEUE, INGEST_QUEUE];

/// The contract of a task.
pub trait Task {
    /// The registered name.
    const NAME: &'static str;
    /// The queue that it goes to.
    const QUEUE: &'static str = DEFAULT_QUEUE;
    /// Its parameters, in the order of Python's signature.
    const PARAMETERS: &'static [&'static str];
    /// How often it is tried again after a failure.
    const MAX_RETRIES: u32 = 5;
    /// What becomes of its message when it has failed for good.
    const WHEN_FAILED: WhenFailed = WhenFailed::Forget;
    /// How long a run may take when neither its message nor remote control says so. Over the soft limit it ends between two
    /// of its steps; the hard one is for what hangs in a step.
    const TIME_LIMITS: Limits = Limits { hard: None, soft: None };
    /// Its arguments, a field a parameter.
    type Input: Serialize + DeserializeOwned;
    /// What it returns.
    type Output: Serialize;

    /// The message that calls the task.
    ///
    /// # Errors
    /// When the input does not serialise to an object.
    fn call(input: &Self::Input) -> Result<NewTask, BadArguments> {
        Ok(NewTask::new(Self::NAME, Self::QUEUE, Arguments::named(input)?))
    }
}

/// What becomes of the message of a task that has failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFailed {
    /// Nothing: the result says that it failed, and it can be called again.
    Forget,
    /// It is a dead letter, for what it carries is nowhere else.
    Bury,
}

/// A task without arguments.
#[derive(Debug, Clone, Copy, Default, Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoInput {}

/// What the lists need to know of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contract {
    /// The registered name.
    pub name: &'static str,
    /// The queue that it goes to.
    pub queue: &'static str,
}

const fn contract<T: Task>() -> Contract {
    Contract { name: T::NAME, queue: T::QUEUE }
}

/// Every task. The worker's registry must hold a handler for each; a test there says so.
pub const ALL: &[Contract] = &[
    contract::<CheckErrorLogs>(),
    contract::<CheckApp>(),
    contract::<EvaluateRules>(),
    contract::<GenerateDailySummary>(),
    contract::<RenewSummaries>(),
    contract::<RecountSummaries>(),
    contract::<MakeReports>(),
    contract::<Noop>(),
    contract::<DeleteApp>(),
    contract::<RotatePartitions>(),
    contract::<IngestLogs>(),
    contract::<DispatchNotifications>(),
    contract::<SendNotifications>(),
    contract::<TestChannel>(),
];

#[cfg(test)]
mod tests {
    #[test]
    fn every_contract_file_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tasks");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let contracts = files.filter(|name| name != "mod.rs" && name != "retry.rs").count();
        assert_eq!(contracts, super::ALL.len());
    }

    #[test]
    fn every_task_goes_to_a_queue_that_is_listed() {
        for task in super::ALL {
            assert!(super::QUEUES.contains(&task.queue), "{task:?}");
        }
    }
}
