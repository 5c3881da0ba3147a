//! Alerts: the rule that raises one, and what it says.

mod watchlist;

pub use watchlist::{Finding, Turn, Watchlist};

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::app::AppId;
use crate::log::Level;

/// The id of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlertId(pub i64);

/// A raised alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// The app that it is about.
    pub app: AppId,
    /// A sentence for people.
    pub content: String,
    /// Whether somebody has dealt with it.
    pub state: AlertState,
    /// When it was raised.
    pub created_at: DateTime<Utc>,
}

/// The life of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    /// It waits for somebody.
    Open,
    /// Somebody has dealt with it.
    Resolved,
}

/// When an app's logs are too many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which logs are counted.
    pub level: Level,
    /// The number of logs that must be passed: exactly so many are still calm.
    pub threshold: u64,
    /// How far back logs are counted.
    pub window: Duration,
}

/// What a rule says of a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Within the threshold.
    Calm,
    /// Past the threshold: an alert is due.
    Breached,
}

impl Rule {
    /// Judges the `count` of an app's logs of the rule's level within its window.
    pub fn evaluate(&self, count: u64) -> Outcome {
        if count > self.threshold { Outcome::Breached } else { Outcome::Calm }
    }

    /// Where the window that ends at `now` begins; the moment itself belongs to the window.
    pub fn window_start(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now - self.window
    }

    /// The sentence of an alert that `count` logs raised, as the original wrote it.
    pub fn content(&self, count: u64) -> String {
        let level = self.level.as_str().to_ascii_lowercase();
        format!("{count} {level} logs in the past {}", in_words(self.window))
    }
}

fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (number, unit) = match seconds {
        s if s >= 3_600 && s.is_multiple_of(3_600) => (s / 3_600, "hour"),
        s if s >= 60 && s.is_multiple_of(60) => (s / 60, "minute"),
        s => (s, "second"),
    };
    if number == 1 { format!("1 {unit}") } else { format!("{number} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(window: u64) -> Rule {
        Rule { level: Level::Error, threshold: 100, window: Duration::from_secs(window) }
    }

    #[test]
    fn exactly_the_threshold_is_calm() {
        assert_eq!(rule(600).evaluate(100), Outcome::Calm);
        assert_eq!(rule(600).evaluate(101), Outcome::Breached);
    }

    #[test]
    fn the_sentence_is_the_originals() {
        assert_eq!(rule(600).content(101), "101 error logs in the past 10 minutes");
        assert_eq!(rule(60).content(101), "101 error logs in the past 1 minute");
        assert_eq!(rule(90).content(101), "101 error logs in the past 90 seconds");
        assert_eq!(rule(7_200).content(101), "101 error logs in the past 2 hours");
    }
}
