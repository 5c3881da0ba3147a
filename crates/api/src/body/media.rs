//! What a body is, by its Content-Type: DRF's choice of a parser, and Django's of a charset.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;
use encoding_rs::{Encoding, UTF_8};

/// The forms of a body that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/json`
    Json,
    /// `application/x-ndjson`: LogMon's own, for batches.
    Ndjson,
    /// `application/x-www-form-urlencoded`
    Form,
    /// `multipart/form-data`
    Multipart,
}

// In the order in which DRF asks them whether they match.
const PARSERS: [(Media, &str, &str); 4] = [
    (Media::Json, "application", "json"),
    (Media::Form, "application", "x-www-form-urlencoded"),
    (Media::Multipart, "multipart", "form-data"),
    (Media::Ndjson, "application", "x-ndjson"),
];

/// A Content-Type header; empty where there is none.
#[derive(Debug)]
pub(super) struct ContentType(String);

impl ContentType {
    pub(super) fn of(request: &HttpRequest) -> Self {
        let value = request.headers().get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
        Self(value.unwrap_or_default().trim().to_owned())
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// The parser that DRF would choose; a `*` on the client's side matches too.
    pub(super) fn media(&self) -> Option<Media> {
        let essence = self.0.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let (main, sub) = essence.split_once('/')?;
        let fits = |wanted: &str, sent: &str| sent == "*" || sent == wanted;
        PARSERS.into_iter().find(|(_, m, s)| fits(m, main) && fits(s, sub)).map(|(media, ..)| media)
    }

    /// A parameter such as `charset`, without its quotes.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.0.split(';').skip(1).find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
        })
    }

    /// The charset of the body's text: UTF-8 unless another one that is known is named.
    pub(super) fn charset(&self) -> &'static Encoding {
        self.parameter("charset").and_then(|label| Encoding::for_label(label.as_bytes())).unwrap_or(UTF_8)
    }
}
