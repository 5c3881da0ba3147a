//! `/api/openapi.json` and `/api/docs/`: the contract for machines, and a page to read and try it.

use std::sync::LazyLock;

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};

use crate::asset::Asset;
use crate::error::ApiError;
use crate::openapi::DOCUMENT;
use crate::openapi::chinese::CHINESE;
use crate::openapi::shared::NoSuch;

// Ours, and not Swagger UI: that is seventy times as large, and wants inline styles and `data:` images.
static PAGE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("text/html; charset=utf-8", include_str!("../../assets/docs/index.html")));
static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("text/javascript; charset=utf-8", include_str!("../../assets/docs/docs.js")));
static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("text/css; charset=utf-8", include_str!("../../assets/docs/docs.css")));
static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("image/svg+xml", include_str!("../../assets/docs/icon.svg")));

/// This document.
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    responses(
        (status = 200, description = "OpenAPI 3.1.", body = serde_json::Value),
        (status = 304, description = "It is the one that `If-None-Match` names.")
    )
)]
pub async fn document(request: HttpRequest) -> HttpResponse {
    DOCUMENT.answer(&request)
}

/// A page to read this document and try its calls.
#[utoipa::path(
    get,
    path = "/api/docs/",
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 304, description = "It is the one that `If-None-Match` names.")
    )
)]
pub async fn page(request: HttpRequest) -> HttpResponse {
    PAGE.answer(&request)
}

/// A file of that page.
#[utoipa::path(
    get,
    path = "/api/docs/{file}",
    params(("file" = String, Path, description = "Its name.", example = "docs.js")),
    responses(
        (status = 200, description = "The file.", content(
            (String = "text/javascript"), (String = "text/css"), (String = "image/svg+xml"),
            (serde_json::Value = "application/json")
        )),
        (status = 304, description = "It is the one that `If-None-Match` names."),
        NoSuch
    )
)]
pub async fn file(name: Path<String>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let asset = match name.as_str() {
        "docs.js" => &SCRIPT,
        "docs.css" => &STYLE,
        "zh-CN.json" => &CHINESE,
        "icon.svg" => &ICON,
        _ => return Err(ApiError::not_found()),
    };
    Ok(asset.answer(&request))
}
