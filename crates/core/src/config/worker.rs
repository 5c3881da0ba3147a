//! How a worker works.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Args;

use super::values;

/// The worker.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Worker")]
pub struct WorkerSettings {
    /// How many tasks run at the same time
    #[arg(short = 'c', long, env = "CONCURRENCY", default_value = "2", value_parser = values::number::<NonZeroUsize, 1_000>)]
    pub concurrency: NonZeroUsize,

    /// How many messages may wait here for each of these, at most: no more than run within 20 ms are fetched ahead
    #[arg(long, env = "PREFETCH", default_value = "64", value_parser = prefetch)]
    pub prefetch: u16,

    /// The queues to serve, the first one first, with commas between
    #[arg(short = 'Q', long, env = "QUEUES", default_value = "check,celery,ingest", value_delimiter = ',', value_parser = queue)]
    pub queues: Vec<String>,

    /// How long a worker may be silent before its tasks are given to others
    #[arg(long, env = "WORKER_TIMEOUT", default_value = "15s", value_parser = values::duration)]
    pub worker_timeout: Duration,

    /// How long a task may run at most whose message says nothing of it, as Celery's task_time_limit; no limit when empty
    #[arg(long, env = "TASK_TIME_LIMIT", value_parser = values::duration)]
    pub task_time_limit: Option<Duration>,

    /// How long the database may take for one statement of a task before its connection is given up
    #[arg(long, env = "STATEMENT_TIMEOUT", default_value = "5m", value_parser = values::duration)]
    pub statement_timeout: Duration,

    /// How long Python's workers may hold a message before it is given to others: their visibility_timeout
    #[arg(long, env = "VISIBILITY_TIMEOUT", default_value = "1h", value_parser = values::duration)]
    pub visibility_timeout: Duration,

    /// How long running tasks may go on after SIGTERM before they are put back
    #[arg(long, env = "GRACE", default_value = "25s", value_parser = values::duration)]
    pub grace: Duration,

    /// Say in a task's result that it has begun, as Celery's task_track_started
    #[arg(
        long, env = "TRACK_STARTED", default_value = "false", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = values::yes_or_no
    )]
    pub track_started: bool,

    /// Say in a task's result which task it was, with what, where and how often, as Celery's result_extended
    #[arg(
        long, env = "RESULT_EXTENDED", default_value = "false", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = values::yes_or_no
    )]
    pub result_extended: bool,
}

fn prefetch(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|number| *number <= 1_000).ok_or_else(|| "a number from 0 to 1000 is expected".to_owned())
}

fn queue(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        Err("the names of queues with commas between are expected".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches as _};

    use super::*;
    use crate::tasks::{CHECK_QUEUE, QUEUES};

    #[test]
    fn the_queues_of_all_tasks_are_served_unless_others_are_named_that_of_the_checks_first() {
        let arguments = WorkerSettings::augment_args(Command::new("test")).get_matches_from(["test"]);
        let queues = WorkerSettings::from_arg_matches(&arguments).unwrap().queues;
        assert_eq!(queues, QUEUES);
        assert_eq!(queues[0], CHECK_QUEUE);
    }
}
