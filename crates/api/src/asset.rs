//! What is sent as it is: made once, compressed once, and not sent again to those who have it.

use std::io::Write as _;

use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG, EntityTag, Header as _,
    IfNoneMatch, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

/// Nothing from elsewhere, nothing inline, in nobody's frame; `default-src` does not cover the last four.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'";

/// What is sent as it is.
#[derive(Debug)]
pub struct Asset {
    media_type: &'static str,
    plain: Bytes,
    gzip: Bytes,
    tag: EntityTag,
}

impl Asset {
    /// An asset of this media type.
    pub fn new(media_type: &'static str, content: impl Into<Bytes>) -> Self {
        let plain = content.into();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // A Vec takes all that is written to it.
        let gzip = encoder.write_all(&plain).and_then(|()| encoder.finish()).unwrap_or_default().into();
        let hash: String = Sha256::digest(&plain).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        // Weak, for the same tag stands for both forms.
        Self { media_type, plain, gzip, tag: EntityTag::new_weak(hash) }
    }

    /// The answer to a request for it: 304 where the client has it (RFC 9110, 13.1.2).
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let known = match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Any) => true,
            Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&self.tag)),
            Err(_) => false,
        };
        let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header((ETAG, self.tag.to_string()))
            .insert_header((CACHE_CONTROL, "no-cache"))
            .insert_header((VARY, "Accept-Encoding"))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((REFERRER_POLICY, "no-referrer"))
            .insert_header((CONTENT_SECURITY_POLICY, POLICY));
        if known {
            return response.finish();
        }
        response.content_type(self.media_type);
        if takes_gzip(request) {
            return response.insert_header((CONTENT_ENCODING, "gzip")).body(self.gzip.clone());
        }
        response.body(self.plain.clone())
    }
}

fn takes_gzip(request: &HttpRequest) -> bool {
    let takes = |coding: &str| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let is_refused = weight.trim().strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !is_refused
    };
    let mut values = request.headers().get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(takes))
}
