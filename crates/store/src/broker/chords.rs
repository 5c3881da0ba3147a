//! Chords: the results of a header are counted, and whoever completes it sends the body.

use logmon_core::celery::ChordPart;

use super::scripts::COUNT;
use super::{Broker, BrokerError};

/// What a result meant to its chord.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// Others are missing, or another worker completes it, or there is no such chord any more.
    Noted,
    /// It was the last one: the chord is this task's to complete, with the end of its own flight.
    Complete {
        /// The results of the header in their order, as [`ChordPart::complete`] takes them.
        members: Vec<String>,
        /// The saved structure of a header with groups in it.
        structure: Option<String>,
    },
}

impl Broker {
    /// Counts a result for its chord: once, however often this is called.
    ///
    /// # Errors
    /// See [`BrokerError`]. It may be called again.
    pub fn count(&self, part: &ChordPart) -> Result<Counted, BrokerError> {
        let keys = &self.keys;
        // As in Celery, what has no place comes last.
        let place = part.index.map_or_else(|| "+inf".to_owned(), |index| index.to_string());
        let mut call = COUNT.prepare_invoke();
        call.key(keys.group(&part.group, ""));
        for suffix in [".j", ".t", ".s", ".d", ".c"] {
            call.key(keys.group(&part.group, suffix));
        }
        call.key(keys.unacked());
        call.arg(format!("{}:{place}", part.id)).arg(place).arg(&part.member).arg(self.result_expires.as_secs());
        let answer: Option<(String, Vec<String>)> = self.with(|conn| call.invoke(conn))?;
        Ok(answer.map_or(Counted::Noted, |(structure, members)| Counted::Complete {
            members,
            structure: Some(structure).filter(|structure| !structure.is_empty()),
        }))
    }
}
