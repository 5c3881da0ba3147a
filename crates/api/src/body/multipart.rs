//! `multipart/form-data`, as lenient as Django's parser: what cannot be read any more ends the form.

use actix_multipart::Multipart;
use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use actix_web::web::Bytes;
use base64::Engine as _;
use futures_util::{StreamExt as _, stream};
use logmon_core::field::{FieldValue, Fields};

use super::form::FIELDS_MAX;
use super::media::ContentType;
use crate::error::ApiError;
use crate::error_code::ErrorCode;

pub(super) async fn parse(
    request: &HttpRequest,
    content_type: &ContentType,
    bytes: Bytes,
) -> Result<Fields<'static>, ApiError> {
    let boundary = content_type.parameter("boundary");
    if boundary.is_none_or(str::is_empty) {
        let detail =
            format!("Multipart form parse error - Invalid boundary in multipart: {}", boundary.unwrap_or("None"));
        return Err(ApiError::detail(ErrorCode::Malformed, detail));
    }
    let body = stream::iter([Ok::<_, PayloadError>(bytes)]);
    let mut parts = Multipart::new(&headers(request), body);
    let mut fields = Fields::default();
    for _ in 0..FIELDS_MAX {
        let Some(Ok(mut part)) = parts.next().await else { break };
        let mut content = Vec::new();
        while let Some(Ok(chunk)) = part.next().await {
            content.extend_from_slice(&chunk);
        }
        let Some(name) = part.name().map(ToOwned::to_owned) else { continue };
        let encoding = part.headers().get(TRANSFER_ENCODING).cloned();
        let file = part.content_disposition().and_then(|d| d.get_filename()).filter(|name| !name.is_empty());
        let value = match file {
            Some(file) => FieldValue::File(file.to_owned()),
            None => FieldValue::Text(text(content, encoding.as_ref(), content_type).into()),
        };
        fields.set(name, value);
    }
    Ok(fields)
}

const TRANSFER_ENCODING: HeaderName = HeaderName::from_static("content-transfer-encoding");

fn headers(request: &HttpRequest) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let value = request.headers().get(CONTENT_TYPE).cloned();
    headers.insert(CONTENT_TYPE, value.unwrap_or(HeaderValue::from_static("")));
    headers
}

fn text(content: Vec<u8>, encoding: Option<&HeaderValue>, content_type: &ContentType) -> String {
    let is_base64 = encoding.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"base64"));
    let decode = |text: &[u8]| {
        let text: Vec<u8> = text.iter().filter(|byte| !byte.is_ascii_whitespace()).copied().collect();
        base64::engine::general_purpose::STANDARD.decode(text).ok()
    };
    let content = is_base64.then(|| decode(&content)).flatten().unwrap_or(content);
    content_type.charset().decode_without_bom_handling(&content).0.into_owned()
}
