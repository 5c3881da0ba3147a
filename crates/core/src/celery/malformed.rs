//! Why a message cannot be run: the reason that its dead letter carries.

use thiserror::Error;

/// Why a message cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Malformed {
    /// It is no envelope.
    #[error("not a Celery message: {0}")]
    Envelope(String),
    /// It has no header that names a task, but a body that might be protocol 1.
    #[error("no header `task`: protocol 1 is not taken, set task_protocol to 2")]
    ProtocolOne,
    /// A header is missing or wrong.
    #[error("the header `{name}` must be {expected}")]
    Header {
        /// Which.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A property is missing or wrong.
    #[error("the property `{name}` must be {expected}")]
    Property {
        /// Which.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// Another serializer.
    #[error("the content-type must be application/json, not {0}")]
    ContentType(String),
    /// Another encoding of text.
    #[error("the content-encoding must be utf-8, not {0}")]
    ContentEncoding(String),
    /// A compression that is not taken.
    #[error("a body with compression {0} is not taken, only application/x-gzip and application/zstd")]
    Compression(String),
    /// The body cannot be unpacked.
    #[error("the body {0}")]
    Body(String),
    /// Its callbacks, errbacks, chain or chord cannot be read.
    #[error("{0}")]
    Signature(String),
}

impl Malformed {
    pub(super) const fn header(name: &'static str, expected: &'static str) -> Self {
        Self::Header { name, expected }
    }
}
