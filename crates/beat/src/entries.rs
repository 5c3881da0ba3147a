//! The schedule: every entry that beat watches.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use logmon_core::celery::{BadArguments, NewTask};
use logmon_core::config::ScheduleSettings;
use logmon_core::schedule::Schedule;
use logmon_core::schedule::catch_up::{CatchUp, Missed};
use logmon_core::summary::yesterday;
use logmon_core::tasks::{
    CheckErrorLogs, DispatchNotifications, EvaluateRules, GenerateDailySummary, NoInput, RenewSummaries,
    RotatePartitions, SummaryInput, Task as _,
};

/// Makes the task of a slot.
type MakeTask = Box<dyn Fn(DateTime<Utc>) -> Result<NewTask, BadArguments> + Send + Sync>;

/// One entry of the schedule.
pub struct Entry {
    /// Its name, the original's.
    pub name: &'static str,
    /// When it is due.
    pub schedule: Schedule,
    /// What becomes of slots that passed while no beat was running.
    pub catch_up: CatchUp,
    /// The task of a slot.
    pub task: MakeTask,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Every entry.
///
/// # Errors
/// When a schedule cannot be read.
pub fn entries(settings: &ScheduleSettings, zone: Tz) -> anyhow::Result<Vec<Entry>> {
    Ok(vec![
        Entry {
            name: "check-error-logs-every-10-minutes",
            schedule: Schedule::Every(settings.check_interval),
            // A check looks back from the moment in which it runs.
            catch_up: CatchUp { missed: Missed::Latest, grace: HOUR },
            task: Box::new(|_| CheckErrorLogs::call(&NoInput {})),
        },
        Entry {
            name: "evaluate-rules-every-minute",
            schedule: Schedule::Every(MINUTE),
            // It evaluates every window that has ended since the last one.
            catch_up: CatchUp { missed: Missed::Latest, grace: HOUR },
            task: Box::new(|_| EvaluateRules::call(&NoInput {})),
        },
        Entry {
            name: "generate-daily-summary",
            schedule: Schedule::crontab(&format!("0 {} * * *", settings.summary_hour), zone)?,
            // Each day has a summary of its own.
            catch_up: CatchUp { missed: Missed::All(31), grace: 31 * DAY },
            // The date travels with the task: it may run on another day than it was due on.
            task: Box::new(move |slot| GenerateDailySummary::call(&SummaryInput { date: Some(yesterday(slot, zone)) })),
        },
        Entry {
            name: "renew-summaries",
            // Soon after midnight for the last logs of a day, and every hour for those that come later.
            schedule: Schedule::crontab("5 * * * *", Tz::UTC)?,
            catch_up: CatchUp { missed: Missed::Latest, grace: HOUR },
            task: Box::new(|_| RenewSummaries::call(&NoInput {})),
        },
        Entry {
            name: "rotate-partitions",
            // Often, for a day that was not made costs nothing yet, and one that was not dropped costs room.
            schedule: Schedule::crontab("20 * * * *", Tz::UTC)?,
            catch_up: CatchUp { missed: Missed::Latest, grace: HOUR },
            task: Box::new(|_| RotatePartitions::call(&NoInput {})),
        },
        Entry {
            name: "dispatch-notifications",
            // What is new is sent at once; this is for what is tried again, and for what nobody could say.
            schedule: Schedule::Every(Duration::from_secs(10)),
            catch_up: CatchUp { missed: Missed::Latest, grace: HOUR },
            task: Box::new(|_| DispatchNotifications::call(&NoInput {})),
        },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_names_a_task_that_exists_and_no_two_share_a_name() {
        let settings = ScheduleSettings { check_interval: Duration::from_secs(600), summary_hour: 0 };
        let entries = entries(&settings, Tz::UTC).unwrap();
        let slot = "2026-11-23T00:00:00Z".parse().unwrap();
        let mut names = Vec::new();
        for entry in &entries {
            let task = (entry.task)(slot).unwrap();
            assert!(logmon_core::tasks::ALL.iter().any(|known| known.name == task.task), "{}", task.task);
            assert!(!names.contains(&entry.name));
            names.push(entry.name);
        }
        let summary = (entries[2].task)(slot).unwrap();
        assert_eq!(summary.arguments.kwargs_repr(), "{'date': '2026-11-22'}");
    }
}
