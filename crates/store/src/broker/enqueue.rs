//! Putting a task on its queue.

use std::iter;
use std::time::Duration;

use logmon_core::celery::event::Event;
use logmon_core::celery::{NewTask, Priority};
use logmon_core::clock::{Clock as _, SystemClock};

use super::scripts::{DECLARE, ENQUEUE_ONCE};
use super::{Broker, BrokerError};

/// What became of a task that is pushed once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    /// It was pushed now.
    Now,
    /// It was pushed before, by whomever.
    Before,
}

impl Broker {
    /// Puts a task on its queue. When this returns without an error, Redis has the message.
    ///
    /// # Errors
    /// See [`BrokerError`]; after [`BrokerError::Unavailable`] the message may be there all the same.
    pub fn enqueue(&self, task: &NewTask) -> Result<(), BrokerError> {
        let message = self.encode(task);
        let list = self.keys.queue(&task.queue, task.priority);
        let mut pipe = redis::pipe();
        pipe.lpush(list, message).ignore();
        let unbound = !self.is_bound(&task.queue);
        if unbound {
            for (set, member) in self.bindings(&task.queue) {
                pipe.sadd(set, member).ignore();
            }
        }
        self.with(|conn| pipe.query::<()>(conn))?;
        if unbound {
            self.note_bound(&task.queue);
        }
        self.tell_sent(iter::once(task).map(Event::sent));
        Ok(())
    }

    /// Puts a task on its queue, unless one was put there under the same name within the time `once`.
    ///
    /// # Errors
    /// As [`Broker::enqueue`].
    pub fn enqueue_once(&self, name: &str, once: Duration, task: &NewTask) -> Result<Push, BrokerError> {
        let mut call = ENQUEUE_ONCE.prepare_invoke();
        call.key(self.keys.once(name)).key(self.keys.queue(&task.queue, task.priority));
        call.arg(self.encode(task)).arg(u64::try_from(once.as_millis()).unwrap_or(u64::MAX));
        let pushed: i64 = self.with(|conn| call.invoke(conn))?;
        if pushed != 1 {
            return Ok(Push::Before);
        }
        self.tell_sent(iter::once(task).map(Event::sent));
        Ok(Push::Now)
    }

    /// Lets the tasks that were put there under these names be enough for so long from now on.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn once_for(&self, names: &[String], once: Duration) -> Result<(), BrokerError> {
        if names.is_empty() {
            return Ok(());
        }
        let millis = i64::try_from(once.as_millis()).unwrap_or(i64::MAX);
        let mut pipe = redis::pipe();
        for name in names {
            pipe.pexpire(self.keys.once(name), millis).ignore();
        }
        self.with(|conn| pipe.query(conn))
    }

    /// The message of a task that goes to its queue now.
    pub(super) fn encode(&self, task: &NewTask) -> String {
        task.encode_at(self.origin.as_str(), SystemClock.now())
    }

    // Celery's producers name a queue's binding once a connection; admin tools read it.
    fn bindings(&self, queue: &str) -> [(String, String); 3] {
        let member = format!("{queue}\u{6}\u{16}\u{6}\u{16}{queue}");
        [
            (self.keys.binding(queue), member.clone()),
            (self.keys.binding_permanent(queue), member),
            (self.keys.queues(), queue.to_owned()),
        ]
    }

    fn is_bound(&self, queue: &str) -> bool {
        self.bound.lock().unwrap_or_else(std::sync::PoisonError::into_inner).contains(queue)
    }

    fn note_bound(&self, queue: &str) {
        self.bound.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(queue.to_owned());
    }

    /// Names the bindings of the queues that a worker serves, as a Python worker does when it starts; also when Redis is
    /// full, for the worker will make room.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn declare(&self, queues: &[String]) -> Result<(), BrokerError> {
        let mut call = DECLARE.prepare_invoke();
        call.key(self.keys.queues());
        for queue in queues {
            for (set, member) in self.bindings(queue) {
                call.key(set).arg(member);
            }
        }
        self.with(|conn| call.invoke(conn))
    }

    /// How many messages wait on a queue, over all priorities.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn depth(&self, queue: &str) -> Result<u64, BrokerError> {
        let mut pipe = redis::pipe();
        for priority in Priority::STEPS {
            pipe.llen(self.keys.queue(queue, priority));
        }
        let lengths: Vec<u64> = self.with(|conn| pipe.query(conn))?;
        Ok(lengths.iter().sum())
    }
}
