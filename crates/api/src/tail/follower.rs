//! Follows `core_log` while somebody reads: what is new is found by its ids.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use logmon_core::log::{LogId, Seen};
use logmon_store::db::logs::{LogsPage, tail};

use super::Tails;
use crate::error::ApiError;
use crate::state::State;

/// How often the database is asked.
const ASK: Duration = Duration::from_millis(250);
/// How long it is left in peace while it is away.
const PAUSE: Duration = Duration::from_secs(1);
/// How often each reader gets a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// For how long an id that is missing may still come: longer than any transaction that stores logs.
const SETTLES: Duration = Duration::from_secs(15);
/// How many logs are read at a time.
pub(super) const LOGS: u32 = 1_000;
/// How many ids, counted from the newest one back, are looked at when nothing is known yet.
const NEWEST: u32 = 10_000;

/// What is there now.
pub(super) async fn newest(state: &State) -> Result<Seen, ApiError> {
    let ids = state.database(|conn| tail::newest(conn, NEWEST)).await?;
    let mut seen = Seen::up_to(ids.last().map_or(LogId(0), |oldest| LogId(oldest.0 - 1)));
    for id in ids.into_iter().rev() {
        seen.insert(id);
    }
    Ok(seen)
}

/// Follows the table until nobody reads.
pub(super) fn start(tails: Tails, state: State) {
    // On the thread of whoever came first; the follower ends with the server.
    actix_web::rt::spawn(async move {
        let mut settling = Settling::default();
        let mut beaten = Instant::now();
        while let Some(seen) = tails.seen() {
            let pause = match look(&tails, &state, seen).await {
                Ok(Found::Some) => Duration::from_millis(20),
                Ok(Found::All(last)) => {
                    if let Some(settled) = last.and_then(|last| settling.settled(last)) {
                        tails.settle(settled);
                    }
                    ASK
                }
                Err(error) => {
                    log::debug!("tails wait for the database: {}", error.cause().unwrap_or_default());
                    PAUSE
                }
            };
            if beaten.elapsed() >= HEARTBEAT {
                tails.beat();
                beaten = Instant::now();
            }
            actix_web::rt::time::sleep(pause).await;
        }
    });
}

/// What there was to read.
enum Found {
    /// More than was read.
    Some,
    /// All of it, up to this id; none when nobody reads any more.
    All(Option<LogId>),
}

async fn look(tails: &Tails, state: &State, seen: Seen) -> Result<Found, ApiError> {
    let LogsPage { logs, has_more } = state.database(move |conn| tail::unseen(conn, &seen, LOGS)).await?;
    let last = tails.publish(logs);
    Ok(if has_more { Found::Some } else { Found::All(last) })
}

/// The newest ids of the past seconds, to tell which of them are old enough.
#[derive(Default)]
struct Settling(VecDeque<(Instant, LogId)>);

impl Settling {
    /// Hears which id is the newest, and says up to which one nothing is to be expected any more.
    fn settled(&mut self, last: LogId) -> Option<LogId> {
        let now = Instant::now();
        if self.0.back().is_none_or(|(_, before)| *before < last) {
            self.0.push_back((now, last));
        }
        let mut settled = None;
        while let Some((_, id)) = self.0.pop_front_if(|(since, _)| now.duration_since(*since) >= SETTLES) {
            settled = Some(id);
        }
        settled
    }
}
