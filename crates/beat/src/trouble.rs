//! What keeps beat from its work, and saying so once.

use std::fmt;

use chrono::{DateTime, Utc};
use logmon_store::broker::BrokerError;
use logmon_store::db::migrations::MigrateError;
use logmon_store::db::{DbError, Retryable as _};

/// How far this machine's clock may be off the database's.
pub const SKEW_MAX: chrono::Duration = chrono::Duration::seconds(5);

/// What keeps beat from its work. It waits for its end, however long.
#[derive(Debug)]
pub enum Trouble {
    /// The database is away, or refuses.
    Database(DbError),
    /// The database's schema is not that of this program.
    Schema(MigrateError),
    /// Redis is away, or refuses.
    Redis(BrokerError),
    /// This machine's clock is so far ahead of the database's, or behind it: one of the two is wrong.
    Clock(chrono::Duration),
}

impl From<DbError> for Trouble {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl From<MigrateError> for Trouble {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Db(error) => Self::Database(error),
            error => Self::Schema(error),
        }
    }
}

impl From<BrokerError> for Trouble {
    fn from(error: BrokerError) -> Self {
        Self::Redis(error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => write!(f, "waiting for the database: {error}"),
            Self::Schema(error) => write!(f, "waiting for the database: {error}"),
            Self::Redis(error) => write!(f, "waiting for Redis: {error}"),
            Self::Clock(ahead) => {
                let side = if *ahead < chrono::Duration::zero() { "behind" } else { "ahead of" };
                let seconds = ahead.num_seconds().abs();
                write!(f, "waiting for the clock: this machine's is {seconds} s {side} the database's")
            }
        }
    }
}

impl Trouble {
    /// Whether the clocks agree. `now` is the database's time, which was asked for between `before` and `after`.
    ///
    /// # Errors
    /// [`Trouble::Clock`] when this machine's is more than [`SKEW_MAX`] off.
    pub fn if_clocks_differ(before: DateTime<Utc>, now: DateTime<Utc>, after: DateTime<Utc>) -> Result<(), Self> {
        // Within the time that the answer took, nothing is known.
        let ahead = if now < before { before - now } else { (after - now).min(chrono::Duration::zero()) };
        if ahead.abs() > SKEW_MAX { Err(Self::Clock(ahead)) } else { Ok(()) }
    }

    /// What is said of it once, and not again while it is the same.
    fn cause(&self) -> String {
        match self {
            // The seconds pass.
            Self::Clock(_) => "the clock".to_owned(),
            trouble => trouble.to_string(),
        }
    }
}

/// Says what beat waits for when that changes, and when it is over.
#[derive(Debug, Default)]
pub struct Said(Option<String>);

impl Said {
    /// Hears how a turn ended.
    pub fn hear(&mut self, trouble: Option<&Trouble>) {
        match trouble {
            None => {
                if self.0.take().is_some() {
                    log::info!("ticking again");
                }
            }
            // The next turn does it.
            Some(Trouble::Database(error)) if error.is_retryable() => log::debug!("{error}"),
            Some(trouble) => {
                let cause = trouble.cause();
                if self.0.as_ref() != Some(&cause) {
                    log::warn!("{trouble}");
                    self.0 = Some(cause);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_800_000_000_000 + millis).unwrap()
    }

    #[test]
    fn a_clock_may_be_five_seconds_off_and_a_slow_answer_is_no_skew() {
        let ahead = |before, now, after| match Trouble::if_clocks_differ(at(before), at(now), at(after)) {
            Err(Trouble::Clock(ahead)) => Some(ahead.num_milliseconds()),
            _ => None,
        };
        assert_eq!(ahead(0, 3, 5), None);
        assert_eq!(ahead(0, 8_000, 60_000), None, "it was asked for somewhere in that minute");
        assert_eq!(ahead(5_000, 0, 5_005), None);
        assert_eq!(ahead(5_001, 0, 5_005), Some(5_001));
        assert_eq!(ahead(0, 5_005, 5), None);
        assert_eq!(ahead(0, 5_006, 5), Some(-5_001));
        let behind = Trouble::Clock(chrono::Duration::milliseconds(-5_001)).to_string();
        assert_eq!(behind, "waiting for the clock: this machine's is 5 s behind the database's");
    }
}
