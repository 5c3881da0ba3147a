//! `call`: puts a task on its queue, as `celery call` does.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use clap::Args;
use logmon_core::celery::{Arguments, NewTask, Priority, Status, TaskId, TaskResult};
use logmon_core::clock::{Clock as _, SystemClock};
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
    /// How urgent it is, 0 to 9, as Celery counts on Redis: 0 is served first
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..=9))]
    priority: i64,
    /// Start it so many seconds from now at the earliest
    #[arg(long, value_name = "SECONDS", conflicts_with = "eta", value_parser = seconds)]
    countdown: Option<Duration>,
    /// Start it then at the earliest: 2026-11-23T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    eta: Option<DateTime<Utc>>,
    /// Do not start it any more after so many seconds, or after this moment
    #[arg(long, value_name = "SECONDS|TIME", value_parser = expiry)]
    expires: Option<Expiry>,
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
        let now = SystemClock.now();
        let task = NewTask {
            priority: Priority::new(self.priority),
            eta: self.eta.or(self.countdown.map(|pause| now + pause)),
            expires: self.expires.map(|expiry| match expiry {
                Expiry::At(time) => time,
                Expiry::In(pause) => now + pause,
            }),
            ..NewTask::new(&self.task, queue, arguments)
        };
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

/// When a task is not to be started any more.
#[derive(Debug, Clone, Copy)]
enum Expiry {
    At(DateTime<Utc>),
    In(Duration),
}

fn seconds(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(3_650 * 24 * 3_600);
    let pause = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    pause.filter(|pause| *pause <= LONGEST).ok_or_else(|| "a number of seconds is expected".to_owned())
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    text.parse().ok().ok_or_else(|| "a time such as 2026-11-23T00:00:00Z is expected".to_owned())
}

fn expiry(text: &str) -> Result<Expiry, String> {
    let expected = "a number of seconds, or a time such as 2026-11-23T00:00:00Z, is expected";
    let expiry = seconds(text).map(Expiry::In).or_else(|_| time(text).map(Expiry::At));
    expiry.ok().ok_or_else(|| expected.to_owned())
}

fn wait_for(broker: &Broker, stop: &Stop, id: &TaskId, patience: Duration) -> anyhow::Result<TaskResult> {
    let start = Instant::now();
    loop {
        let result = stop.wait_for("Redis", || broker.result(id)).unwrap_or_else(|| TaskResult::pending(id.clone()));
        if result.status.is_final() || stop.is_raised() || start.elapsed() >= patience {
            return Ok(result);
        }
        stop.wait(Urgency::Finish, POLL);
    }
}
