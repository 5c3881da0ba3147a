//! `call`: puts a task on its queue, as `celery call` does.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use logmon_core::celery::{Arguments, NewTask, Status, TaskId, TaskResult};
use logmon_core::config::{BrokerSettings, LogSettings};
use logmon_core::stop::{Stop, Urgency};
use logmon_core::tasks::{self, DEFAULT_QUEUE};
use logmon_store::broker::Broker;

use super::print_json;

/// How often Redis is asked for the result.
const POLL: Duration = Duration::from_millis(50);

/// Which task, and with what.
#[derive(Debug, Args)]
pub struct Call {
    /// The task's registered name
    task: String,
    /// Its positional arguments, a JSON list
    #[arg(long, short = 'a', default_value = "[]")]
    args: String,
    /// Its named arguments, a JSON object
    #[arg(long, short = 'k', default_value = "{}")]
    kwargs: String,
    /// The queue, where it is not the task's own
    #[arg(long, short = 'Q')]
    queue: Option<String>,
    /// Wait so many seconds for the result and print it; the exit status is 1 unless it is a success
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    log: LogSettings,
}

impl Call {
    /// Queues the task; prints its id, or with `--wait` its result document.
    ///
    /// # Errors
    /// When the arguments are not JSON or Redis cannot be reached.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        self.log.install();
        let arguments = Arguments::from_json(&self.args, &self.kwargs)?;
        let own_queue = tasks::ALL.iter().find(|task| task.name == self.task).map(|task| task.queue);
        let queue = self.queue.as_deref().or(own_queue).unwrap_or(DEFAULT_QUEUE);
        let task = NewTask::new(&self.task, queue, arguments);
        let broker = Broker::new(&self.broker, 1)?;
        let stop = Stop::on_signals()?;
        // Not what may have been pushed already: twice would be twice.
        let Some(()) = stop.wait_for("Redis", || broker.ping()) else { return Ok(ExitCode::FAILURE) };
        broker.enqueue(&task)?;
        match self.wait {
            None => {
                writeln!(std::io::stdout(), "{}", task.id)?;
                Ok(ExitCode::SUCCESS)
            }
            Some(seconds) => {
                let result = wait_for(&broker, &stop, &task.id, Duration::from_secs(seconds))?;
                print_json(&result)?;
                Ok(if result.status == Status::Success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
        }
    }
}

fn wait_for(broker: &Broker, stop: &Stop, id: &TaskId, patience: Duration) -> anyhow::Result<TaskResult> {
    let start = Instant::now();
    loop {
        let result = stop.wait_for("Redis", || broker.result(id)).unwrap_or_else(|| TaskResult::pending(id.clone()));
        let done = [Status::Success, Status::Failure, Status::Revoked].contains(&result.status);
        if done || stop.is_raised() || start.elapsed() >= patience {
            return Ok(result);
        }
        stop.wait(Urgency::Finish, POLL);
    }
}
