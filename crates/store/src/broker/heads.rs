//! What is served next on each list, and how long it has waited there.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use logmon_core::celery::{Priority, parse_time};

use super::scripts::HEADS;
use super::{Broker, BrokerError};

/// The list of a queue and priority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// How many messages it has.
    pub depth: u64,
    /// How long the one that is served next has been due: since it was put there or, with an ETA, since that. Of one that
    /// does not say so, as those of Python's producers, at least since it was first seen to be the next.
    pub age: Option<Duration>,
}

impl Broker {
    /// Looks at what is served next on every queue that is known, so that it is known later since when it has been there.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn note_heads(&self) -> Result<(), BrokerError> {
        self.heads(&self.known(&[])?.names).map(drop)
    }

    /// The lists of queues: of each queue by its priorities, in their order.
    pub(super) fn heads(&self, queues: &BTreeSet<String>) -> Result<Vec<Head>, BrokerError> {
        let mut call = HEADS.prepare_invoke();
        call.key(self.keys.heads());
        for queue in queues {
            for priority in Priority::STEPS {
                call.key(self.keys.queue(queue, priority));
            }
        }
        let answer: Vec<redis::Value> = self.with(|conn| call.invoke(conn))?;
        read(answer).map_err(|e| BrokerError::Refused(e.into()))
    }
}

fn read(answer: Vec<redis::Value>) -> Result<Vec<Head>, redis::ParsingError> {
    let mut values = answer.into_iter();
    let now: i64 = redis::from_redis_value(values.next().unwrap_or(redis::Value::Nil))?;
    values.map(|list| Ok(head(&redis::from_redis_value::<Vec<String>>(list)?, now))).collect()
}

fn head(list: &[String], now: i64) -> Head {
    let depth = list.first().and_then(|count| count.parse().ok()).unwrap_or_default();
    let age = match list {
        [_, enqueued, eta, first_seen] => {
            let put = [enqueued, first_seen].into_iter().find_map(|millis| millis.parse::<i64>().ok());
            let due = parse_time(eta).map(|eta: DateTime<Utc>| eta.timestamp_millis());
            let waited = now.saturating_sub(put.max(due).unwrap_or(now));
            // The clocks of others may be ahead.
            Some(Duration::from_millis(u64::try_from(waited).unwrap_or_default()))
        }
        _ => None,
    };
    Head { depth, age }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_waits_since_it_was_put_there_or_due_or_first_seen() {
        for (list, seconds) in [
            (["1", "1000000", "", ""], Some(1_000)),
            (["1", "1000000", "1970-01-01T00:30:00.000000+00:00", ""], Some(200)),
            (["1", "1000000", "1970-01-01T00:00:01+00:00", ""], Some(1_000)),
            (["1", "1000000", "1970-01-02T00:00:00Z", ""], Some(0)),
            (["1", "", "", "1990000"], Some(10)),
            (["1", "3000000", "", ""], Some(0)),
        ] {
            let found = head(&list.map(str::to_owned), 2_000_000);
            assert_eq!(found, Head { depth: 1, age: seconds.map(Duration::from_secs) }, "{list:?}");
        }
        assert_eq!(head(&["0".to_owned()], 0), Head { depth: 0, age: None });
    }
}
