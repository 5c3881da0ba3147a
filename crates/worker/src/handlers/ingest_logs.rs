//! Stores a batch that was answered with 202. Twice: the second finds the batch's key, which is stored with its logs.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use logmon_core::tasks::{IngestInput, IngestLogs, Ingested};
use logmon_store::db::ingest_keys;
use logmon_store::db::writer::{Answer, Key, Stored, WriteError};
use serde_json::json;

use crate::context::Context;
use crate::registry::{Failure, Handle};

/// How long the database may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// How often is looked whether the run may go on.
const LOOK: Duration = Duration::from_millis(200);

impl Handle for IngestLogs {
    fn run(context: &Context, input: IngestInput) -> Result<Ingested, Failure> {
        let (count, mut tally) = (input.records.len(), context.watch.tally());
        input.records.iter().for_each(|record| tally.add(record.app, record.level));
        let body_hash: Option<[u8; 32]> = input.body_hash.try_into().ok();
        let body_hash = body_hash.ok_or_else(|| Failure::BadArguments("body_hash must be 32 bytes".to_owned()))?;
        let name = input.key;
        let key = Key { key: name.clone(), origin: input.origin, body_hash, created_at: context.clock.now() };
        let (told, heard) = mpsc::channel();
        let queued = input.answer.map(|body| Answer { status: 202, body });
        let answer = move |stored: &[Stored]| {
            queued.clone().unwrap_or_else(|| Answer { status: 200, body: json!(outcome(stored)).to_string() })
        };
        context.writer.submit_once(key, input.records, Box::new(answer), Instant::now() + DEADLINE, move |outcome| {
            // Nobody listens any more when the time is up.
            let _told = told.send(outcome);
        });
        let ingested = match hear(context, &heard)? {
            Ok(Ok(stored)) => told_of_losses(outcome(&stored)),
            Ok(Err(WriteError::KeyTaken)) => duplicate(context, &name, &body_hash, count)?,
            Ok(Err(error @ WriteError::AnswerTooLarge)) => return Err(Failure::BadArguments(error.to_string())),
            Ok(Err(error @ (WriteError::Unavailable(_) | WriteError::Full))) => {
                return Err(Failure::Unavailable(error.to_string()));
            }
            Err(_) => return Err(Failure::Unavailable("the database did not answer in time".to_owned())),
        };
        // Also what was stored before: whoever did so may have died before this.
        context.watch.stored(&tally);
        Ok(ingested)
    }
}

/// What the writer says; it may store the batch also when nobody waits for that any more.
fn hear<T>(context: &Context, heard: &mpsc::Receiver<T>) -> Result<Result<T, RecvTimeoutError>, Failure> {
    let end = Instant::now() + DEADLINE + Duration::from_secs(1);
    loop {
        context.may_go_on()?;
        match heard.recv_timeout(LOOK) {
            Err(RecvTimeoutError::Timeout) if Instant::now() < end => {}
            answer => return Ok(answer),
        }
    }
}

/// The batch was stored before, or the client used its key for two batches: then this one never will be.
fn duplicate(context: &Context, key: &str, body_hash: &[u8], count: usize) -> Result<Ingested, Failure> {
    match ingest_keys::find(&mut *context.database.get()?, key)? {
        Some(stored) if stored.body_hash != body_hash => {
            Err(Failure::BadArguments("this Idempotency-Key was used for another body".to_owned()))
        }
        Some(_) | None => Ok(Ingested { accepted: 0, duplicate: count, rejected: 0 }),
    }
}

/// Nobody else hears of a log that was answered with 202 and cannot be stored.
fn told_of_losses(ingested: Ingested) -> Ingested {
    if ingested.rejected > 0 {
        let count = ingested.rejected;
        log::warn!(count; "logs of a queued batch cannot be stored: their apps are gone, or the database does not take them");
    }
    ingested
}

fn outcome(stored: &[Stored]) -> Ingested {
    let mut ingested = Ingested { accepted: 0, duplicate: 0, rejected: 0 };
    for stored in stored {
        match stored {
            Stored::Yes(_) => ingested.accepted += 1,
            Stored::Before(_) => ingested.duplicate += 1,
            Stored::UnknownApp | Stored::Refused | Stored::TooLarge => ingested.rejected += 1,
        }
    }
    ingested
}
