//! Pages of a list: the page size, and the cursor that continues a list where a page ended.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike as _, Utc};

use crate::field::FieldErrors;
use crate::python::{self, Int};

/// How many rows a list has when nobody says.
pub const LIMIT_DEFAULT: u32 = 100;
/// How many rows a list has at most.
pub const LIMIT_MAX: u32 = 1_000;

const FOREIGN: &str =
    "Not a cursor of this list with these parameters: go on at the address that the answer before it has.";

/// One page of a list that runs newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// At most so many rows: 1 to [`LIMIT_MAX`].
    pub limit: u32,
    /// Only rows that come after this one in the list; `None` starts with the newest.
    pub after: Option<Cursor>,
}

/// A row's place in a list that is ordered by (`created_at`, `id`).
///
/// Written out it is opaque to clients; nothing in it is secret, and a made-up one only names another place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The row's time.
    pub created_at: DateTime<Utc>,
    /// The row's id.
    pub id: i64,
}

impl Cursor {
    /// The cursor as text for a URL.
    pub fn encode(self) -> String {
        let mut bytes = [0_u8; 16];
        let (time, id) = bytes.split_at_mut(8);
        time.copy_from_slice(&self.created_at.timestamp_micros().to_be_bytes());
        id.copy_from_slice(&self.id.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what [`Cursor::encode`] wrote.
    pub fn decode(text: &str) -> Option<Self> {
        let bytes: [u8; 16] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (time, id) = bytes.split_first_chunk::<8>()?;
        let created_at = DateTime::from_timestamp_micros(i64::from_be_bytes(*time))?;
        // What a `datetime` holds.
        if !(1_000..=9_999).contains(&created_at.year()) {
            return None;
        }
        Some(Self { created_at, id: i64::from_be_bytes(id.try_into().ok()?) })
    }
}

/// What a cursor belongs to: a list of the same filter and order has the same one.
pub type Fingerprint = [u8; 8];

impl Cursor {
    /// The cursor as text for a URL, to be read for the same list only.
    pub fn encode_for(self, list: Fingerprint) -> String {
        format!("{}{}", self.encode(), URL_SAFE_NO_PAD.encode(list))
    }

    /// Reads what [`Cursor::encode_for`] wrote for the same list.
    pub fn decode_for(text: &str, list: Fingerprint) -> Option<Self> {
        Self::decode(text.strip_suffix(&URL_SAFE_NO_PAD.encode(list))?)
    }
}

impl Page {
    /// Checks the query's `limit` and `cursor`; an absent or empty one takes its default.
    ///
    /// # Errors
    /// Every wrong parameter, with what was expected.
    pub fn from_query(limit: Option<&str>, cursor: Option<&str>) -> Result<Self, FieldErrors> {
        Self::read(limit, cursor, Cursor::decode)
    }

    /// The same for a list whose cursors are of no use to another.
    ///
    /// # Errors
    /// As [`Page::from_query`].
    pub fn of_list(limit: Option<&str>, cursor: Option<&str>, list: Fingerprint) -> Result<Self, FieldErrors> {
        Self::read(limit, cursor, |text| Cursor::decode_for(text, list))
    }

    fn read(
        limit: Option<&str>,
        cursor: Option<&str>,
        decode: impl Fn(&str) -> Option<Cursor>,
    ) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let limit = match limit.filter(|text| !text.is_empty()).map(python::int) {
            None => Some(LIMIT_DEFAULT),
            Some(Some(Int::Small(n))) => u32::try_from(n).ok().filter(|n| (1..=LIMIT_MAX).contains(n)),
            Some(Some(Int::Big) | None) => None,
        };
        let limit =
            errors.take("limit", limit.ok_or_else(|| vec![format!("Expected a number from 1 to {LIMIT_MAX}.")]));
        let after = match cursor.filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => errors.take("cursor", decode(text).ok_or_else(|| vec![FOREIGN.to_owned()])),
        };
        errors.into_result(Self { limit: limit.unwrap_or(LIMIT_DEFAULT), after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back() {
        let cursor = Cursor { created_at: DateTime::from_timestamp_micros(1_795_348_188_145_615).unwrap(), id: 42 };
        assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
    }

    #[test]
    fn a_cursor_of_another_list_is_none_of_this() {
        let cursor = Cursor { created_at: DateTime::UNIX_EPOCH, id: 42 };
        let text = cursor.encode_for([1; 8]);
        assert_eq!(Cursor::decode_for(&text, [1; 8]), Some(cursor));
        for (text, list) in [(text.as_str(), [2; 8]), (&cursor.encode(), [1; 8]), (&text[1..], [1; 8]), ("", [1; 8])] {
            assert_eq!(Cursor::decode_for(text, list), None, "{text}");
        }
    }

    #[test]
    fn a_made_up_cursor_and_limit_are_named() {
        for (limit, cursor) in [("0", "x"), ("1001", "AAAA"), ("-1", "支"), ("18446744073709551615", "=")] {
            let errors = serde_json::to_string(&Page::from_query(Some(limit), Some(cursor)).unwrap_err()).unwrap();
            assert!(errors.contains("\"limit\"") && errors.contains("\"cursor\""), "{errors}");
        }
    }

    #[test]
    fn absent_means_default() {
        assert_eq!(Page::from_query(None, Some("")), Ok(Page { limit: LIMIT_DEFAULT, after: None }));
    }
}
