//! The end of a message's flight: acknowledged with its result and what follows from it, or buried.

use std::time::Duration;

use super::scripts::{BURY, FINISH};
use super::{Broker, BrokerError, WorkerId};
use logmon_core::celery::event::Event;
use logmon_core::celery::{NewChord, NewTask, TaskId, TaskMessage};
use redis::{ErrorKind, ScriptInvocation, Value};

/// How a message's flight ends.
#[derive(Debug)]
pub struct Finish {
    /// The name under which it is in flight.
    pub tag: String,
    /// The task's id.
    pub task: TaskId,
    /// The result document to store and publish, if anybody wants it.
    pub document: Option<String>,
    /// What is sent: its next attempt, or the tasks that follow it.
    pub publish: Vec<Publish>,
    /// What is kept beside its result.
    pub keep: Vec<Keep>,
}

/// What is kept in the moment in which a message's flight ends.
#[derive(Debug)]
pub enum Keep {
    /// The result of another task, which will never run.
    Result(TaskId, String),
    /// A chord begins.
    Begin(NewChord),
    /// The chord of this group has come to its end: its body is sent, or has failed. Whatever is counted for it from now
    /// on changes nothing.
    End(String),
    /// The message itself, as a dead letter.
    Dead {
        /// What is wrong with it.
        reason: String,
        /// How often it was fetched.
        deliveries: u32,
    },
}

/// A message that is sent in the moment in which another's flight ends.
#[derive(Debug)]
pub enum Publish {
    /// A task, to its queue.
    Task(NewTask),
    /// To its queue after a pause.
    Later {
        /// Its delivery tag.
        tag: String,
        /// As it lies on a list.
        message: String,
        /// The pause, by the clock of Redis.
        pause: Duration,
    },
}

impl Publish {
    fn event(&self) -> Option<Event> {
        match self {
            Self::Task(task) => Some(Event::sent(task)),
            Self::Later { message, .. } => {
                TaskMessage::decode(message.as_bytes()).ok().map(|message| Event::sent_again(&message))
            }
        }
    }
}

/// Whether a worker still held the message that it reported on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Held {
    /// It did, and the report was taken.
    Yes,
    /// It was taken for dead and another worker has the message: nothing was changed.
    Lost,
}

impl Held {
    pub(super) fn from_count(count: i64) -> Self {
        if count == 0 { Self::Lost } else { Self::Yes }
    }
}

impl Broker {
    /// Ends flights in one call: acknowledges each message, stores its result and sends what follows from it, all of
    /// this or nothing. The answers are in the order of `finishes`; one that is an error leaves its message in flight.
    ///
    /// # Errors
    /// See [`BrokerError`]. It may be called again.
    pub fn finish(
        &self,
        worker: &WorkerId,
        finishes: &[Finish],
    ) -> Result<Vec<Result<Held, BrokerError>>, BrokerError> {
        let keys = &self.keys;
        let mut call = FINISH.prepare_invoke();
        self.flight(&mut call);
        self.delayed(&mut call);
        call.key(keys.dead());
        call.arg(&worker.0).arg(self.result_expires.as_secs());
        for finish in finishes {
            call.arg(&finish.tag).arg(keys.result(&finish.task)).arg(finish.document.as_deref().unwrap_or(""));
            call.arg(finish.publish.len() + finish.keep.len());
            for keep in &finish.keep {
                match keep {
                    Keep::Result(task, document) => call.arg(keys.result(task)).arg(document).arg("result"),
                    Keep::Begin(chord) => {
                        let structure = chord.structure.as_deref().unwrap_or_default();
                        call.arg(keys.group(&chord.group, "")).arg(format!("{} {structure}", chord.size)).arg("begin")
                    }
                    Keep::End(group) => call.arg(keys.group(group, "")).arg("").arg("end"),
                    Keep::Dead { reason, deliveries } => call.arg(deliveries).arg(reason).arg("dead"),
                };
            }
            for publish in &finish.publish {
                match publish {
                    Publish::Task(task) => {
                        call.arg(keys.queue(&task.queue, task.priority)).arg(self.encode(task)).arg("");
                    }
                    Publish::Later { tag, message, pause } => {
                        call.arg(tag).arg(message).arg(pause.as_secs_f64());
                    }
                }
            }
        }
        let answers: Vec<Value> = self.with(|conn| call.invoke(conn))?;
        let answers: Vec<_> = answers.into_iter().map(held).collect();
        let ended = finishes.iter().zip(&answers).filter(|(_, answer)| matches!(answer, Ok(Held::Yes)));
        self.tell_sent(ended.flat_map(|(finish, _)| &finish.publish).filter_map(Publish::event));
        Ok(answers)
    }

    /// Makes a message in flight a dead letter. `failure` is the result document for whoever waits for the task, where
    /// its id can be told.
    ///
    /// # Errors
    /// See [`BrokerError`]. It may be called again.
    pub fn bury(&self, worker: &WorkerId, burial: &Burial) -> Result<Held, BrokerError> {
        let keys = &self.keys;
        let nobody = (TaskId(String::new()), String::new());
        let (task, document) = burial.failure.as_ref().unwrap_or(&nobody);
        let mut call = BURY.prepare_invoke();
        self.flight(&mut call);
        call.key(keys.dead()).key(keys.result(task));
        call.arg(&worker.0).arg(&burial.tag).arg(&burial.reason).arg(burial.deliveries);
        call.arg(document).arg(self.result_expires.as_secs());
        self.with(|conn| call.invoke(conn)).map(Held::from_count)
    }

    /// The keys that every script about a flight begins with.
    pub(super) fn flight(&self, call: &mut ScriptInvocation<'_>) {
        let keys = &self.keys;
        call.key(keys.unacked()).key(keys.unacked_index()).key(keys.holders()).key(keys.deliveries());
    }
}

/// Why a message becomes a dead letter.
#[derive(Debug)]
pub struct Burial {
    /// The name under which it is in flight.
    pub tag: String,
    /// What is wrong with it.
    pub reason: String,
    /// How often it was fetched.
    pub deliveries: u32,
    /// The result document for whoever waits for the task, where its id can be told.
    pub failure: Option<(TaskId, String)>,
}

fn held(answer: Value) -> Result<Held, BrokerError> {
    match answer {
        Value::Int(count) => Ok(Held::from_count(count)),
        other => {
            let reason = redis::from_redis_value(other).unwrap_or_default();
            Err(BrokerError::Refused((ErrorKind::Extension, "a flight cannot be ended", reason).into()))
        }
    }
}
