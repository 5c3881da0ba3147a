//! One slot: takes a message, runs its task, reports what became of it, and begins again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use logmon_core::celery::{Exception, Outcome, TaskId, TaskMessage};
use logmon_core::stop::Urgency;
use logmon_core::tasks::WhenFailed;
use logmon_core::tasks::retry::backoff;
use logmon_store::broker::{Burial, Due, Fetched, Finish, Keep, MAX_DELIVERIES, Publish, WorkerId};

use crate::context::{Context, SoftLimit};
use crate::events::{Event, Events};
use crate::presence::Open;
use crate::put_back::PutBack;
use crate::registry::{self, Failure};
use crate::report::{Report, Run};
use crate::results::Results;
use crate::running::{Active, End};

/// So many bytes may a result have as JSON. Redis holds it in memory, and gives it to all who wait for it.
const RESULT_MAX: usize = 1_048_576;

/// How long a slot does nothing after it has put a task back.
const PAUSE: Duration = Duration::from_secs(1);

/// A slot of this worker. Clones are further slots.
#[derive(Clone)]
pub struct Runner {
    context: Context,
    worker: WorkerId,
    events: Arc<dyn Events>,
    results: Results,
    open: Open,
    put_back: PutBack,
}

/// What is to be done with a message after its run.
enum Verdict {
    /// It has come to its end.
    Done(Outcome),
    /// It is tried again after a pause.
    Again(Outcome, Duration),
    /// It goes back to its queue until the database is there again, or for another worker.
    PutBack(String),
}

impl Runner {
    /// A slot.
    pub fn new(context: Context, worker: WorkerId, events: Arc<dyn Events>, results: Results, open: &Open) -> Self {
        Self { context, worker, events, results, open: open.clone(), put_back: PutBack::default() }
    }

    /// Works until it is told to stop, or its run is abandoned.
    pub fn run(&self) {
        while let Some(fetched) = self.open.board.take() {
            let start = Instant::now();
            let Some(report) = self.process(fetched, start) else { return };
            let put_back = matches!(report, Report::PutBack { .. });
            self.open.board.report(report, start.elapsed());
            if put_back {
                // It may answer and yet take no writes: each task that waits would only be tried to be put back as well.
                self.open.stop.wait(Urgency::Finish, PAUSE);
                self.open.stop.wait_for("the database", || self.context.database.get().map(drop));
            }
        }
    }

    /// Ends a run with this outcome in the place of its slot, if it runs here.
    pub fn abandon(&self, task: &TaskId, outcome: Outcome) -> Option<Arc<Active>> {
        let active = self.open.running.abandon(task)?;
        let report = self.end(&active, outcome);
        self.open.board.desert();
        self.open.board.report(report, active.start.elapsed());
        Some(active)
    }

    // There is nothing to report of a run that was abandoned.
    fn process(&self, fetched: Fetched, start: Instant) -> Option<Report> {
        let message = match TaskMessage::decode(&fetched.raw) {
            Ok(message) => Arc::new(message),
            Err(malformed) => return Some(self.bury(fetched, malformed.to_string())),
        };
        let (since, thread) = (self.context.clock.now(), std::thread::current().id());
        let (tag, deliveries, at) = (fetched.tag.clone(), fetched.deliveries, fetched.now());
        let soft_limit = SoftLimit::default();
        let active = Arc::new(Active { message, tag, deliveries, since, start, thread, soft_limit });
        let message = &active.message;
        if deliveries > MAX_DELIVERIES {
            return Some(self.give_up(&active));
        }
        // By the clock of Redis, which also says when the message comes back.
        let withdrawn = self.withdrawn(message, at);
        if let Some(eta) = message.eta.filter(|eta| withdrawn.is_none() && *eta > at) {
            return Some(Report::Delay { tag: fetched.tag, due: Due::At(eta) });
        }
        let wait = || self.open.limits.wait(&message.task, &message.id, start);
        if let Some(wait) = withdrawn.is_none().then(wait).flatten() {
            return Some(Report::Delay { tag: fetched.tag, due: Due::In(wait) });
        }
        self.events.tell(message, Event::Received);
        let verdict = match withdrawn {
            Some(why) => Verdict::Done(Outcome::Revoked(why)),
            None => self.run_task(&active)?,
        };
        Some(match verdict {
            Verdict::Done(outcome) => {
                if matches!(outcome, Outcome::Success(_)) {
                    self.put_back.over(message);
                }
                self.end(&active, outcome)
            }
            Verdict::Again(outcome, pause) => {
                let next = next_attempt(message, self.context.clock.now(), pause);
                self.ended(&active, outcome, vec![next], None)
            }
            Verdict::PutBack(reason) => {
                self.put_back.hear(message, &reason);
                self.events.tell(message, Event::PutBack);
                Report::PutBack { tag: active.tag.clone() }
            }
        })
    }

    /// A run that has come to its end, and its message with it, unless that is nowhere else.
    fn end(&self, active: &Active, outcome: Outcome) -> Report {
        let reason = reason_to_keep(&active.message, &outcome);
        self.ended(active, outcome, Vec::new(), reason)
    }

    /// `buried` is why the message is kept as a dead letter, if it is.
    fn ended(&self, active: &Active, outcome: Outcome, publish: Vec<Publish>, buried: Option<String>) -> Report {
        let (message, now) = (Arc::clone(&active.message), self.context.clock.now());
        let mut sequel = message.sequel(&outcome, now);
        let children = std::mem::take(&mut sequel.children);
        let finish = Finish {
            tag: active.tag.clone(),
            task: message.id.clone(),
            document: self.results.ended(&message, &outcome, &children, now),
            publish,
            keep: buried.map(|reason| Keep::Dead { reason, deliveries: active.deliveries }).into_iter().collect(),
        };
        let (runtime, deliveries) = (active.start.elapsed(), active.deliveries);
        let mut run = Run { message, outcome, runtime, deliveries, finish, parts: Vec::new() };
        run.add(sequel, run.message.result, now);
        Report::Ended(Box::new(run))
    }

    /// A message whose task ends its workers is a dead letter, and the task has failed: for whatever follows it, too.
    fn give_up(&self, active: &Active) -> Report {
        let reason = format!("ended its worker {MAX_DELIVERIES} times");
        self.ended(active, Outcome::Failure(Exception::failed(&reason)), Vec::new(), Some(reason))
    }

    /// Why a task is not to be run, if it is not.
    fn withdrawn(&self, message: &TaskMessage, now: DateTime<Utc>) -> Option<Exception> {
        if message.expires.is_some_and(|expires| expires <= now) {
            return Some(Exception::expired());
        }
        self.open.revokes.has(message).then(Exception::revoked)
    }

    fn bury(&self, fetched: Fetched, reason: String) -> Report {
        let failure = TaskMessage::id_of(&fetched.raw).map(|id| {
            let document = Outcome::Failure(Exception::failed(&reason)).document(&id, self.context.clock.now());
            (id, document)
        });
        Report::Bury(Burial { tag: fetched.tag, reason, deliveries: fetched.deliveries, failure })
    }

    fn run_task(&self, active: &Arc<Active>) -> Option<Verdict> {
        let message = &active.message;
        let Some(handler) = registry::find(&message.task) else {
            return Some(Verdict::Done(Outcome::Failure(Exception::not_registered(&message.task))));
        };
        // So that it counts as the cause should this worker die of it, and what was only fetched with it does not.
        let suspect = || self.context.broker.suspect(&self.worker, &active.tag);
        if active.deliveries > 1 && self.open.stop.wait_for("Redis", suspect).is_none() {
            return Some(Verdict::PutBack("this worker ends".to_owned()));
        }
        let entry = self.open.running.begin(handler.name, Arc::clone(active));
        self.events.tell(message, Event::Started);
        if let Some(document) = self.results.started(message) {
            self.open.board.tell(Report::Started { task: message.id.clone(), document });
        }
        let context = Context { soft_limit: active.soft_limit.clone(), ..self.context.clone() };
        let run = || (handler.run)(&context, &message.arguments);
        let result =
            catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(Failure::Retry("the task panicked".to_owned())));
        if entry.end() == End::Taken {
            log::info!(task = message.task.as_str(), task_id = message.id.as_str(); "an abandoned run is over");
            return None;
        }
        Some(match result {
            Ok(value) if value.get().len() > RESULT_MAX => {
                Verdict::Done(Outcome::Failure(Exception::result_too_large(value.get().len(), RESULT_MAX)))
            }
            Ok(value) => Verdict::Done(Outcome::Success(value)),
            Err(Failure::BadArguments(reason)) => Verdict::Done(Outcome::Failure(Exception::bad_arguments(&reason))),
            Err(Failure::Unavailable(reason)) => Verdict::PutBack(reason),
            Err(Failure::SoftTimeLimit) => Verdict::Done(Outcome::Failure(Exception::soft_time_limit_exceeded())),
            Err(Failure::Retry(reason)) if message.retries >= handler.max_retries => {
                Verdict::Done(Outcome::Failure(Exception::failed(&reason)))
            }
            Err(Failure::Retry(reason)) => {
                let pause = backoff(message.retries, rand::random());
                Verdict::Again(Outcome::Retry(Exception::failed(&reason)), pause)
            }
        })
    }
}

/// Why the message of a task that has come to this end is kept as a dead letter, if it is.
fn reason_to_keep(message: &TaskMessage, outcome: &Outcome) -> Option<String> {
    let Outcome::Failure(exception) = outcome else { return None };
    let handler = registry::find(&message.task).filter(|handler| handler.when_failed == WhenFailed::Bury)?;
    Some(format!("{} failed: {exception}", handler.name))
}

fn next_attempt(message: &TaskMessage, now: DateTime<Utc>, pause: Duration) -> Publish {
    let next = message.retry(now + pause);
    Publish::Later { tag: next.delivery_tag, message: next.message, pause }
}
