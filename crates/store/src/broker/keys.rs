//! Every key that LogMon uses in Redis. Whoever shares a Redis with it reads this page to see what is taken.

use logmon_core::celery::control::{self, ReplyTo};
use logmon_core::celery::{Priority, TaskId, event};

/// The id of one worker process: no two have the same, so that a dead one can be told from its successor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WorkerId(pub String);

impl WorkerId {
    /// An id for this process.
    pub fn of_this_process() -> Self {
        Self(format!("logmon@{}-{}-{}", super::hostname(), std::process::id(), TaskId::random()))
    }
}

/// The names of the keys, all behind one prefix.
#[derive(Debug)]
pub struct Keys {
    prefix: String,
    result_prefix: String,
    database: i64,
}

impl Keys {
    pub(super) fn new(prefix: &str, database: i64) -> Self {
        // Celery's Redis result backend sets the prefix off with `_` where it does not end in a separator.
        let set_off = prefix.is_empty() || prefix.ends_with([':', '_', '-', '.']);
        let result_prefix = if set_off { prefix.to_owned() } else { format!("{prefix}_") };
        Self { prefix: prefix.to_owned(), result_prefix, database }
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// What stands before every key.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// List: the messages of a queue and priority; producers push at the head, workers pop the tail. Celery's.
    pub fn queue(&self, queue: &str, priority: Priority) -> String {
        self.key(&format!("{queue}{}", priority.list_suffix()))
    }

    /// Hash: delivery tag to `[message, exchange, routing key]` of what is in flight. Celery's.
    pub fn unacked(&self) -> String {
        self.key("unacked")
    }

    /// Sorted set: delivery tag by the time it was fetched or last renewed, in seconds. Celery's.
    pub fn unacked_index(&self) -> String {
        self.key("unacked_index")
    }

    /// Set: which queues an exchange of that name leads to. Celery's.
    pub fn binding(&self, queue: &str) -> String {
        self.key(&format!("_kombu.binding.{queue}"))
    }

    /// Set: the same for queues that do not expire. Celery's.
    pub fn binding_permanent(&self, queue: &str) -> String {
        self.key(&format!("_kombu.binding_permanent.{queue}"))
    }

    /// String, and channel of the same name: a task's result document. Celery's.
    pub fn result(&self, id: &TaskId) -> String {
        format!("{}celery-task-meta-{id}", self.result_prefix)
    }

    /// What is known of a group: its saved `GroupResult` without suffix, and with one of `.j .t .s .d .c` the state of the
    /// chord whose header it is. Celery's.
    pub fn group(&self, group: &str, suffix: &str) -> String {
        format!("{}celery-taskset-meta-{group}{suffix}", self.result_prefix)
    }

    /// Channel: requests to the workers. Channels know no databases, so their names carry its number. Celery's.
    pub fn control(&self) -> String {
        self.key(&format!("/{}.{}", self.database, control::MAILBOX))
    }

    /// List: replies to a request, on the queue that its caller reads. Celery's.
    pub fn replies(&self, to: &ReplyTo) -> String {
        self.key(&to.queue())
    }

    /// Channel: events of workers and tasks, by their routing key. Celery's.
    pub fn events(&self, routing_key: &str) -> String {
        self.key(&format!("/{}.{}/{routing_key}", self.database, event::EXCHANGE))
    }

    /// Hash: the name of a worker to its id.
    pub fn nodes(&self) -> String {
        self.key("rq:nodes")
    }

    /// Set: the ids of the workers that hold or held something.
    pub fn workers(&self) -> String {
        self.key("rq:workers")
    }

    /// String that expires: the worker is alive.
    pub fn heartbeat(&self, worker: &WorkerId) -> String {
        self.key(&format!("rq:worker:{}", worker.0))
    }

    /// String that expires: what a worker said of itself with its last heartbeat, as JSON.
    pub fn said(&self, worker: &WorkerId) -> String {
        self.key(&format!("rq:said:{}", worker.0))
    }

    /// Sorted set: the ids of the workers that said something lately and did not take their leave, by the time of it, in
    /// seconds.
    pub fn seen(&self) -> String {
        self.key("rq:seen")
    }

    /// Hash: delivery tag to the id of the worker that holds the message.
    pub fn holders(&self) -> String {
        self.key("rq:holders")
    }

    /// Hash: delivery tag to how often workers have died of the message, perhaps, with a `+` behind it while a further run of
    /// it goes on; not there while that is never.
    pub fn deliveries(&self) -> String {
        self.key("rq:deliveries")
    }

    /// Set: the queues that a process of ours has served or put something on.
    pub fn queues(&self) -> String {
        self.key("rq:queues")
    }

    /// Set: the queues that nothing is fetched from.
    pub fn paused(&self) -> String {
        self.key("rq:paused")
    }

    /// Stream: dead letters, each `reason`, `deliveries`, `size`, `queue`, `task`, `task_id`, `batch` (the key of a
    /// batch of logs). The scripts find what is beside it at the same name with `:raw`, `:yielding` and `:totals` behind it.
    pub fn dead(&self) -> String {
        self.key("rq:dead")
    }

    /// Sorted set: the keys of batches that were dead letters and went back to their queue in the past 7 days, by when, in
    /// seconds.
    pub fn requeued(&self) -> String {
        self.key("rq:requeued")
    }

    /// Sorted set: what is withdrawn (a task's id, or a stamp), by the time until which that is remembered, in seconds.
    pub fn revoked(&self) -> String {
        self.key("rq:revoked")
    }

    /// Hash: id of a dead letter to the message as it was.
    pub fn dead_messages(&self) -> String {
        self.key("rq:dead:raw")
    }

    /// Sorted set: ids of the dead letters that give way to newer ones, by when they were buried, in seconds: all but batches
    /// of logs.
    pub fn dead_yielding(&self) -> String {
        self.key("rq:dead:yielding")
    }

    /// Hash: `bytes` of the messages that are dead letters, `batch_bytes` of those that are batches of logs, how many were
    /// `dropped`, for their age or for room, and of how many of these a worker has `told`.
    pub fn dead_totals(&self) -> String {
        self.key("rq:dead:totals")
    }

    /// Sorted set: delivery tag by the time at which the message is due, in seconds.
    pub fn delayed(&self) -> String {
        self.key("rq:delayed")
    }

    /// Hash: delivery tag to the message that is not due yet, alone or as `unacked` has it.
    pub fn delayed_body(&self) -> String {
        self.key("rq:delayed_body")
    }

    /// Hash: queue to how many of its messages are not due yet.
    pub fn delayed_count(&self) -> String {
        self.key("rq:delayed_count")
    }

    /// Hash: the key of a list to the SHA-1 of the end of the message that is served next, and when it was first seen there,
    /// in milliseconds; only of messages that do not say themselves when they were put there.
    pub fn heads(&self) -> String {
        self.key("rq:heads")
    }

    /// String that expires: Redis takes writes.
    pub fn probe(&self) -> String {
        self.key("rq:probe")
    }

    /// String that expires: a task was enqueued under this name.
    pub fn once(&self, name: &str) -> String {
        self.key(&format!("rq:once:{name}"))
    }

    /// String that expires: the batch that was queued under this Idempotency-Key, as the SHA-256 of its body (32 bytes)
    /// and the id of the task that stores it.
    pub fn batch(&self, key: &str) -> String {
        self.key(&format!("rq:batch:{key}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_set_off_as_celery_does() {
        let id = TaskId("x".to_owned());
        for (prefix, expected) in
            [("", "celery-task-meta-x"), ("lm", "lm_celery-task-meta-x"), ("lm:", "lm:celery-task-meta-x")]
        {
            assert_eq!(Keys::new(prefix, 0).result(&id), expected);
        }
        assert_eq!(Keys::new("lm", 0).queue("celery", Priority::STEPS[1]), "lmcelery\u{6}\u{16}3");
    }

    #[test]
    fn channels_carry_the_number_of_the_database() {
        let keys = Keys::new("lm:", 3);
        assert_eq!(keys.control(), "lm:/3.celery.pidbox");
        assert_eq!(keys.events("task.multi"), "lm:/3.celeryev/task.multi");
    }
}
