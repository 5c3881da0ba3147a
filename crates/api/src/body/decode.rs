//! Compressed bodies: gzip, deflate and zstd, decoded in small steps within bounds on the size and on the ratio.
//!
//! actix could decode by itself, but looks at the size only after it has inflated a whole chunk: forty small bodies at
//! once cost it gigabytes.

use std::io::Read;
use std::sync::LazyLock;

use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ruzstd::decoding::StreamingDecoder;
use tokio::runtime::{Builder, Runtime};

use super::Incoming;
use super::intake::Intake;
use crate::error::ApiError;
use crate::error_code::ErrorCode;

/// How many bodies are decoded at once: each that is no batch may hold up to `BODY_LIMIT` bytes.
const AT_ONCE: usize = 2;
/// How many times as large as its compressed form a body may be.
const RATIO_MAX: usize = 500;
/// Below so many decoded bytes the ratio is nobody's business.
const RATIO_FROM: usize = 1024 * 1024;
const STEP: usize = 16 * 1024;

/// A compression that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// gzip or zlib, told apart by their first bytes: clients mix up the two names.
    Gzip,
    /// zlib, or bare deflate.
    Deflate,
    /// zstd
    Zstd,
}

/// Threads for nothing else. The system's allocator keeps what a thread has freed for that thread, so that many threads
/// which decode one body each would hold as much as if they did so at once.
static THREADS: LazyLock<std::io::Result<Runtime>> =
    LazyLock::new(|| Builder::new_current_thread().max_blocking_threads(AT_ONCE).build());

/// Decodes a body into `intake` on a thread of its own, in its turn. Nothing there waits for the client.
///
/// # Errors
/// When it is no such body, suspiciously well compressed, or refused by `intake`.
pub(super) async fn decode(coding: Coding, body: Vec<u8>, intake: Intake) -> Result<Incoming, ApiError> {
    let threads = THREADS.as_ref().map_err(|e| ApiError::internal(e.to_string()))?;
    let decoded = threads.spawn_blocking(move || coding.decode(&body, intake));
    decoded.await.map_err(|e| ApiError::internal(e.to_string()))?
}

impl Coding {
    /// The coding that a Content-Encoding header names; `None` for none.
    ///
    /// # Errors
    /// When it names one that is not taken.
    pub(super) fn from_header(value: &str) -> Result<Option<Self>, ApiError> {
        match value.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(None),
            "gzip" | "x-gzip" | "gzip,deflate" | "gzip, deflate" => Ok(Some(Self::Gzip)),
            "deflate" => Ok(Some(Self::Deflate)),
            "zstd" => Ok(Some(Self::Zstd)),
            _ => {
                let detail = format!("Unsupported content encoding \"{value}\" in request: use gzip, deflate or zstd.");
                Err(ApiError::detail(ErrorCode::UnsupportedMediaType, detail))
            }
        }
    }

    fn decode(self, body: &[u8], intake: Intake) -> Result<Incoming, ApiError> {
        match (self, body) {
            (Self::Zstd, _) => {
                let decoder =
                    StreamingDecoder::new(body).map_err(|_other| malformed("it does not begin as zstd does"))?;
                read(decoder, body.len(), intake)
            }
            (Self::Gzip | Self::Deflate, [0x1f, 0x8b, ..]) => read(MultiGzDecoder::new(body), body.len(), intake),
            (Self::Gzip | Self::Deflate, [0x78, ..]) => read(ZlibDecoder::new(body), body.len(), intake),
            (Self::Deflate, _) => read(DeflateDecoder::new(body), body.len(), intake),
            (Self::Gzip, _) => Err(malformed("it does not begin as gzip does")),
        }
    }
}

fn read(mut decoder: impl Read, compressed: usize, mut intake: Intake) -> Result<Incoming, ApiError> {
    let mut step = vec![0; STEP];
    while !intake.is_refused() {
        let damaged = |_its_words| malformed("it is damaged or ends too early");
        let count = decoder.read(&mut step).map_err(damaged)?;
        if count == 0 {
            break;
        }
        intake.push(step.get(..count).unwrap_or_default())?;
        if intake.size() > RATIO_FROM && intake.size() / RATIO_MAX > compressed {
            let detail =
                format!("The body of the request is more than {RATIO_MAX} times as large as its compressed form.");
            return Err(ApiError::detail(ErrorCode::TooLarge, detail));
        }
    }
    intake.finish()
}

fn malformed(reason: &str) -> ApiError {
    ApiError::detail(ErrorCode::Malformed, format!("The body of the request cannot be decompressed: {reason}"))
}
