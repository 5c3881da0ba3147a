//! Tells Redis what became of messages: whatever the slots have reported since the last time, in one call.

use std::sync::Arc;
use std::time::Duration;

use logmon_core::celery::{Outcome, ResultPolicy, TaskMessage};
use logmon_core::clock::Clock;
use logmon_core::stop::{Stop, Urgency};
use logmon_store::broker::{Broker, BrokerError, Burial, Counted, Due, Finish, Held, Keep, WorkerId};
use logmon_store::metrics::Pulse;

use crate::board::Board;
use crate::events::{Event, Events};
use crate::report::{Report, Run};

/// How many flights are ended in one call: a bound on how long Redis does nothing else.
const AT_ONCE: usize = 100;

/// How long a task waits that came while the database took nothing.
const PUT_BACK: Duration = Duration::from_secs(1);

/// How long a turn waits for reports.
const PATIENCE: Duration = Duration::from_secs(1);

/// What reports for this worker.
pub struct Reporter {
    /// Redis.
    pub broker: Broker,
    /// On whose behalf.
    pub worker: WorkerId,
    /// For whom.
    pub board: Board,
    /// Who is told of it.
    pub events: Arc<dyn Events>,
    /// What the results of what follows are dated by.
    pub clock: Arc<dyn Clock>,
    /// Until when Redis is waited for.
    pub stop: Stop,
    /// Beats at each turn.
    pub pulse: Pulse,
}

impl Reporter {
    /// Works until the board is complete and everything is reported.
    pub fn run(&self) {
        loop {
            self.pulse.beat();
            let Some(reports) = self.board.reports(PATIENCE) else { return };
            let mut runs = Vec::new();
            for report in reports {
                match report {
                    Report::Started { task, document } => {
                        self.until_redis_answers(|| self.broker.store_result(&task, &document));
                    }
                    Report::Ended(run) => runs.push(*run),
                    Report::Delay { tag, due } => self.report(|| self.broker.delay(&self.worker, &tag, due)),
                    // With a pause, for a database may answer and yet take no writes.
                    Report::PutBack { tag } => self.report(|| self.broker.delay(&self.worker, &tag, Due::In(PUT_BACK))),
                    Report::Bury(burial) => self.bury(&burial),
                }
            }
            while !runs.is_empty() {
                let rest = runs.split_off(runs.len().min(AT_ONCE));
                self.finish(std::mem::replace(&mut runs, rest));
            }
        }
    }

    fn finish(&self, mut runs: Vec<Run>) {
        // Before their own ends: whoever completes a chord sends its body with the end of its own flight.
        runs.retain_mut(|run| run.parts.is_empty() || self.count(run));
        let (finishes, runs): (Vec<Finish>, Vec<_>) =
            runs.into_iter().map(|run| (run.finish, (run.message, run.outcome, run.runtime, run.deliveries))).unzip();
        let Some(answers) = self.until_redis_answers(|| self.broker.finish(&self.worker, &finishes)) else { return };
        for (((message, outcome, runtime, deliveries), finish), answer) in runs.into_iter().zip(finishes).zip(answers) {
            match answer {
                Ok(Held::Yes) => {
                    say(&message, &outcome, runtime);
                    self.events.tell(&message, Event::Ended { outcome: &outcome, runtime });
                }
                Ok(Held::Lost) => self.lost(),
                Err(error) => {
                    let reason = format!("its end cannot be kept: {error}");
                    self.bury(&Burial { tag: finish.tag, reason, deliveries, failure: None });
                }
            }
        }
    }

    /// Counts a run for its chords. Whether its flight can be ended then.
    fn count(&self, run: &mut Run) -> bool {
        while let Some(part) = run.parts.pop() {
            let ask = || match self.broker.count(&part) {
                Err(error @ BrokerError::Refused(_)) => Ok(Err(error)),
                answer => answer.map(Ok),
            };
            match self.until_redis_answers(ask) {
                None => return false,
                Some(Ok(Counted::Noted)) => {}
                Some(Ok(Counted::Complete { members, structure })) => {
                    let now = self.clock.now();
                    let sequel = part.complete(&members, structure.as_deref(), now);
                    run.add(sequel, ResultPolicy::Keep, now);
                    run.finish.keep.push(Keep::End(part.group));
                }
                Some(Err(error)) => {
                    let reason = format!("its chord cannot be counted: {error}");
                    let (tag, deliveries) = (run.finish.tag.clone(), run.deliveries);
                    self.bury(&Burial { tag, reason, deliveries, failure: None });
                    return false;
                }
            }
        }
        true
    }

    fn bury(&self, burial: &Burial) {
        log::error!("a message is a dead letter now: {}", burial.reason);
        self.report(|| self.broker.bury(&self.worker, burial));
    }

    // A report may be repeated, so it is until Redis has it. A process that is to end at once leaves the message in
    // flight: another worker repeats the task with the effect of once.
    fn report(&self, send: impl Fn() -> Result<Held, BrokerError>) {
        if let Some(Held::Lost) = self.until_redis_answers(send) {
            self.lost();
        }
    }

    fn lost(&self) {
        log::warn!(worker = self.worker.0.as_str(); "a task was taken over by another worker meanwhile, or Redis lost it");
    }

    fn until_redis_answers<T>(&self, ask: impl Fn() -> Result<T, BrokerError>) -> Option<T> {
        ask().ok().or_else(|| self.stop.wait_for_until(Urgency::Now, "Redis", ask))
    }
}

fn say(message: &TaskMessage, outcome: &Outcome, runtime: Duration) {
    let (task, task_id) = (message.task.as_str(), message.id.as_str());
    let duration_ms = (runtime.as_secs_f64() * 1e6).round() / 1e3;
    match outcome {
        Outcome::Success(_) => log::info!(task, task_id, duration_ms; "succeeded"),
        Outcome::Failure(exception) => log::error!(task, task_id, duration_ms; "failed: {exception}"),
        Outcome::Retry(exception) => log::warn!(task, task_id, duration_ms; "again later: {exception}"),
        Outcome::Revoked(exception) => log::error!(task, task_id, duration_ms; "not run: {exception}"),
    }
}
