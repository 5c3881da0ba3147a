//! What waits for its time, for those who ask.

use chrono::{DateTime, Utc};
use redis::Commands as _;
use serde_json::value::RawValue;

use super::{Broker, BrokerError};

/// A message that waits for its time.
#[derive(Debug, Clone)]
pub struct Scheduled {
    /// Its time.
    pub due: DateTime<Utc>,
    /// Its bytes, as the producer pushed them.
    pub raw: Vec<u8>,
}

impl Broker {
    /// The messages that are due next, at most so many.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn scheduled(&self, at_most: usize) -> Result<Vec<Scheduled>, BrokerError> {
        let last = isize::try_from(at_most).unwrap_or(isize::MAX) - 1;
        let (delayed, bodies) = (self.keys.delayed(), self.keys.delayed_body());
        self.with(|conn| {
            let due: Vec<(String, f64)> = conn.zrange_withscores(delayed, 0, last)?;
            if due.is_empty() {
                return Ok(Vec::new());
            }
            let tags: Vec<&str> = due.iter().map(|(tag, _)| tag.as_str()).collect();
            let messages: Vec<Option<Vec<u8>>> = redis::cmd("HMGET").arg(bodies).arg(tags).query(conn)?;
            let times = due.iter().map(|(_, seconds)| super::fetch::time(*seconds));
            // One may have become due in between.
            Ok(times.zip(messages).filter_map(|(due, held)| Some(Scheduled { due, raw: release(held?) })).collect())
        })
    }
}

// One that was in flight is kept with its exchange and its queue around it, as it was there.
fn release(held: Vec<u8>) -> Vec<u8> {
    match serde_json::from_slice::<(&RawValue, String, String)>(&held) {
        Ok((raw, _, _)) => raw.get().as_bytes().to_vec(),
        Err(_) => held,
    }
}
