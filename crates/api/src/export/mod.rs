//! Exports: logs from one end to the other, as one stream of bytes.
//!
//! A thread reads the database, and another one writes what the client will get, so that neither waits while the other works.
//! Each is a little ahead of who comes after it, and no more. A client that takes nothing for a while, or leaves, ends both.

mod output;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver as BatchReceiver, SyncSender, sync_channel};
use std::time::Duration;

use actix_web::web::Bytes;
use futures_util::stream::{self, Stream};
use logmon_core::log::Log;
use logmon_core::page::{Cursor, Fingerprint};
use logmon_store::db::DbError;
use logmon_store::db::logs::export::{Step, Walk};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::query::Continued;
pub use output::{Compression, Format, Output};

/// How many bytes are sent at a time, about.
const CHUNK: usize = 128 * 1024;
/// How many chunks may wait for the client.
const CHUNKS: usize = 2;
/// How many logs are handed over at a time, and with how many bytes of text no more are added.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 256 * 1024;
/// How many batches may wait to be written.
const BATCHES: usize = 3;
/// How long a client may take nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Logs to be sent.
pub struct Export {
    /// What reads them.
    pub walk: Walk,
    /// What they are written to.
    pub output: Output,
    /// How many are sent at most.
    pub limit: u64,
    /// Where those behind them are.
    pub continued: Continued,
    /// The list that they are of.
    pub list: Fingerprint,
    /// The right to do this.
    pub turn: OwnedSemaphorePermit,
}

/// What the client gets.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Bytes(Bytes),
    /// It has all of it.
    End,
}

/// Why an export ended before its end.
#[derive(Debug)]
enum Trouble {
    /// The database.
    Database(DbError),
    /// Nobody takes it any more.
    Unread,
}

impl Export {
    /// Begins, on threads of its own. An error ends the stream when the client does not have everything.
    pub fn stream(self) -> impl Stream<Item = io::Result<Bytes>> + 'static {
        let (sender, parts) = mpsc::channel(CHUNKS);
        let outlet = Outlet { sender, runtime: Handle::current(), patience: PATIENCE };
        let Self { mut walk, output, limit, continued, list, turn } = self;
        let (sender, batches) = sync_channel(BATCHES);
        let turn = Arc::new(turn);
        let writing = Writing { batches, output, limit, continued, list, _turn: Arc::clone(&turn) };
        tokio::task::spawn_blocking(move || {
            read(&mut walk, &sender);
            drop(turn);
        });
        tokio::task::spawn_blocking(move || writing.run(&outlet));
        parts_of(parts)
    }
}

/// Logs that follow each other.
struct Batch {
    logs: Vec<Log>,
    then: Then,
}

/// What comes behind a batch.
enum Then {
    More,
    End,
    Error(DbError),
}

/// Reads logs up to their end, or until nobody takes them any more.
fn read(walk: &mut Walk, batches: &SyncSender<Batch>) {
    loop {
        let batch = batch(walk);
        let is_last = !matches!(batch.then, Then::More);
        if batches.send(batch).is_err() || is_last {
            return;
        }
    }
}

fn batch(walk: &mut Walk) -> Batch {
    let (mut logs, mut bytes) = (Vec::with_capacity(BATCH), 0);
    let then = loop {
        match walk.step() {
            Ok(Step::Log(log)) => {
                bytes += log.message.len() + log.extra.attributes.as_ref().map_or(0, |all| all.as_str().len());
                logs.push(*log);
                if logs.len() >= BATCH || bytes >= BATCH_BYTES {
                    break Then::More;
                }
            }
            Ok(Step::Nothing) => break Then::More,
            Ok(Step::End) => break Then::End,
            Err(error) => break Then::Error(error),
        }
    };
    Batch { logs, then }
}

/// What writes an export.
struct Writing {
    batches: BatchReceiver<Batch>,
    output: Output,
    limit: u64,
    continued: Continued,
    list: Fingerprint,
    _turn: Arc<OwnedSemaphorePermit>,
}

impl Writing {
    fn run(mut self, outlet: &Outlet) {
        let mut sent = 0;
        let done = self.write(&mut sent, outlet);
        match done {
            Ok(()) => outlet.end(),
            Err(Trouble::Unread) => log::info!(count = sent; "an export ended: its client does not take it"),
            Err(Trouble::Database(error)) => {
                log::error!(count = sent; "an export broke off: {error}");
                self.output.broken_off(sent);
                // Without an end behind it this is no whole export, and the client may be gone as well.
                let _told = outlet.send(self.output.finish());
            }
        }
    }

    fn write(&mut self, sent: &mut u64, outlet: &Outlet) -> Result<(), Trouble> {
        let mut last = None;
        loop {
            let ended = |_| Trouble::Database(DbError::Unavailable("nobody reads it any more".to_owned()));
            let Batch { logs, then } = self.batches.recv().map_err(ended)?;
            // So few come that the client is not to wait for more; also where there are none: who has left is noticed.
            let are_few = logs.len() < BATCH;
            for log in logs {
                if *sent == self.limit {
                    let cursor = last.map(|last: Cursor| last.encode_for(self.list)).unwrap_or_default();
                    self.output.cut(*sent, &self.continued.at(&cursor));
                    return outlet.send(self.output.finish());
                }
                last = Some(Cursor { created_at: log.created_at, id: log.id.0 });
                self.output.log(log);
                *sent += 1;
                if self.output.waits() >= CHUNK {
                    outlet.send(self.output.take())?;
                }
            }
            match then {
                Then::More if are_few => outlet.send(self.output.take())?,
                Then::More => {}
                Then::End => return outlet.send(self.output.finish()),
                Then::Error(error) => return Err(Trouble::Database(error)),
            }
        }
    }
}

/// Where an export's bytes go.
struct Outlet {
    sender: Sender<Part>,
    runtime: Handle,
    patience: Duration,
}

impl Outlet {
    fn send(&self, bytes: Vec<u8>) -> Result<(), Trouble> {
        if self.sender.is_closed() {
            return Err(Trouble::Unread);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let sending = self.sender.send_timeout(Part::Bytes(bytes.into()), self.patience);
        self.runtime.block_on(sending).map_err(|_unread| Trouble::Unread)
    }

    fn end(&self) {
        // Whoever has left needs no end.
        let _told = self.sender.blocking_send(Part::End);
    }
}

/// What comes through the channel, up to its end; an error where it breaks off before.
fn parts_of(parts: Receiver<Part>) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(Some(parts), |parts| async {
        let mut parts = parts?;
        match parts.recv().await {
            Some(Part::Bytes(bytes)) => Some((Ok(bytes), Some(parts))),
            Some(Part::End) => None,
            None => Some((Err(io::Error::other("the export broke off")), None)),
        }
    })
}

#[cfg(test)]
mod tests {
    use futures_util::stream::StreamExt as _;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_takes_nothing_ends_it_and_what_breaks_off_does_not_look_whole() {
        let (sender, mut parts) = mpsc::channel(1);
        let outlet = Outlet { sender, runtime: Handle::current(), patience: Duration::from_millis(20) };
        let sending = tokio::task::spawn_blocking(move || {
            outlet.send(b"one".to_vec()).unwrap();
            // It is full, and nobody reads.
            assert!(matches!(outlet.send(b"two".to_vec()), Err(Trouble::Unread)));
        });
        sending.await.unwrap();
        assert_eq!(parts.recv().await, Some(Part::Bytes("one".into())));
        let broken = parts_of(parts).collect::<Vec<_>>().await;
        assert!(matches!(broken.as_slice(), [Err(_)]), "{broken:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_sent_to_a_client_that_left_and_an_end_is_an_end() {
        let (sender, parts) = mpsc::channel(4);
        let outlet = Outlet { sender, runtime: Handle::current(), patience: PATIENCE };
        let sending = tokio::task::spawn_blocking(move || {
            outlet.send(b"all".to_vec()).unwrap();
            outlet.end();
            outlet
        });
        let outlet = sending.await.unwrap();
        let all: Vec<_> = parts_of(parts).map(Result::unwrap).collect().await;
        assert_eq!(all, ["all"]);
        let sending = tokio::task::spawn_blocking(move || outlet.send(Vec::new()));
        assert!(matches!(sending.await.unwrap(), Err(Trouble::Unread)));
    }
}
