//! One slot: fetches a message, runs its task, reports what became of it, and begins again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use logmon_core::celery::{Exception, Outcome, ResultPolicy, TaskMessage};
use logmon_core::stop::{Stop, Urgency};
use logmon_core::tasks::retry::backoff;
use logmon_store::broker::{Broker, BrokerError, Due, Fetched, Finish, Held, WorkerId};
use serde_json::value::RawValue;

use crate::context::Context;
use crate::registry::{self, Failure};

/// The pause after the first look at empty queues; it doubles up to [`IDLE_MAX`]. A script cannot block, so the
/// queues are asked.
const IDLE_MIN: Duration = Duration::from_millis(5);
const IDLE_MAX: Duration = Duration::from_millis(100);

/// How long a task waits that came while the database took nothing.
const PUT_BACK: Duration = Duration::from_secs(1);

/// A slot of this worker. Clones are further slots.
#[derive(Clone)]
pub struct Runner {
    broker: Broker,
    worker: WorkerId,
    queues: Vec<String>,
    context: Context,
    stop: Stop,
}

/// What is to be done with a message after its run.
enum Verdict {
    /// It has come to its end.
    Done(Outcome),
    /// It is tried again after a pause.
    Again(Outcome, Duration),
    /// It goes back to its queue until the database is there again.
    PutBack(String),
}

impl Runner {
    /// A slot.
    pub fn new(broker: Broker, worker: WorkerId, queues: Vec<String>, context: Context, stop: Stop) -> Self {
        Self { broker, worker, queues, context, stop }
    }

    /// Works until it is told to stop.
    pub fn run(&self) {
        let mut idle = IDLE_MIN;
        while !self.stop.is_raised() {
            let look = self.until_redis_answers(|| self.broker.fetch(&self.queues, &self.worker));
            if let Some(count) = look.as_ref().map(|look| look.buried).filter(|count| *count > 0) {
                log::error!(count; "dead letters: no messages at all, or fetched too often without an end");
            }
            match look.and_then(|look| look.fetched) {
                Some(fetched) => {
                    idle = IDLE_MIN;
                    self.process(&fetched);
                }
                None => {
                    self.stop.wait(Urgency::Finish, idle);
                    idle = (idle * 2).min(IDLE_MAX);
                }
            }
        }
    }

    fn process(&self, fetched: &Fetched) {
        let message = match TaskMessage::decode(&fetched.raw) {
            Ok(message) => message,
            Err(malformed) => return self.bury(fetched, &malformed.0),
        };
        // By the clock of Redis, which also says when the message comes back.
        if let Some(eta) = message.eta.filter(|eta| *eta > fetched.at) {
            self.report(|| self.broker.delay(&self.worker, &fetched.tag, Due::At(eta)));
            return;
        }
        let start = Instant::now();
        let verdict = if message.expires.is_some_and(|expires| expires <= fetched.at) {
            Verdict::Done(Outcome::Revoked(Exception::expired()))
        } else {
            self.run_task(&message)
        };
        self.say(&message, &verdict, start.elapsed());
        match verdict {
            Verdict::Done(outcome) => self.finish(fetched, &message, &outcome, None),
            Verdict::Again(outcome, pause) => self.finish(fetched, &message, &outcome, Some(pause)),
            Verdict::PutBack(_) => {
                // With a pause, for a database may answer and yet take no writes.
                self.report(|| self.broker.delay(&self.worker, &fetched.tag, Due::In(PUT_BACK)));
                self.stop.wait_for("the database", || self.context.database.get().map(drop));
            }
        }
    }

    fn bury(&self, fetched: &Fetched, reason: &str) {
        log::error!("a message cannot be run and is a dead letter now: {reason}");
        let id = TaskMessage::id_of(&fetched.raw);
        let failure = id.as_ref().map(|id| {
            let outcome = Outcome::Failure(Exception::failed(reason));
            (id, outcome.document(id, self.context.clock.now()))
        });
        let failure = failure.as_ref().map(|(id, document)| (*id, document.as_str()));
        self.report(|| self.broker.bury(&self.worker, &fetched.tag, reason, failure));
    }

    fn run_task(&self, message: &TaskMessage) -> Verdict {
        let Some(handler) = registry::find(&message.task) else {
            return Verdict::Done(Outcome::Failure(Exception::not_registered(&message.task)));
        };
        let run = || (handler.run)(&self.context, &message.arguments);
        match catch_unwind(AssertUnwindSafe(run))
            .unwrap_or_else(|_| Err(Failure::Retry("the task panicked".to_owned())))
        {
            Ok(value) => Verdict::Done(Outcome::Success(value)),
            Err(Failure::BadArguments(reason)) => Verdict::Done(Outcome::Failure(Exception::bad_arguments(&reason))),
            Err(Failure::Unavailable(reason)) => Verdict::PutBack(reason),
            Err(Failure::Retry(reason)) if message.retries >= handler.max_retries => {
                Verdict::Done(Outcome::Failure(Exception::failed(&reason)))
            }
            Err(Failure::Retry(reason)) => {
                let pause = backoff(message.retries, rand::random());
                Verdict::Again(Outcome::Retry(Exception::failed(&reason)), pause)
            }
        }
    }

    fn finish(&self, fetched: &Fetched, message: &TaskMessage, outcome: &Outcome, pause: Option<Duration>) {
        let now = self.context.clock.now();
        let document = match message.result {
            ResultPolicy::Keep => Some(outcome.document(&message.id, now)),
            ResultPolicy::Ignore => None,
        };
        let next = pause.map(|pause| (message.retry(now + pause), pause));
        let next = next.as_ref().map(|(next, pause)| (next.message.as_str(), next.delivery_tag.as_str(), *pause));
        let finish = Finish { tag: &fetched.tag, task: &message.id, document: document.as_deref(), next };
        self.report(|| self.broker.finish(&self.worker, &finish));
    }

    // A report may be repeated, so it is until Redis has it. A process that is to end leaves the message in flight:
    // another worker repeats the task with the effect of once.
    fn report(&self, send: impl Fn() -> Result<Held, BrokerError>) {
        if let Some(Held::Lost) = self.until_redis_answers(send) {
            log::warn!(worker = self.worker.0.as_str(); "a task was taken over by another worker meanwhile");
        }
    }

    fn until_redis_answers<T>(&self, ask: impl Fn() -> Result<T, BrokerError>) -> Option<T> {
        ask().ok().or_else(|| self.stop.wait_for("Redis", ask))
    }

    fn say(&self, message: &TaskMessage, verdict: &Verdict, took: Duration) {
        let (task, task_id) = (message.task.as_str(), message.id.as_str());
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        match verdict {
            Verdict::Done(Outcome::Success(_)) => log::info!(task, task_id, duration_ms; "succeeded"),
            Verdict::Done(outcome) => log::error!(task, task_id, duration_ms; "{}", reason(outcome)),
            Verdict::Again(outcome, pause) => {
                log::warn!(task, task_id, duration_ms; "again in {} s: {}", pause.as_secs(), reason(outcome));
            }
            Verdict::PutBack(reason) => log::warn!(task, task_id; "put back: {reason}"),
        }
    }
}

fn reason(outcome: &Outcome) -> String {
    let in_words = |exception: &Exception| format!("{}: {}", exception.exc_type, exception.exc_message.join(", "));
    match outcome {
        Outcome::Success(value) => RawValue::get(value).to_owned(),
        Outcome::Failure(exception) => format!("failed: {}", in_words(exception)),
        Outcome::Retry(exception) => in_words(exception),
        Outcome::Revoked(exception) => format!("not run: {}", in_words(exception)),
    }
}
