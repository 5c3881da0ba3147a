//! `application/x-www-form-urlencoded`, as Django's `QueryDict` reads it.

use encoding_rs::{Encoding, UTF_8, mem};
use logmon_core::field::{FieldValue, Fields};
use percent_encoding::percent_decode_str;

use crate::error::ApiError;
use crate::error_code::ErrorCode;

/// Django's `DATA_UPLOAD_MAX_NUMBER_FIELDS`.
pub(super) const FIELDS_MAX: usize = 1_000;

pub(super) fn parse(bytes: &[u8], charset: &'static Encoding) -> Result<Fields<'static>, ApiError> {
    // Django takes what is not UTF-8 for Latin-1.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if charset == UTF_8 => text.into(),
        _ if charset == UTF_8 => mem::decode_latin1(bytes),
        _ => charset.decode_without_bom_handling(bytes).0,
    };
    let mut fields = Fields::default();
    for (number, pair) in text.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        if number >= FIELDS_MAX {
            let detail = format!("A form with more than {FIELDS_MAX} fields is not taken.");
            return Err(ApiError::detail(ErrorCode::Malformed, detail));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        fields.set(unquote(name, charset), FieldValue::Text(unquote(value, charset).into()));
    }
    Ok(fields)
}

fn unquote(text: &str, charset: &'static Encoding) -> String {
    let text = text.replace('+', " ");
    let bytes: Vec<u8> = percent_decode_str(&text).collect();
    // Only what was percent-encoded is in the client's charset; the rest has been decoded already.
    if text.contains('%') { charset.decode_without_bom_handling(&bytes).0.into_owned() } else { text }
}
