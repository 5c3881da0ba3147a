//! `Prefer`: what a client wants to wait for.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue};

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// What a client wants to wait for (RFC 7240).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preference {
    /// Until its logs are stored.
    Stored,
    /// Until they are queued: `Prefer: respond-async`.
    Queued,
}

impl Preference {
    /// What a request says; without a word, that its logs are stored.
    pub fn of(request: &HttpRequest) -> Self {
        let asked = |value: &HeaderValue| {
            let mut preferences = value.to_str().unwrap_or_default().split(',');
            // Its parameters say nothing that is known here.
            preferences.any(|preference| {
                let name = preference.split(';').next().unwrap_or_default();
                name.trim().eq_ignore_ascii_case("respond-async")
            })
        };
        if request.headers().get_all(PREFER).any(asked) { Self::Queued } else { Self::Stored }
    }
}
