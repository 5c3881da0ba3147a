//! One reader: what it missed since it last read, then what is new.

use std::convert::Infallible;
use std::future::ready;

use actix_web::web::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use logmon_core::log::{LogFilter, Seen};
use logmon_store::db::logs::{LogsPage, tail};
use tokio::sync::mpsc::Receiver;

use super::event::Event;
use super::{Tails, follower};
use crate::error::ApiError;
use crate::state::State;

/// How many logs are looked at for a reader that comes back, whether or not they match.
const MISSED_MAX: u32 = 50_000;
/// How long a client waits before it comes back.
const RETRY_MS: u32 = 1_000;

/// The events of a tail: logs that match `filter`, in about the order of their commits.
///
/// With `after`, the id of an event that the reader had, it begins with what came since, nothing left out and nothing
/// repeated.
///
/// # Errors
/// When the database is away, or too many read already.
pub async fn stream(
    tails: &Tails,
    state: &State,
    filter: LogFilter,
    after: Option<Seen>,
) -> Result<impl Stream<Item = Result<Bytes, Infallible>> + 'static, ApiError> {
    let joined = tails.join(state, filter.clone()).await?;
    let missed = Missed { had: after.unwrap_or_else(|| joined.seen.clone()), now: joined.seen, left: MISSED_MAX };
    let begin = [Event::retry(RETRY_MS).into_bytes(), Event::heartbeat(&missed.had).into_bytes()];
    let state = state.clone();
    let missed = stream::unfold(Some(missed), move |missed| {
        let (state, filter) = (state.clone(), filter.clone());
        async move { missed?.next(&state, &filter).await }
    });
    let events = stream::iter(begin).map(Some).chain(missed).chain(live(joined.events).map(Some));
    Ok(events.scan((), |(), events| ready(events)).map(Ok))
}

fn live(events: Receiver<Bytes>) -> impl Stream<Item = Bytes> {
    stream::unfold(events, |mut events| async move { Some((events.recv().await?, events)) })
}

/// What came between two moments: what is in `now` and was not in `had`.
struct Missed {
    had: Seen,
    now: Seen,
    /// How many more logs are looked at.
    left: u32,
}

impl Missed {
    /// The next events, and what is missed behind them. No events, where they cannot be read: the stream ends there, and the
    /// reader comes back with what it has.
    async fn next(mut self, state: &State, filter: &LogFilter) -> Option<(Option<Bytes>, Option<Self>)> {
        if self.had == self.now {
            return None;
        }
        if self.left == 0 {
            return Some((Some(Event::gap(&self.now).into_bytes()), None));
        }
        let had = self.had.clone();
        let read = state.database(move |conn| tail::unseen(conn, &had, follower::LOGS)).await;
        let LogsPage { logs, has_more } = match read {
            Ok(page) => page,
            Err(error) => {
                log::warn!("a tail ends before what was missed is read: {}", error.cause().unwrap_or_default());
                return Some((None, None));
            }
        };
        self.left = self.left.saturating_sub(u32::try_from(logs.len()).unwrap_or(u32::MAX));
        let mut events = Vec::new();
        for log in logs {
            // What is not in `now` comes by itself.
            if self.now.contains(log.id) && self.had.insert(log.id) && filter.matches(&log) {
                events.extend_from_slice(&Event::log(&log, &self.had).into_bytes());
            }
        }
        Some((Some(events.into()), has_more.then_some(self)))
    }
}
