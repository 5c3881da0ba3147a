//! Dead letters: messages that were given up, each with its reason; looked at, put back on their queues, or dropped.
//!
//! They are kept for 90 days, and the newest 10,000 of them and 256 MiB. Batches of logs were accepted, so they give way to
//! nothing before their time: they take room on the queue of batches instead, which takes no more when it is full.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use logmon_core::celery::TaskId;
use logmon_core::page::Page;
use redis::Commands as _;
use redis::streams::{StreamId, StreamRangeReply};

use super::scripts::{DROP_DEAD, REQUEUE_DEAD, TRIM_DEAD};
use super::{Broker, BrokerError};

/// How many are read at once while those that fit a filter are looked for.
const CHUNK: usize = 500;

/// The id of a dead letter: when it was buried, in milliseconds, and which one of that millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeadLetterId {
    millis: u64,
    sequence: u64,
}

impl DeadLetterId {
    /// When it was buried, by the clock of Redis.
    pub fn died_at(self) -> DateTime<Utc> {
        i64::try_from(self.millis).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default()
    }

    /// Which one of its millisecond it was.
    pub fn sequence(self) -> u64 {
        self.sequence
    }
}

impl std::fmt::Display for DeadLetterId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.millis, self.sequence)
    }
}

/// The text is not the id of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id such as 1795348188145-0 is expected")]
pub struct NotADeadLetterId;

impl FromStr for DeadLetterId {
    type Err = NotADeadLetterId;

    fn from_str(text: &str) -> Result<Self, NotADeadLetterId> {
        let (millis, sequence) = text.split_once('-').ok_or(NotADeadLetterId)?;
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| plain).ok_or(NotADeadLetterId)
        };
        Ok(Self { millis: number(millis)?, sequence: number(sequence)? })
    }
}

/// What is known of a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id.
    pub id: DeadLetterId,
    /// Why it was given up.
    pub reason: String,
    /// How often it had been fetched.
    pub deliveries: u64,
    /// How long its message is, in bytes.
    pub size: u64,
    /// The queue that it was on, where the message says so.
    pub queue: Option<String>,
    /// The task's registered name, where the message says so.
    pub task: Option<String>,
    /// The task's id, where the message says so.
    pub task_id: Option<TaskId>,
    /// The key of a batch of logs, where it is one.
    pub batch_key: Option<String>,
}

/// Which dead letters are meant; the default means all.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterFilter {
    /// Only those of the task of this name.
    pub task: Option<String>,
    /// Only those whose reason contains this text.
    pub reason: Option<String>,
}

impl DeadLetterFilter {
    fn fits(&self, letter: &DeadLetter) -> bool {
        self.task.as_ref().is_none_or(|task| letter.task.as_ref() == Some(task))
            && self.reason.as_ref().is_none_or(|part| letter.reason.contains(part))
    }
}

/// What became of a dead letter that was to go back to its queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requeue {
    /// It is on its queue.
    Done,
    /// There is no such dead letter (any more).
    Gone,
    /// It stays, for it cannot be put on a queue.
    Refused(String),
}

/// What became of a dead letter that was to be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// It is gone now.
    Now,
    /// There is no such dead letter (any more).
    Before,
}

impl Broker {
    /// A page of the dead letters that fit, newest first.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn dead_letters(&self, filter: &DeadLetterFilter, page: Page) -> Result<Vec<DeadLetter>, BrokerError> {
        let key = self.keys.dead();
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let mut before =
            page.after.map_or_else(|| "+".to_owned(), |at| format!("({}-{}", at.created_at.timestamp_millis(), at.id));
        let mut letters = Vec::new();
        loop {
            let chunk: StreamRangeReply = self.with(|conn| conn.xrevrange_count(&key, &before, "-", CHUNK))?;
            let Some(last) = chunk.ids.last() else { return Ok(letters) };
            before = format!("({}", last.id);
            letters.extend(chunk.ids.iter().filter_map(read).filter(|letter| filter.fits(letter)));
            if letters.len() >= limit {
                letters.truncate(limit);
                return Ok(letters);
            }
        }
    }

    /// A dead letter and its message, as it was pushed.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn dead_letter(&self, id: DeadLetterId) -> Result<Option<(DeadLetter, Vec<u8>)>, BrokerError> {
        let (mut pipe, name) = (redis::pipe(), id.to_string());
        pipe.xrange(self.keys.dead(), &name, &name).hget(self.keys.dead_messages(), &name);
        let (found, message): (StreamRangeReply, Option<Vec<u8>>) = self.with(|conn| pipe.query(conn))?;
        Ok(found.ids.first().and_then(read).zip(message))
    }

    /// How many there are.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn dead_letter_count(&self) -> Result<u64, BrokerError> {
        self.with(|conn| conn.xlen(self.keys.dead()))
    }

    /// Puts a dead letter back on its queue, behind what waits there, byte for byte, with its deliveries forgotten.
    ///
    /// # Errors
    /// See [`BrokerError`]. It may be called again: a second call finds it gone.
    pub fn requeue_dead_letter(&self, id: DeadLetterId) -> Result<Requeue, BrokerError> {
        let keys = &self.keys;
        let mut call = REQUEUE_DEAD.prepare_invoke();
        call.key(keys.dead()).key(keys.unacked()).key(keys.deliveries()).key(keys.requeued());
        call.arg(id.to_string()).arg(keys.prefix()).arg(keys.result(&TaskId(String::new())));
        let answer: Vec<String> = self.with(|conn| call.invoke(conn))?;
        Ok(match answer.as_slice() {
            [done] if done == "requeued" => Requeue::Done,
            [_, reason] => Requeue::Refused(reason.clone()),
            _ => Requeue::Gone,
        })
    }

    /// The keys of batches that may come again however old they are: those that are dead letters, and those that were until
    /// they went back to their queue in the past 7 days.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn dead_batches(&self) -> Result<Vec<String>, BrokerError> {
        let all = Page { limit: u32::MAX, after: None };
        // In this order: one that goes back in between is found twice and not missed.
        let dead = self.dead_letters(&DeadLetterFilter::default(), all)?;
        let requeued: Vec<String> = self.with(|conn| conn.zrange(self.keys.requeued(), 0, -1))?;
        Ok(dead.into_iter().filter_map(|letter| letter.batch_key).chain(requeued).collect())
    }

    /// Drops the dead letters that are too old, and gives how many were dropped, for their age or for room, since any process
    /// asked last.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn trim_dead_letters(&self) -> Result<u64, BrokerError> {
        self.with(|conn| TRIM_DEAD.key(self.keys.dead()).invoke(conn))
    }

    /// Drops a dead letter.
    ///
    /// # Errors
    /// See [`BrokerError`]. It may be called again.
    pub fn drop_dead_letter(&self, id: DeadLetterId) -> Result<Dropped, BrokerError> {
        let key = self.keys.dead();
        let count: i64 = self.with(|conn| DROP_DEAD.key(&key).arg(id.to_string()).invoke(conn))?;
        Ok(if count == 0 { Dropped::Before } else { Dropped::Now })
    }
}

fn read(entry: &StreamId) -> Option<DeadLetter> {
    // A message may hold any bytes in the place of a name.
    let text = |field| {
        let bytes: Vec<u8> = entry.get(field).unwrap_or_default();
        Some(String::from_utf8_lossy(&bytes).into_owned()).filter(|text| !text.is_empty())
    };
    Some(DeadLetter {
        id: entry.id.parse().ok()?,
        reason: text("reason").unwrap_or_default(),
        deliveries: entry.get("deliveries").unwrap_or_default(),
        size: entry.get("size").unwrap_or_default(),
        queue: text("queue"),
        task: text("task"),
        task_id: text("task_id").map(TaskId),
        batch_key: text("batch"),
    })
}
