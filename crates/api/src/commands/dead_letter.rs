//! `dead-letter`: looks at messages that were given up, puts them back on their queues, or drops them.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use logmon_core::config::{BrokerSettings, LogSettings};
use logmon_core::page::{Cursor, LIMIT_MAX, Page};
use logmon_core::stop::Stop;
use logmon_store::broker::{Broker, DeadLetter, DeadLetterFilter, DeadLetterId, Dropped, Requeue};
use serde::Serialize;

use super::print_json;
use crate::endpoints::dead_letters::{DeadLetterView, WholeDeadLetterView};

/// `dead-letter`.
#[derive(Debug, Args)]
pub struct DeadLetters {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print what is known of each, newest first
    List {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        settings: Settings,
    },
    /// Print them with their messages: as text, or in base64 where a message is none
    Show {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<DeadLetterId>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Put them back on their queues as they were, their deliveries forgotten
    Requeue {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        settings: Settings,
    },
    /// Drop them
    Drop {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        settings: Settings,
    },
}

#[derive(Debug, Args)]
struct Filter {
    /// Only those of the task of this name
    #[arg(long)]
    task: Option<String>,
    /// Only those whose reason contains this text
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, Args)]
struct Which {
    /// Their ids
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<DeadLetterId>,
    /// All that there are, or all that --task and --reason leave
    #[arg(long)]
    all: bool,
    #[arg(long, requires = "all", help = "Only those of the task of this name")]
    task: Option<String>,
    #[arg(long, value_name = "TEXT", requires = "all", help = "Only those whose reason contains this text")]
    reason: Option<String>,
}

#[derive(Debug, Args)]
struct Settings {
    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    log: LogSettings,
}

/// What became of each.
#[derive(Debug, Default, Serialize)]
struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    requeued: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped: Option<Vec<String>>,
    refused: Vec<Refused>,
}

#[derive(Debug, Serialize)]
struct Refused {
    id: String,
    reason: String,
}

impl DeadLetters {
    /// Does it and prints JSON on standard output; the exit status is 1 when one of them was refused.
    ///
    /// # Errors
    /// When Redis cannot be reached.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        match &self.action {
            Action::List { filter, settings } => {
                let broker = settings.broker()?;
                let filter = DeadLetterFilter { task: filter.task.clone(), reason: filter.reason.clone() };
                let views: Vec<_> = every(&broker, &filter)?.into_iter().map(DeadLetterView::from).collect();
                print_json(&views)?;
                Ok(ExitCode::SUCCESS)
            }
            Action::Show { ids, settings } => {
                let broker = settings.broker()?;
                let found = ids.iter().map(|id| broker.dead_letter(*id)).collect::<Result<Vec<_>, _>>()?;
                let views: Vec<_> = found.into_iter().flatten().map(WholeDeadLetterView::from).collect();
                print_json(&views)?;
                Ok(if views.len() == ids.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            Action::Requeue { which, settings } => {
                let broker = settings.broker()?;
                let (mut report, mut done) = (Report::default(), Vec::new());
                for id in which.ids(&broker)? {
                    match broker.requeue_dead_letter(id)? {
                        Requeue::Done => done.push(id.to_string()),
                        Requeue::Refused(reason) => report.refuse(id, reason),
                        Requeue::Gone => report.refuse(id, NONE),
                    }
                }
                report.requeued = Some(done);
                report.print()
            }
            Action::Drop { which, settings } => {
                let broker = settings.broker()?;
                let (mut report, mut done) = (Report::default(), Vec::new());
                for id in which.ids(&broker)? {
                    match broker.drop_dead_letter(id)? {
                        Dropped::Now => done.push(id.to_string()),
                        Dropped::Before => report.refuse(id, NONE),
                    }
                }
                report.dropped = Some(done);
                report.print()
            }
        }
    }
}

const NONE: &str = "there is no such dead letter";

impl Report {
    fn refuse(&mut self, id: DeadLetterId, reason: impl Into<String>) {
        self.refused.push(Refused { id: id.to_string(), reason: reason.into() });
    }

    fn print(&self) -> anyhow::Result<ExitCode> {
        print_json(self)?;
        Ok(if self.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Which {
    fn ids(&self, broker: &Broker) -> anyhow::Result<Vec<DeadLetterId>> {
        if !self.all {
            return Ok(self.ids.clone());
        }
        let filter = DeadLetterFilter { task: self.task.clone(), reason: self.reason.clone() };
        Ok(every(broker, &filter)?.into_iter().map(|letter| letter.id).collect())
    }
}

impl Settings {
    fn broker(&self) -> anyhow::Result<Broker> {
        self.log.install();
        let (broker, stop) = (Broker::new(&self.broker, 1)?, Stop::on_signals()?);
        stop.wait_for("Redis", || broker.ping())
            .map(|()| broker)
            .ok_or_else(|| anyhow::anyhow!("stopped before Redis was there"))
    }
}

fn every(broker: &Broker, filter: &DeadLetterFilter) -> anyhow::Result<Vec<DeadLetter>> {
    let (mut all, mut page) = (Vec::new(), Page { limit: LIMIT_MAX, after: None });
    loop {
        let letters = broker.dead_letters(filter, page)?;
        let Some(last) = letters.last() else { return Ok(all) };
        page.after = Some(Cursor { created_at: last.id.died_at(), id: i64::try_from(last.id.sequence())? });
        all.extend(letters);
    }
}
