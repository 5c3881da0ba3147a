//! The id that a sender gives a record of its own, so that the record can be sent again.

use serde::{Deserialize, Serialize};

/// A sender's own id of a record: trimmed, not blank, at most [`EventId::MAX_CHARS`] characters, told from others byte by
/// byte. It means something only beside the app that the record belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(Box<str>);

impl EventId {
    /// How many characters it may have.
    pub const MAX_CHARS: usize = 255;

    /// The id with this text, which was checked.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
